/** The API server accepts a create and never answers it. The kill switch of the same network does not wait for that. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import type { SeenRequest } from '../support/control-plane/seen-request.ts';
import { poll } from '../support/lab/index.ts';
import { machine, Stage } from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

/** The client gives up a request after 30 s. */
const LONG_BEFORE_MS = 15_000;

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
});

afterAll(async () => {
  await stage?.strike();
});

describe('a create that hangs', () => {
  test('does not keep its own network open', async () => {
    const namespace = await stage.namespace();
    const agent = await stage.agent({ machines: [machine(`${namespace}-1`), machine(`${namespace}-2`)] });
    const proxy = await stage.plane.faultProxy();
    const kubeconfig = await stage.controllerKubeconfig(proxy.url);
    const controller = await stage.controller({ kubeconfig });
    try {
      const selector = { names: [`${namespace}-1`] };
      await stage.network(namespace, 'net', { selector });
      const states = async () =>
        (await stage.attachments(namespace, 'net')).map(({ spec }) => spec.policy.desiredState);
      await poll('one VM is let through', async () => (await states()).join() === 'Active');
      const isCreate = ({ verb, resource }: SeenRequest) =>
        verb === 'create' && resource === 'vmnetworkattachments';
      proxy.inject({ do: 'stall' }, { on: isCreate });
      await stage.edit(namespace, 'net', { selector: { names: [`${namespace}-1`, `${namespace}-2`] } });
      await poll('the create of the other hangs', () => proxy.frozen > 0);
      await stage.edit(namespace, 'net', { desiredState: 'Quarantined' });
      await poll('the first is closed', async () => (await states()).join() === 'Quarantined', {
        deadlineMs: LONG_BEFORE_MS,
      });
      proxy.heal();
      await poll(
        'both are there, closed',
        async () => (await states()).join() === 'Quarantined,Quarantined',
        {
          deadlineMs: 60_000,
        },
      );
      expect(stage.complaints).toEqual([]);
    } finally {
      proxy.heal();
      await controller.end('SIGTERM');
      await proxy.close();
      await agent.close();
    }
  });
});
