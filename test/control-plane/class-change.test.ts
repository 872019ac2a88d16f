/** The provider's guardrail moves under networks that are there already. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  CLASSES,
  conditionOf,
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

  test('knows the ranges of the cluster, and denies a network that points into a node that joins', async () => {
    const className = stage.name('class');
    await makeClass(className);
    await stage.until<NetworkClass>('the ranges', CLASSES, { name: className }, (one) => {
      return one?.status?.clusterRanges?.includes('10.96.0.0/16') === true;
    });
    const address = '192.0.2.77';
    const { namespace } = await networkOf(className, { consumerEndpoint: { address, port: 51900 } });
    await stage.untilReady(namespace, 'net');

    const name = stage.name('node');
    await stage.admin.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name },
      spec: { podCIDR: '10.244.7.0/24', podCIDRs: ['10.244.7.0/24'] },
    } as never);
    const status = { addresses: [{ type: 'InternalIP', address }] };
    await stage.admin.mergePatch(NODES, { name, subresource: 'status' }, { status });
    const known = await stage.until<NetworkClass>('the new ranges', CLASSES, { name: className }, (one) => {
      return one?.status?.clusterRanges?.includes(`${address}/32`) === true;
    });
    const ranges = known!.status!.clusterRanges!;
    expect(ranges).toContain('10.244.7.0/24');
    expect(ranges).toEqual([...new Set(ranges)]);
    await stage.untilCondition(namespace, 'net', 'Accepted', 'False', 'DeniedByClass');
    await stage.untilAttachments(namespace, 'net', 'none', (all) => all.length === 0);

    await stage.admin.delete(NODES, { name });
    await stage.untilReady(namespace, 'net');
  });
});
