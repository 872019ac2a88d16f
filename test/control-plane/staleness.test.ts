/** A host that is not heard from: nothing that it last said counts as known, and nothing is taken from it. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  conditionOf,
  LEASES,
  machine,
  oneHost,
  Stage,
  SYSTEM,
  type AnyObject,
  type OneHost,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

/** The least that is believed. All hosts of this file fall silent together, so that it is waited for once. */
const LEASE_SECONDS = 20;
/** That long, and the two questions after it. */
const STALE_WITHIN_MS = 60_000;
/** Two renewals, each a quarter of the Lease after the one before: it had not been fresh for long when it became stale. */
const BACK_WITHIN_MS = 30_000;

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

const WIRE_GUARD = {
  wireGuard: { peerPublicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=', addresses: ['10.99.0.2/32'] },
};

let stage: Stage;
/** One host, with one network, for each of the tests; not heard from any more. */
let dead: OneHost, guest: OneHost, mute: OneHost, mistaken: OneHost, doomed: OneHost, ahead: OneHost;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  await stage.controller();
  const ready = (spec = {}) => oneHost(stage, spec, { leaseSeconds: LEASE_SECONDS });
  [dead, guest, mute, mistaken, doomed, ahead] = (await Promise.all(
    [{}, WIRE_GUARD, {}, {}, {}, {}].map(ready),
  )) as [OneHost, OneHost, OneHost, OneHost, OneHost, OneHost];
  await stage.untilCondition(guest.namespace, 'net', 'GuestProvisioned', 'True', 'Provisioned');

  await Promise.all([dead, guest, doomed].map(({ agent }) => agent.die()));
  for (const { agent } of [mute, mistaken, ahead]) agent.behave({ heartbeats: false });
  await setTenYearsAhead(ahead.agent);
  await Promise.all(
    [dead, guest, mute, mistaken, doomed, ahead].map(({ namespace }) =>
      stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale', STALE_WITHIN_MS),
    ),
  );
}, 3 * STALE_WITHIN_MS);

afterAll(async () => {
  await stage?.strike();
});

afterEach(() => {
  expect(stage.complaints).toEqual([]);
});

/** By its own time this Lease would be good until then. */
async function setTenYearsAhead({ nodeName }: ScriptedAgent): Promise<void> {
  const place = { namespace: SYSTEM, name: `node.${nodeName}` };
  const lease = await stage.admin.get<AnyObject & { spec: Record<string, unknown> }>(LEASES, place);
  const renewTime = '2040-01-01T00:00:00.000000Z';
  await stage.admin.replace(LEASES, place, { ...lease, spec: { ...lease.spec, renewTime } } as AnyObject);
}

describe('an agent that is not heard from', () => {
  test('leaves Enforced unknown, and comes back to what it was when it is heard again', async () => {
    const { namespace, agent } = dead;
    const stale = await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
    expect(conditionOf(stale, 'Ready')?.status).not.toBe('True');
    expect(conditionOf(stale, 'Enforced')?.message).toContain(agent.nodeName);
    expect(stale.status?.attachments).toMatchObject({ desired: 1, enforced: 0 });
    expect(await stage.attachments(namespace, 'net')).toHaveLength(1);

    await agent.start();
    const back = await stage.untilReady(namespace, 'net', BACK_WITHIN_MS);
    expect(conditionOf(back, 'Enforced')).toMatchObject({ status: 'True', reason: 'Verified' });
  });

  test('leaves its guests and their tunnels unknown too', async () => {
    const { namespace, agent } = guest;
    const stale = await stage.untilCondition(namespace, 'net', 'GuestProvisioned', 'Unknown', 'AgentStale');
    expect(conditionOf(stale, 'TunnelEstablished')).toMatchObject({
      status: 'Unknown',
      reason: 'AgentStale',
    });
    expect(conditionOf(stale, 'GuestProvisioned')?.message).toContain(agent.nodeName);

    await agent.start();
    const back = [namespace, 'net', 'GuestProvisioned', 'True', 'Provisioned', BACK_WITHIN_MS] as const;
    await stage.untilCondition(...back);
    await stage.untilCondition(namespace, 'net', 'TunnelEstablished', 'Unknown', 'NoHandshake');
  });

  test('is stale too when all but its heartbeat goes on', async () => {
    const { namespace, agent } = mute;
    agent.behave({ heartbeats: true });
    await stage.untilReady(namespace, 'net', BACK_WITHIN_MS);
  });

  test('loses no attachment and gets no new one; its policies follow the spec all the same', async () => {
    const { namespace, agent, vm } = mistaken;
    const late = machine(stage.name('vm'));
    // A report without a heartbeat is no report: its VM may be there still.
    await agent.has([late]);
    await stage.network(namespace, 'late', { selector: { names: [late.name] } });
    const moved = { address: '198.51.100.7', port: 51820 };
    await stage.edit(namespace, 'net', { consumerEndpoint: moved });
    const [attachment] = await stage.untilAttachments(namespace, 'net', 'the new endpoint', ([one]) => {
      return one?.spec.policy.consumerEndpoint?.address === moved.address;
    });
    expect(attachment?.spec.vm.name).toBe(vm.name);
    expect(attachment?.metadata.deletionTimestamp).toBeUndefined();
    expect(await stage.attachments(namespace, 'late')).toEqual([]);

    agent.behave({ heartbeats: true });
    await stage.untilReady(namespace, 'late', BACK_WITHIN_MS);
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);
  });

  test('keeps a deleted network until it is heard again', async () => {
    const { namespace, agent } = doomed;
    await stage.remove(namespace, 'net');
    await stage.untilAttachments(namespace, 'net', 'one that waits', ([one]) => {
      return one?.metadata.deletionTimestamp !== undefined;
    });
    await agent.start();
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);
  });

  test('whose Lease was deleted is stale', async () => {
    const { namespace, agent } = await oneHost(stage);
    agent.behave({ heartbeats: false });
    await stage.admin.delete(LEASES, { namespace: SYSTEM, name: `node.${agent.nodeName}` });
    await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
  });

  test('whose clock is wrong is judged by when its Lease last moved', async () => {
    // Stale, although its Lease says that it is good for years.
    const stale = await stage.untilCondition(ahead.namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
    expect(conditionOf(stale, 'Enforced')?.message).toContain(ahead.agent.nodeName);
    // From its own time on it is behind what it was; the second renewal is one again, and the third is enough.
    ahead.agent.behave({ heartbeats: true });
    await stage.untilReady(ahead.namespace, 'net', BACK_WITHIN_MS);
  });
});
