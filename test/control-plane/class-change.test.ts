/** The provider's guardrail moves under networks that are there already. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  CLASSES,
  conditionOf,
  EVENTS,
  machine,
  NODES,
  Stage,
  type AnyObject,
  type Condition,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

interface NetworkClass extends AnyObject {
  spec: Record<string, unknown>;
  status?: { clusterRanges?: string[] };
}

interface Told {
  reason: string;
  note?: string;
}

interface EventList extends AnyObject {
  items: Told[];
}

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

function makeClass(name: string, spec: Record<string, unknown> = {}): Promise<NetworkClass> {
  const identity = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkClass' };
  return stage.admin.create<NetworkClass>(CLASSES, { ...identity, metadata: { name }, spec });
}

const change = (name: string, spec: Record<string, unknown>): Promise<NetworkClass> =>
  stage.admin.mergePatch<NetworkClass>(CLASSES, { name }, { spec });

async function networkOf(className: string, spec: Record<string, unknown> = {}) {
  const namespace = await stage.namespace();
  const vm = machine(stage.name('vm'));
  const agent = await stage.agent({ machines: [vm] });
  agents.push(agent);
  await stage.network(namespace, 'net', { className, ...spec, selector: { names: [vm.name] } });
  return { namespace, agent };
}

const accepted = (network: Network): Condition => conditionOf(network, 'Accepted')!;

describe('a class', () => {
  test('that does not exist: refused with its name; accepted once it does; denied when it goes', async () => {
    const className = stage.name('class');
    const { namespace } = await networkOf(className);
    const refused = await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'ClassNotFound');
    expect(accepted(refused).message).toContain(className);
    expect(conditionOf(refused, 'Ready')?.status).toBe('False');
    expect(await stage.attachments(namespace, 'net')).toEqual([]);

    await makeClass(className);
    await stage.untilReady(namespace, 'net');

    await stage.admin.delete(CLASSES, { name: className });
    await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'ClassNotFound');
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);
  });

  test.each([
    ['allowedModes', { allowedModes: ['Conntrack'] }, { allowedModes: ['Filtered'] }, 'spec.mode'],
    ['deniedPorts', { deniedPorts: [51900] }, { deniedPorts: [] }, 'spec.consumerEndpoint.port'],
    [
      'deniedDestinations',
      { deniedDestinations: { networks: ['203.0.113.0/24'] } },
      { deniedDestinations: { networks: ['198.51.100.0/24'] } },
      'spec.consumerEndpoint.address',
    ],
  ])('tightened by %s takes the policy away, loosened gives it back', async (_rule, tight, loose, field) => {
    const className = stage.name('class');
    await makeClass(className);
    const { namespace } = await networkOf(className);
    await stage.untilReady(namespace, 'net');

    await change(className, tight);
    const refused = await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'DeniedByClass');
    expect(accepted(refused).message).toContain(field);
    expect(conditionOf(refused, 'Ready')?.status).toBe('False');
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);

    await change(className, loose);
    await stage.untilReady(namespace, 'net');
  });

  test('that names mode Direct: said to be no enforcement by the host, and only once it is in force; denied when the class names it no more', async () => {
    const className = stage.name('class');
    await makeClass(className, { allowedModes: ['Direct', 'Filtered'] });
    const { namespace, agent } = await networkOf(className, { mode: 'Direct', consumerEndpoint: undefined });
    const ready = await stage.untilCondition(namespace, 'net', 'Ready', 'True', 'NotHostEnforced');
    expect(conditionOf(ready, 'Enforced')).toMatchObject({ status: 'False', reason: 'NotHostEnforced' });
    expect(conditionOf(ready, 'TunnelEstablished')).toMatchObject({
      status: 'Unknown',
      reason: 'NotHostEnforced',
    });
    const [attachment] = await stage.attachments(namespace, 'net');
    expect(attachment!.spec.policy).toMatchObject({ mode: 'Direct' });
    expect(attachment!.spec.policy).not.toHaveProperty('consumerEndpoint');
    expect(conditionOf(attachment, 'Enforced')?.reason).toBe('NotHostEnforced');

    agent.behave({ programs: false });
    await stage.untilCondition(namespace, 'net', 'Enforced', 'False', 'Denied');
    await stage.untilCondition(namespace, 'net', 'Ready', 'False', 'ProgrammingFailed');
    agent.behave({ programs: true });
    await stage.untilCondition(namespace, 'net', 'Ready', 'True', 'NotHostEnforced');

    await change(className, { allowedModes: ['Filtered'] });
    const refused = await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'DeniedByClass');
    expect(accepted(refused).message).toContain('spec.mode');
    expect(conditionOf(refused, 'Enforced')).toMatchObject({ status: 'False', reason: 'Denied' });
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);
  });

  test('gives its limits to networks that name none, also when they change', async () => {
    const className = stage.name('class');
    await makeClass(className, {
      limits: { default: { packetsPerSecond: 1000 }, maximum: { packetsPerSecond: 5000 } },
    });
    const { namespace } = await networkOf(className);
    await stage.untilReady(namespace, 'net');
    const [attachment] = await stage.attachments(namespace, 'net');
    expect(attachment?.spec.policy['limits']).toMatchObject({ packetsPerSecond: 1000 });

    await change(className, { limits: { default: { packetsPerSecond: 2000 } } });
    const [changed] = await stage.untilAttachments(namespace, 'net', 'the new limit', ([one]) => {
      return (one?.spec.policy['limits'] as { packetsPerSecond: number }).packetsPerSecond === 2000;
    });
    expect(changed?.spec.policyGeneration).toBe(attachment!.spec.policyGeneration + 1);
    await stage.untilReady(namespace, 'net');
  });

  test('touches no network of another class', async () => {
    const [tight, other] = [stage.name('class'), stage.name('class')];
    await Promise.all([makeClass(tight), makeClass(other)]);
    const [one, two] = [await networkOf(tight), await networkOf(other)];
    await Promise.all([stage.untilReady(one.namespace, 'net'), stage.untilReady(two.namespace, 'net')]);
    const [before] = await stage.attachments(two.namespace, 'net');
    await change(tight, { deniedPorts: [51900] });
    await stage.untilCondition(one.namespace, 'net', 'Accepted', 'False', 'DeniedByClass');
    const [after] = await stage.attachments(two.namespace, 'net');
    expect(after).toEqual(before);
  });

  async function join(name: string, addresses: readonly string[], podCIDR: string): Promise<void> {
    const identity = { apiVersion: 'v1', kind: 'Node', metadata: { name } };
    const spec = { podCIDR, podCIDRs: [podCIDR] };
    await stage.admin.create(NODES, { ...identity, spec } as never);
    const status = { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) };
    await stage.admin.mergePatch(NODES, { name, subresource: 'status' }, { status });
  }
  const rangesOnce = async (className: string, what: string, wanted: (ranges: string[]) => boolean) => {
    const known = await stage.until<NetworkClass>(what, CLASSES, { name: className }, (one) => {
      return wanted(one?.status?.clusterRanges ?? []);
    });
    return known!.status!.clusterRanges!;
  };

  test('knows the ranges of the cluster, and denies a network that points into a node that joins', async () => {
    const className = stage.name('class');
    await makeClass(className);
    await rangesOnce(className, 'the ranges', (ranges) => ranges.includes('10.96.0.0/16'));
    const stays = stage.name('node');
    await join(stays, ['192.0.2.1'], '10.244.3.0/24');
    const address = '192.0.2.77';
    const { namespace } = await networkOf(className, { consumerEndpoint: { address, port: 51900 } });
    await stage.untilReady(namespace, 'net');

    const name = stage.name('node');
    await join(name, [address], '10.244.7.0/24');
    const ranges = await rangesOnce(className, 'the new ranges', (all) => all.includes(`${address}/32`));
    expect(ranges).toContain('10.244.7.0/24');
    expect(ranges).toEqual([...new Set(ranges)]);
    await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'DeniedByClass');
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);

    await stage.admin.delete(NODES, { name });
    await stage.untilReady(namespace, 'net');
    await stage.admin.delete(NODES, { name: stays });
  });

  test('believes a node 32 addresses and a pod range of /16, and says what it left out', async () => {
    const className = stage.name('class');
    await makeClass(className);
    const { namespace } = await networkOf(className);
    await stage.untilReady(namespace, 'net');
    const name = stage.name('node');
    const many = Array.from({ length: 100 }, (_, index) => `198.51.100.${2 * index}`);
    // The endpoint of everybody else's rentals lies in there.
    await join(name, many, '128.0.0.0/1');
    const ranges = await rangesOnce(className, 'its addresses', (all) => all.includes('198.51.100.62/32'));
    expect(ranges.filter((range) => range.startsWith('198.51.100.'))).toHaveLength(32);
    expect(ranges).not.toContain('128.0.0.0/1');
    await stage.until<EventList>('the Event', EVENTS, { namespace: 'default' }, (list) => {
      const isIt = ({ reason, note = '' }: Told) =>
        reason === 'RangesLeftOut' && note.includes(`Node ${name}`);
      return list?.items.some(isIt) === true;
    });
    const [network] = await stage.attachments(namespace, 'net');
    expect(network?.metadata.deletionTimestamp).toBeUndefined();
    await stage.untilReady(namespace, 'net');
    await stage.admin.delete(NODES, { name });
  });

  test('goes on denying what it denied when no node tells an address any more, until one does again', async () => {
    const className = stage.name('class');
    await makeClass(className);
    const [last, next] = [stage.name('node'), stage.name('node')];
    await join(last, ['192.0.2.90'], '10.244.9.0/24');
    const before = await rangesOnce(className, 'the node', (all) => all.includes('192.0.2.90/32'));
    await stage.admin.delete(NODES, { name: last });
    // One class is looked at after the other: once a new one is told of no node, this one was looked at without one.
    for (let told = before; told.includes('192.0.2.90/32');) {
      const probe = stage.name('class');
      await makeClass(probe);
      told = await rangesOnce(probe, 'the services', (all) => all.length > 0);
    }
    expect(await rangesOnce(className, 'its ranges', () => true)).toEqual(before);

    await join(next, ['192.0.2.91'], '10.244.9.0/24');
    const after = await rangesOnce(className, 'the next node', (all) => all.includes('192.0.2.91/32'));
    expect(after).not.toContain('192.0.2.90/32');
    await stage.admin.delete(NODES, { name: next });
  });
});
