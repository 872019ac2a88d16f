/** A host that is not heard from: nothing that it last said counts as known, and nothing is taken from it. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  conditionOf,
  LEASES,
  machine,
  Stage,
  SYSTEM,
  type AnyObject,
  type Machine,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

/** Short, so that the test need not wait for the 40 s of a real agent: the Lease itself says how long it is good for. */
const LEASE_SECONDS = 2;

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
const agents: ScriptedAgent[] = [];

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  await stage.controller();
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(async () => {
  expect(stage.refusals).toEqual([]);
  expect(stage.witness.doubles).toEqual([]);
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});

async function readyNetwork(leaseSeconds = LEASE_SECONDS) {
  const namespace = await stage.namespace();
  const vm: Machine = machine(stage.name('vm'));
  const agent = await stage.agent({ machines: [vm], leaseSeconds });
  agents.push(agent);
  await stage.network(namespace, 'net', { selector: { names: [vm.name] } });
  await stage.untilReady(namespace, 'net');
  return { namespace, agent, vm };
}

describe('an agent that is not heard from', () => {
  test('leaves Enforced unknown, and comes back to what it was when it is heard again', async () => {
    const { namespace, agent } = await readyNetwork();
    await agent.die();
    const stale = await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
    expect(conditionOf(stale, 'Ready')?.status).not.toBe('True');
    expect(conditionOf(stale, 'Enforced')?.message).toContain(agent.nodeName);
    expect(stale.status?.attachments).toMatchObject({ desired: 1, enforced: 0 });
    expect(await stage.attachments(namespace, 'net')).toHaveLength(1);

    await agent.start();
    const back = await stage.untilReady(namespace, 'net');
    expect(conditionOf(back, 'Enforced')).toMatchObject({ status: 'True', reason: 'Verified' });
  });

  test('is stale too when all but its heartbeat goes on', async () => {
    const { namespace, agent } = await readyNetwork();
    agent.behave({ heartbeats: false });
    await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
    agent.behave({ heartbeats: true });
    await stage.untilReady(namespace, 'net');
  });

  test('loses no attachment and gets no new one; its policies follow the spec all the same', async () => {
    const { namespace, agent, vm } = await readyNetwork();
    const late = machine(stage.name('vm'));
    agent.behave({ heartbeats: false });
    await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');

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
    await stage.untilReady(namespace, 'late');
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);
  });

  test('keeps a deleted network until it is heard again', async () => {
    const { namespace, agent } = await readyNetwork();
    await agent.die();
    await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
    await stage.remove(namespace, 'net');
    await stage.untilAttachments(namespace, 'net', 'one that waits', ([one]) => {
      return one?.metadata.deletionTimestamp !== undefined;
    });
    await agent.start();
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);
  });

  test('whose Lease was deleted is stale', async () => {
    const { namespace, agent } = await readyNetwork(40);
    agent.behave({ heartbeats: false });
    await stage.admin.delete(LEASES, { namespace: SYSTEM, name: `node.${agent.nodeName}` });
    await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
  });

  test('whose clock is wrong is judged by when its Lease last moved', async () => {
    const { namespace, agent } = await readyNetwork(3);
    const place = { namespace: SYSTEM, name: `node.${agent.nodeName}` };
    agent.behave({ heartbeats: false });
    // Ten years ahead: by its own time this Lease would be good until then.
    const lease = await stage.admin.get<AnyObject & { spec: Record<string, unknown> }>(LEASES, place);
    const renewTime = '2040-01-01T00:00:00.000000Z';
    await stage.admin.replace(LEASES, place, { ...lease, spec: { ...lease.spec, renewTime } } as AnyObject);
    await stage.untilCondition(namespace, 'net', 'Enforced', 'Unknown', 'AgentStale');
  });
});
