import { describe, expect, test } from '@jest/globals';
import { ATTACHMENTS } from '../../../src/controller/kinds.ts';
import type { Attachment } from '../../../src/controller/kinds.ts';
import type { AttachmentPlanInput } from '../../../src/controller/vmnetwork/attachment-plan.ts';
import { cardKey, cardOf } from '../../../src/controller/vmnetwork/card.ts';
import type { HostHealth } from '../../../src/controller/vmnetwork/host-health.ts';
import { planNetwork, planOrphans } from '../../../src/controller/vmnetwork/plan.ts';
import type { NetworkPlanInput } from '../../../src/controller/vmnetwork/plan.ts';
import { generateSealingKey } from '../../../src/wireguard/sealed-key.ts';
import { World } from '../../property/controller/support/world.ts';
import { ENDPOINT, enforcedStatus, network, NOW_MS, selected, vm } from './support/objects.ts';
import { inputOf, standing, type Given } from './support/plan-input.ts';

const HOST_KEY = generateSealingKey().publicKey;
const OK_SECRET = { state: 'ok', uid: 'secret-uid', resourceVersion: '7' } as const;

const summary = (input: NetworkPlanInput) => {
  const { create, update, remove, release, waiting, addFinalizer, removeFinalizer } = planNetwork(input);
  return {
    ...{ create: create.length, update: update.length, remove: remove.length, release: release.length },
    waiting: waiting.map((item) => item.for),
    ...{ addFinalizer, removeFinalizer },
  };
};

const NOTHING = {
  create: 0,
  update: 0,
  remove: 0,
  release: 0,
  waiting: [],
  addFinalizer: false,
  removeFinalizer: false,
};

describe('a card without an attachment', () => {
  test.each<[string, Given, object]>([
    ['gets one', {}, { create: 1 }],
    [
      'gets one after the finalizer',
      { network: network('one', {}, { finalizers: [] }) },
      { create: 1, addFinalizer: true },
    ],
    ['waits for a host that is stale', { health: 'stale' }, { waiting: ['host'] }],
    ['waits for a host that is in doubt', { health: 'doubt' }, { waiting: ['host'] }],
    ['waits while another network has one there', { over: { isTaken: () => true } }, { waiting: ['other'] }],
    [
      'gets none of a network that is being deleted',
      { network: network('one', {}, { deletionTimestamp: '2026-01-31T11:00:00Z' }) },
      { removeFinalizer: true },
    ],
    ['gets none of a refused network', { network: network('one', { mode: 'Direct' }) }, {}],
    [
      'gets none while the Secret may not be read',
      { over: { secret: { state: 'unreadable', message: '' } } },
      { waiting: ['decision'] },
    ],
    ['gets none while its Secret is invalid', { over: { secret: { state: 'invalid', message: '' } } }, {}],
  ])('%s', (_, given, expected) => {
    expect(summary(inputOf(given))).toEqual({ ...NOTHING, ...expected });
  });

  test('gets one for each of its cards, also for what cannot be filtered: the agent says so', () => {
    const own = network('one');
    const interfaces = [{ mac: '02:00:00:00:00:01' }, { mac: '02:00:00:00:00:02', unsupported: 'slirp' }];
    const input = inputOf({ network: own, over: { vms: [selected(vm('vm1', { interfaces }), own)] } });
    expect(planNetwork(input).create.map(({ card }) => card.mac)).toEqual([
      '02:00:00:00:00:01',
      '02:00:00:00:00:02',
    ]);
  });
});

describe('an attachment that stands', () => {
  const own = network('one');
  const now = standing();

  test.each<[string, Attachment, Given, object]>([
    ['as wanted is left alone', now, {}, {}],
    ['follows the spec', now, { network: network('one', { desiredState: 'Quarantined' }) }, { update: 1 }],
    [
      'follows the spec on a stale host too',
      now,
      { health: 'stale', network: network('one', { desiredState: 'Quarantined' }) },
      { update: 1 },
    ],
    ['gets its finalizer back', standing({}, { finalizers: [] }), {}, { update: 1 }],
    ['goes with its VM on a fresh host', now, { reported: false }, { remove: 1 }],
    ['stays when a stale host reports its VM no longer', now, { reported: false, health: 'stale' }, {}],
    ['stays while its host is in doubt', now, { reported: false, health: 'doubt' }, {}],
    ['stays while its host is only missing in the cache', now, { reported: false, health: 'unknown' }, {}],
    ['goes with its host', now, { reported: false, health: 'gone' }, { remove: 1 }],
    [
      'goes on a stale host too when it is no longer selected',
      now,
      { health: 'stale', over: { vms: [] } },
      { remove: 1 },
    ],
    [
      'goes when an older network owns the VM',
      now,
      { over: { vms: [selected(vm('vm1'), network('older'))] } },
      { remove: 1 },
    ],
    ['goes when the network is refused', now, { network: network('one', { mode: 'Direct' }) }, { remove: 1 }],
    [
      'goes on a stale host too when the network is refused',
      now,
      { health: 'stale', network: network('one', { mode: 'Direct' }) },
      { remove: 1 },
    ],
    [
      'goes with the network',
      now,
      { network: network('one', {}, { deletionTimestamp: '2026-01-31T11:00:00Z' }) },
      { remove: 1 },
    ],
    [
      'stays while the Secret may not be read',
      now,
      { over: { secret: { state: 'unreadable', message: '' } } },
      { update: 1 },
    ],
    [
      'of a former network of that name goes',
      now,
      { network: network('one', {}, { uid: 'uid-later' }) },
      { remove: 1, waiting: ['name'] },
    ],
    [
      'under another name than its card’s goes',
      { ...now, metadata: { ...now.metadata, name: 'one-0000000000' } },
      {},
      { remove: 1, create: 1 },
    ],
  ])('%s', (_, attachment, given, expected) => {
    const input = inputOf({ ...given, over: { ...given.over, attachments: [attachment] } });
    expect(summary(input)).toEqual({ ...NOTHING, ...expected });
  });

  test('that a hand changed is put right, its hash too', () => {
    const widened = { ...now, spec: { ...now.spec, policy: { ...now.spec.policy, strictWireGuard: false } } };
    const unhashed = { ...now, spec: { ...now.spec, hash: '0'.repeat(64) } } as Attachment;
    for (const attachment of [widened, unhashed]) {
      const [planned] = planNetwork(inputOf({ over: { attachments: [attachment] } })).update;
      expect(planned).toMatchObject({ policyGeneration: 2, policy: now.spec.policy });
    }
  });

  test('is due again when the grace of its previous endpoint ends', () => {
    const moved = network('one', {
      endpointGraceSeconds: 30,
      consumerEndpoint: { address: '203.0.113.99', port: 1 },
    });
    const actions = planNetwork(inputOf({ network: moved, over: { attachments: [now] } }));
    expect(actions.update[0]?.policy?.previousEndpoint?.address).toBe('203.0.113.10');
    expect(actions.dueMs).toBe(NOW_MS + 30_000);
  });

  test('belongs by uid, not by name', () => {
    expect(now.metadata.ownerReferences?.[0]?.uid).toBe(own.metadata.uid);
  });
});

describe('desired are', () => {
  const now = standing();
  test.each<[string, number, Given]>([
    ['cards that have none', 1, {}],
    ['cards that have one, once', 1, { over: { attachments: [now] } }],
    [
      'those that are held for a host that is not heard',
      1,
      { reported: false, health: 'unknown', over: { attachments: [now] } },
    ],
    ['none that go', 0, { reported: false, over: { attachments: [now] } }],
  ])('%s', (_, desired, given) => {
    expect(planNetwork(inputOf(given)).desired).toBe(desired);
  });
});

test('what a host calls a card is nothing to its attachment: it changes with each start of the VM', async () => {
  const world = new World();
  const mac = '02:00:00:00:00:01';
  const report = async (name: string) => {
    world.report('n1', [{ ...vm('vm1').vm, interfaces: [{ mac, name }] }]);
    await world.converge();
    return world.api.all<Attachment>(ATTACHMENTS)[0];
  };
  world.apply('t', 'one', { selector: { names: ['vm1'] }, consumerEndpoint: ENDPOINT });
  const before = await report('vnet3');
  expect(before?.spec.interface).toEqual({ mac });
  expect(await report('vnet7')).toEqual(before);
});

describe('an attachment that is being deleted', () => {
  const leaving = (status?: object, metadata: object = {}) =>
    ({
      ...standing({}, { deletionTimestamp: '2026-01-31T11:00:00Z', generation: 2, ...metadata }),
      status,
    }) as Attachment;
  const released = (observedGeneration: number | undefined, status = 'True') => ({
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    conditions: [{ type: 'Released', status, reason: 'Denied', message: '', lastTransitionTime: '' }],
  });

  test.each<[string, Attachment, HostHealth, number]>([
    ['is released once its host said so', leaving(released(2)), 'fresh', 1],
    ['is not released before', leaving(), 'fresh', 0],
    ['is not released by a word about the generation before', leaving(released(1)), 'fresh', 0],
    ['is not released by a word about no generation', leaving(released(undefined)), 'fresh', 0],
    ['is not released by Released=False', leaving(released(2, 'False')), 'fresh', 0],
    ['waits for a stale host', leaving(), 'stale', 0],
    ['waits while its host is only missing in the cache', leaving(), 'unknown', 0],
    ['is released when its host was declared gone', leaving(), 'gone', 1],
    ['is not released twice', leaving(released(2), { finalizers: [] }), 'fresh', 0],
  ])('%s', (_, attachment, health, expected) => {
    const input = inputOf({ health, over: { attachments: [attachment] } });
    expect(planNetwork(input).release).toHaveLength(expected);
    expect(planNetwork(input).update).toEqual([]);
    expect(planOrphans([attachment], input.hosts).release).toHaveLength(expected);
  });

  test('keeps its network, and so does one that may be on its way', () => {
    const going = network('one', {}, { deletionTimestamp: '2026-01-31T11:00:00Z' });
    const input = (over: Partial<NetworkPlanInput>) => inputOf({ network: going, over });
    expect(planNetwork(input({ attachments: [leaving()] })).removeFinalizer).toBe(false);
    expect(planNetwork(input({ inDoubt: true })).removeFinalizer).toBe(false);
    expect(planNetwork(input({})).removeFinalizer).toBe(true);
  });

  test('is waited for before its card gets a new one', () => {
    expect(summary(inputOf({ over: { attachments: [leaving()] } }))).toMatchObject({
      create: 0,
      waiting: ['name'],
    });
  });
});

test('orphans are asked to deny, all of them', () => {
  const hosts: AttachmentPlanInput['hosts'] = new Map([['n1', { health: 'fresh', sealingKey: undefined }]]);
  expect(planOrphans([standing()], hosts)).toMatchObject({ remove: [expect.anything()], release: [] });
});

describe('a pre-shared key', () => {
  const withKey = network('one', { wireGuard: { presharedKeySecretRef: { name: 'psk', key: 'psk' } } });
  const sealedFor = (over: object = {}) => ({
    ...{ recipient: HOST_KEY, secretUid: 'secret-uid', secretResourceVersion: '7', ciphertext: 'c2VhbGVk' },
    ...over,
  });
  const plan = (
    sealingKey: string | undefined,
    sealed?: object,
    secret: NetworkPlanInput['secret'] = OK_SECRET,
  ) => {
    const given = { network: withKey, ...(sealingKey === undefined ? {} : { sealingKey }) };
    const base = standing({ ...given, over: { secret: OK_SECRET } });
    const attachments =
      sealed === undefined
        ? []
        : [{ ...base, spec: { ...base.spec, sealedPresharedKey: sealed } } as Attachment];
    const { create, update } = planNetwork(inputOf({ ...given, over: { secret, attachments } }));
    return create[0] ?? update[0];
  };

  test('is sealed to the host’s key', () => {
    expect(plan(HOST_KEY)).toMatchObject({
      sealing: { kind: 'seal', recipient: HOST_KEY },
      policy: { wireGuard: {} },
    });
  });

  test.each([
    ['the host publishes none', undefined],
    ['the host publishes nonsense', 'nonsense'],
    ['the host publishes a key of small order', Buffer.alloc(32).toString('base64')],
  ])('is left out when %s, and the guest is not provisioned', (_, key) => {
    expect(plan(key)).toMatchObject({ sealing: { kind: 'none' } });
    expect(plan(key)?.policy).not.toHaveProperty('wireGuard');
  });

  test.each([
    ['the Secret was replaced', sealedFor({ secretUid: 'other' })],
    ['the Secret changed', sealedFor({ secretResourceVersion: '6' })],
    ['the host has a new key', sealedFor({ recipient: generateSealingKey().publicKey })],
  ])('is sealed anew when %s', (_, sealed) => {
    expect(plan(HOST_KEY, sealed)).toMatchObject({ sealing: { kind: 'seal' } });
  });

  test('stays as it is sealed while the Secret may not be read', () => {
    const planned = plan(HOST_KEY, sealedFor(), { state: 'unreadable', message: '' });
    expect(planned).toMatchObject({ sealing: { kind: 'keep' } });
  });
});

test('what the fixtures make is what the plan leaves alone', () => {
  const attachment = standing();
  expect(cardKey(cardOf(attachment))).toBe('n1\nvm1\n02:00:00:00:00:01');
  expect(enforcedStatus(attachment)).toMatchObject({ observedGeneration: 1 });
});
