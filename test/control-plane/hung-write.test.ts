/** The API server accepts a write and never answers it. The kill switch of the same network does not wait for that. */
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

/** A network with one VM, whose traffic passes, and a controller behind a proxy. */
async function scene() {
  const namespace = await stage.namespace();
  const vms = [`${namespace}-1`, `${namespace}-2`];
  await stage.agent({ machines: vms.map((name) => machine(name)) });
  const proxy = await stage.plane.faultProxy();
  const kubeconfig = await stage.controllerKubeconfig(proxy.url);
  const controller = await stage.controller({ kubeconfig });
  await stage.network(namespace, 'net', { selector: { names: vms.slice(0, 1) } });
  const states = async () =>
    (await stage.attachments(namespace, 'net')).map(({ spec }) => spec.policy.desiredState);
  await poll('one VM is let through', async () => (await states()).join() === 'Active');
  const close = async () => {
    proxy.heal();
    await controller.end('SIGTERM');
    await proxy.close();
    await stage.closeAgents();
  };
  return { namespace, vms, proxy, states, close };
}

const ofAttachments = (verb: string) => (request: SeenRequest) =>
  request.verb === verb && request.resource === 'vmnetworkattachments';

describe('a write that hangs does not keep its own network open:', () => {
  test('the create of another attachment', async () => {
    const { namespace, vms, proxy, states, close } = await scene();
    try {
      proxy.inject({ do: 'stall' }, { on: ofAttachments('create') });
      await stage.edit(namespace, 'net', { selector: { names: vms } });
      await poll('the create of the other hangs', () => proxy.frozen > 0);
      await stage.edit(namespace, 'net', { desiredState: 'Quarantined' });
      const deadlineMs = LONG_BEFORE_MS;
      await poll('the first is closed', async () => (await states()).join() === 'Quarantined', {
        deadlineMs,
      });
      proxy.heal();
      const both = 'Quarantined,Quarantined';
      await poll('both are there, closed', async () => (await states()).join() === both, {
        deadlineMs: 60_000,
      });
      expect(stage.complaints).toEqual([]);
    } finally {
      await close();
    }
  }, 90_000);

  test('a change of its attachment', async () => {
    const { namespace, proxy, states, close } = await scene();
    try {
      const heal = proxy.inject({ do: 'stall' }, { on: ofAttachments('update') });
      await stage.edit(namespace, 'net', { consumerEndpoint: { address: '203.0.113.11', port: 51900 } });
      await poll('the change hangs', () => proxy.frozen > 0);
      heal();
      await stage.edit(namespace, 'net', { desiredState: 'Quarantined' });
      const deadlineMs = LONG_BEFORE_MS;
      await poll('it is closed', async () => (await states()).join() === 'Quarantined', { deadlineMs });
      expect(stage.complaints).toEqual([]);
    } finally {
      await close();
    }
  }, 90_000);
});
