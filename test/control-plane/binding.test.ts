/** Which VMs a network gets: by name, uuid, label and host, now, later, and no more. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import {
  ATTACHMENTS,
  CLASSES,
  conditionOf,
  ENDPOINT,
  machine,
  NETWORKS,
  Stage,
  uuidOf,
  type Attachment,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const needs = needsControlPlane('helm');
const { describe } = requires(needs);
const MANY = 1000;

let stage: Stage;
let left: ScriptedAgent;
let right: ScriptedAgent;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  [left, right] = await Promise.all([
    stage.agent({ nodeName: 'left' }),
    stage.agent({ nodeName: 'right' }),
    stage.controller(),
  ]);
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(() => {
  expect(stage.refusals).toEqual([]);
  expect(stage.witness.doubles).toEqual([]);
});

const vmsOf = (attachments: readonly Attachment[]): string[] =>
  attachments.map(({ spec }) => `${spec.nodeName}/${spec.vm.name}`).sort();

describe('a network gets its VMs', () => {
  test('by name: one attachment for each card, made as the API says', async () => {
    const namespace = await stage.namespace();
    const vm = machine('by-name', { cards: 2, uuid: uuidOf('by-name') });
    await left.has([vm, machine('somebody-else')]);
    const made = await stage.network(namespace, 'net', { selector: { names: ['by-name'] } });
    const network = await stage.untilReady(namespace, 'net');
    const attachments = await stage.attachments(namespace, 'net');

    expect(attachments).toHaveLength(2);
    for (const { metadata, spec } of attachments) {
      const text = `left\n${vm.id}\n${spec.interface.mac}`;
      const digest = createHash('sha256').update(text).digest('hex').slice(0, 10);
      expect(metadata.name).toBe(`net-${digest}`);
      expect(metadata.finalizers).toEqual(['vmnetwork.io/closed']);
      const { uid } = made.metadata;
      expect(metadata.ownerReferences).toMatchObject([
        { kind: 'VMNetwork', name: 'net', uid, controller: true },
      ]);
      expect(spec).toMatchObject({ nodeName: 'left', vm: { id: vm.id, name: vm.name, uuid: vm.uuid } });
      expect(spec.policy).toMatchObject({
        network: 'net',
        mode: 'Filtered',
        enforcement: 'Enforce',
        desiredState: 'Active',
        consumerEndpoint: ENDPOINT,
        className: 'default',
        strictWireGuard: true,
      });
      expect(spec.policy.previousEndpoint).toBeUndefined();
      expect(spec.hash).toMatch(/^[0-9a-f]{64}$/);
    }
    expect(attachments.map(({ spec }) => spec.interface.mac).sort()).toEqual(
      vm.interfaces.map(({ mac }) => mac).sort(),
    );
    expect(network.metadata.finalizers).toEqual(['vmnetwork.io/closed']);
    expect(network.status?.attachments).toEqual({ desired: 2, enforced: 2, summary: '2/2' });
    expect(network.status?.endpoint).toBe('203.0.113.10:51900');
    expect(network.status?.droppedPackets).toBe(6);
    for (const type of ['Accepted', 'Bound', 'Programmed', 'Enforced', 'Ready'])
      expect(conditionOf(network, type)).toMatchObject({ status: 'True', observedGeneration: 1 });
    expect(conditionOf(network, 'Reconciling')?.status ?? 'False').toBe('False');
    expect(conditionOf(network, 'Stalled')?.status ?? 'False').toBe('False');
  });

  test('by uuid, by labels, and by all parts at once, on whatever host they are', async () => {
    const namespace = await stage.namespace();
    const uuid = uuidOf('by-uuid');
    const blue = { team: 'blue', tier: 'gold' };
    await left.has([
      machine('u-1', { uuid }),
      machine('l-1', { labels: blue }),
      machine('both', { labels: blue }),
    ]);
    await right.has([
      machine('l-2', { labels: blue }),
      machine('half', { labels: { team: 'blue' } }),
      machine('other', { labels: { team: 'red', tier: 'gold' } }),
    ]);
    await stage.network(namespace, 'one', { selector: { names: ['both'], matchLabels: { team: 'blue' } } });
    await stage.untilReady(namespace, 'one');
    await Promise.all([
      stage.network(namespace, 'by-uuid', { selector: { uuids: [uuid] } }),
      stage.network(namespace, 'none', { selector: { names: ['both'], matchLabels: { team: 'green' } } }),
    ]);
    await stage.untilReady(namespace, 'by-uuid');
    expect(vmsOf(await stage.attachments(namespace, 'by-uuid'))).toEqual(['left/u-1']);
    expect(vmsOf(await stage.attachments(namespace, 'one'))).toEqual(['left/both']);
    await stage.untilCondition(namespace, 'none', 'Bound', 'False', 'NoMatch');
    expect(await stage.attachments(namespace, 'none')).toEqual([]);

    await stage.remove(namespace, 'one');
    await stage.network(namespace, 'labels', { selector: { matchLabels: blue } });
    await stage.untilAttachments(namespace, 'labels', 'three attachments', (all) => all.length === 3);
    await stage.untilReady(namespace, 'labels');
    expect(vmsOf(await stage.attachments(namespace, 'labels'))).toEqual([
      'left/both',
      'left/l-1',
      'right/l-2',
    ]);
  });

  test('on the one host that it pins, of two that have a VM of the name', async () => {
    const namespace = await stage.namespace();
    await Promise.all([left.has([machine('twin')]), right.has([machine('twin')])]);
    const selector = { names: ['twin'], nodeName: 'right' };
    await stage.network(namespace, 'pinned', { selector });
    await stage.untilReady(namespace, 'pinned');
    expect(vmsOf(await stage.attachments(namespace, 'pinned'))).toEqual(['right/twin']);

    await stage.edit(namespace, 'pinned', { selector: { ...selector, nodeName: 'left' } });
    await stage.untilAttachments(namespace, 'pinned', 'only the other twin', (all) => {
      return vmsOf(all).join() === 'left/twin';
    });
    await stage.edit(namespace, 'pinned', { selector: { ...selector, nodeName: '' } });
    const wanted = 'left/twin,right/twin';
    await stage.untilAttachments(namespace, 'pinned', 'both twins', (all) => vmsOf(all).join() === wanted);
    await stage.untilReady(namespace, 'pinned');
  });

  test('once they appear, and loses them when they vanish, are relabelled or get another card', async () => {
    const namespace = await stage.namespace();
    await Promise.all([left.has([]), right.has([])]);
    await stage.network(namespace, 'late', { selector: { matchLabels: { app: 'late' } } });
    const waiting = await stage.untilCondition(namespace, 'late', 'Bound', 'False', 'NoMatch');
    expect(conditionOf(waiting, 'Ready')?.status).toBe('False');

    const labels = { app: 'late' };
    const [first, second] = [machine('late-1', { labels }), machine('late-2', { labels })];
    await left.has([first, second]);
    await stage.untilAttachments(namespace, 'late', 'both', (all) => all.length === 2);
    await stage.untilReady(namespace, 'late');

    await left.has([first, { ...second, labels: { app: 'other' } }]);
    const one = await stage.untilAttachments(namespace, 'late', 'only the first', (all) => all.length === 1);
    expect(vmsOf(one)).toEqual(['left/late-1']);

    const [card] = machine('another card').interfaces;
    await left.has([{ ...first, interfaces: [card!] }]);
    await stage.untilAttachments(namespace, 'late', 'the new card', (all) => {
      return all.length === 1 && all[0]?.spec.interface.mac === card?.mac;
    });

    await left.has([]);
    await stage.untilAttachments(namespace, 'late', 'none', (all) => all.length === 0);
    await stage.untilCondition(namespace, 'late', 'Bound', 'False', 'NoMatch');
  });

  test('only those that its selector names now', async () => {
    const namespace = await stage.namespace();
    await left.has([machine('a'), machine('b'), machine('c')]);
    await stage.network(namespace, 'edited', { selector: { names: ['a', 'b'] } });
    await stage.untilAttachments(namespace, 'edited', 'two', (all) => all.length === 2);
    await stage.edit(namespace, 'edited', { selector: { names: ['b', 'c'] } });
    await stage.untilAttachments(namespace, 'edited', 'b and c', (all) => {
      return vmsOf(all).join() === 'left/b,left/c';
    });
    const network = await stage.untilReady(namespace, 'edited');
    expect(network.status?.observedGeneration).toBe(2);
  });

  test('that cannot be filtered too: never ready, and says why', async () => {
    const namespace = await stage.namespace();
    const plain = machine('slirp');
    const unsupported = 'backend user (slirp) has no interface on the host';
    await left.has([{ ...plain, interfaces: [{ mac: plain.interfaces[0]!.mac, unsupported }] }]);
    await stage.network(namespace, 'net', { selector: { names: ['slirp'] } });
    const network = await stage.untilCondition(namespace, 'net', 'Programmed', 'False', 'UnsupportedBackend');
    expect(conditionOf(network, 'Enforced')?.status).toBe('False');
    expect(conditionOf(network, 'Ready')?.status).toBe('False');
    expect(network.status?.attachments).toMatchObject({ desired: 1, enforced: 0 });
  });

  test('is not Ready while the kernel holds something else, or what was said is of an older generation', async () => {
    const namespace = await stage.namespace();
    const vm = machine('doubtful');
    const agent = await stage.agent({ machines: [vm], behaviour: { policyHash: 'wrong' } });
    await stage.network(namespace, 'net', { selector: { names: [vm.name] } });
    const [attachment] = await stage.untilAttachments(namespace, 'net', 'an answered one', ([one]) => {
      return one?.status?.enforced !== undefined;
    });
    expect(attachment?.status?.enforced?.policyHash).not.toBe(attachment?.spec.hash);
    // An edit whose being seen shows that the answer has been seen too.
    await stage.edit(namespace, 'net', { endpointGraceSeconds: 1 });
    const now = await stage.untilCondition(namespace, 'net', 'Ready', 'False');
    expect(conditionOf(now, 'Enforced')?.status).not.toBe('True');
    expect(conditionOf(now, 'Ready')?.status).not.toBe('True');
    expect(now.status?.attachments?.enforced ?? 0).toBe(0);

    agent.behave({ policyHash: 'right', observedGeneration: 'stale' });
    const { name } = attachment!.metadata;
    await stage.until<Attachment>('a stale answer', ATTACHMENTS, { namespace, name }, (one) => {
      return one?.status?.enforced?.policyHash === one?.spec.hash;
    });
    agent.behave({ observedGeneration: 'right' });
    await stage.untilReady(namespace, 'net');
    await agent.close();
  });

  test('never those of another namespace, where its class says so', async () => {
    const [mine, other] = [await stage.namespace('mine'), await stage.namespace('other')];
    await stage.admin.create(CLASSES, {
      apiVersion: 'vmnetwork.io/v1alpha1',
      kind: 'VMNetworkClass',
      metadata: { name: 'own-vms' },
      spec: { vmOwnership: 'Namespace' },
    } as never);
    const labels = { app: 'owned' };
    await left.has([
      machine('of-mine', { namespace: mine, labels }),
      machine('of-other', { namespace: other, labels }),
      machine('of-nobody', { labels }),
    ]);
    await stage.network(mine, 'net', { className: 'own-vms', selector: { matchLabels: labels } });
    await stage.untilReady(mine, 'net');
    expect(vmsOf(await stage.attachments(mine, 'net'))).toEqual(['left/of-mine']);
  });

  test('by default those that a host reports in a namespace from there only, however old others are', async () => {
    const [mine, other] = [await stage.namespace('mine'), await stage.namespace('other')];
    const [reported, plain] = [machine('reported', { namespace: mine }), machine('plain')];
    await left.has([reported, plain]);
    await stage.network(other, 'net', { selector: { names: [reported.name, plain.name] } });
    await stage.untilReady(other, 'net');
    await stage.network(mine, 'net', { selector: { names: [reported.name] } });
    await stage.untilReady(mine, 'net');
    expect(vmsOf(await stage.attachments(other, 'net'))).toEqual(['left/plain']);
    expect(vmsOf(await stage.attachments(mine, 'net'))).toEqual(['left/reported']);
  });

  test(`${String(MANY)} at once`, async () => {
    const namespace = await stage.namespace();
    const labels = { fleet: 'yes' };
    const fleet = (host: string) =>
      Array.from({ length: MANY / 2 }, (_, index) => machine(`${host}-${String(index)}`, { labels }));
    await Promise.all([left.has(fleet('l')), right.has(fleet('r'))]);
    await stage.network(namespace, 'fleet', { selector: { matchLabels: labels } });
    const network = await stage.untilReady(namespace, 'fleet', 50_000);
    expect(network.status?.attachments).toEqual({ desired: MANY, enforced: MANY, summary: '1000/1000' });
    expect(await stage.attachments(namespace, 'fleet')).toHaveLength(MANY);
    // What the consumer needs is cut at 256 by the API; nothing else is.
    expect(network.status?.peers?.length ?? 0).toBeLessThanOrEqual(256);
    await stage.remove(namespace, 'fleet');
    const gone = (object: Network | null): boolean => object === null;
    await stage.until<Network>(
      'the fleet to be released',
      NETWORKS,
      { namespace, name: 'fleet' },
      gone,
      50_000,
    );
    expect(await stage.attachments(namespace, 'fleet')).toEqual([]);
  }, 120_000);
});
