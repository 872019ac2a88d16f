/**
 * What a class forbids, refused at the door: every rule with a pair, refused and the nearest accepted, and the words that a
 * tenant reads. Then who may write what, and what must go on working whatever a class says. Long because each file of
 * this tier costs an API server, and most of it is tables.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ApiCaller } from '../support/control-plane/api-caller.ts';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import { requires } from '../support/skip.ts';
import { startGuardedCluster, type GuardedCluster } from '../support/chart/guarded-cluster.ts';
import {
  API,
  apply,
  create,
  dry,
  get,
  merge,
  remove,
  replace,
  rewrite,
  send,
  verdict,
  type ApiRequest,
} from '../support/chart/requests.ts';
import { attachment, network, networkClass } from '../support/chart/specimens.ts';

const TENANT = 'tenant-a';
const NETWORKS = `${API}/namespaces/${TENANT}/vmnetworks`;
const ATTACHMENTS = `${API}/namespaces/${TENANT}/vmnetworkattachments`;
const CLASSES = `${API}/vmnetworkclasses`;
const PSK = { name: 'psk', key: 'psk' };

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let guarded: GuardedCluster;
let admin: ApiCaller;
let controller: ApiCaller;
/** Holds the chart's tenant role only. */
let tenant: ApiCaller;
/** Holds `*` on `*` in its namespace, as owners of a namespace often do. */
let owner: ApiCaller;

type Spec = Readonly<Record<string, unknown>>;
const endpoint = (address: string, port = 51900): Spec => ({ consumerEndpoint: { address, port } });
const asked = (spec: Spec): ApiRequest =>
  dry(create(NETWORKS, network('rental', { className: 'tight', ...spec })));

beforeAll(async () => {
  if (!needs.met) return;
  guarded = await startGuardedCluster();
  const { cluster, callers } = guarded;
  admin = cluster.api;
  await cluster.ensureNamespace(TENANT);
  controller = await callers.controller();
  tenant = await callers.tenant('tina', TENANT, 'vmnetwork-tenant-edit');
  await cluster.apply([
    role('namespace-owner', [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]),
    role('uses-tight', [
      {
        apiGroups: ['vmnetwork.io'],
        resources: ['vmnetworkclasses'],
        resourceNames: ['tight'],
        verbs: ['use'],
      },
    ]),
    clusterBinding('uses-tight', 'uses-tight', ['tina', 'olga']),
    tightClass(),
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'psk', namespace: TENANT } },
  ]);
  owner = await callers.tenant('olga', TENANT, 'namespace-owner');
  await replaced(`${CLASSES}/tight/status`, { status: { clusterRanges: ['10.96.0.0/12'] } });
  await untilClassIsKnown(asked(endpoint('10.96.0.1')));
});

afterAll(() => guarded?.stop());

describe('[K8-2] what a class forbids', () => {
  test.each<[string, Spec, string, Spec]>([
    [
      'a mode',
      { mode: 'Direct', consumerEndpoint: undefined },
      "spec.mode: Direct is not among the allowed modes in this network's class. Use one of: Filtered, Sampled.",
      { mode: 'Filtered' },
    ],
    [
      'Audit',
      { enforcement: 'Audit' },
      "spec.enforcement: Audit is not allowed in this network's class. Use enforcement: Enforce.",
      { enforcement: 'Enforce' },
    ],
    [
      'strict: false',
      { wireGuard: { strict: false } },
      "spec.wireGuard.strict: false is not allowed in this network's class. Use strict: true.",
      { wireGuard: { strict: true } },
    ],
    [
      'a severe action',
      { violation: { action: 'Terminate' } },
      "spec.violation.action: Terminate is more severe than Drop in this network's class. Set spec.violation.action to Drop or milder.",
      { violation: { action: 'Drop' } },
    ],
    [
      'an action that nobody named',
      { mode: 'Sampled' },
      "spec.violation.action: Quarantine is more severe than Drop in this network's class. Set spec.violation.action to Drop or milder.",
      { mode: 'Sampled', violation: { action: 'Drop' } },
    ],
    [
      'a denied network',
      endpoint('198.51.100.255'),
      "spec.consumerEndpoint.address: 198.51.100.255 lies in the denied network 198.51.100.0/24 in this network's class. Name an endpoint outside of that network, or ask the provider for another class.",
      endpoint('198.51.101.0'),
    ],
    [
      'a range of the cluster',
      endpoint('10.111.255.255'),
      "spec.consumerEndpoint.address: 10.111.255.255 lies in the denied network 10.96.0.0/12 in this network's class. Name an endpoint outside of that network, or ask the provider for another class.",
      endpoint('9.255.255.255'),
    ],
    [
      'a private range',
      endpoint('172.31.255.255'),
      "spec.consumerEndpoint.address: 172.31.255.255 lies in the denied network 172.16.0.0/12 in this network's class. Name an endpoint outside of that network, or ask the provider for another class.",
      endpoint('172.32.0.0'),
    ],
    [
      'the shared range',
      endpoint('100.64.0.0'),
      "spec.consumerEndpoint.address: 100.64.0.0 lies in the denied network 100.64.0.0/10 in this network's class. Name an endpoint outside of that network, or ask the provider for another class.",
      endpoint('100.128.0.0'),
    ],
    [
      'a port',
      endpoint('203.0.113.10', 53),
      "spec.consumerEndpoint.port: 53 is a denied port in this network's class. Let the consumer's WireGuard listen on another port.",
      endpoint('203.0.113.10', 54),
    ],
    [
      'more bits a second',
      { limits: { egressBitsPerSecond: 1_000_001 } },
      "spec.limits.egressBitsPerSecond: 1000001 is more than 1000000 in this network's class. Ask for at most 1000000.",
      { limits: { egressBitsPerSecond: 1_000_000 } },
    ],
    [
      'more packets a second',
      { limits: { packetsPerSecond: 101 } },
      "spec.limits.packetsPerSecond: 101 is more than 100 in this network's class. Ask for at most 100.",
      { limits: { packetsPerSecond: 100 } },
    ],
  ])('%s', async (_, refused, words, accepted) => {
    expect(await verdict(tenant, asked(refused))).toBe(`refused by vmnetwork-class-limits: ${words}`);
    expect(await verdict(tenant, asked(accepted))).toBe('accepted');
  });

  test('all of it in one answer', async () => {
    const words = await verdict(
      tenant,
      asked({ enforcement: 'Audit', limits: { packetsPerSecond: 101 }, ...endpoint('10.0.0.1', 53) }),
    );
    for (const field of [
      'spec.enforcement',
      'spec.consumerEndpoint.address',
      'spec.consumerEndpoint.port',
      'spec.limits.packetsPerSecond',
    ]) {
      expect(words).toContain(`${field}: `);
    }
  });

  test('even an administrator', async () => {
    expect(await verdict(admin, asked({ enforcement: 'Audit' }))).toMatch(
      /^refused by vmnetwork-class-limits/,
    );
  });

  test('by every way to write', async () => {
    const made = network('by-every-way', { className: 'tight' });
    const changed = network('by-every-way', { className: 'tight', ...endpoint('10.0.0.1') });
    const path = `${NETWORKS}/by-every-way`;
    const refused = /^refused by vmnetwork-class-limits: spec\.consumerEndpoint\.address: 10\.0\.0\.1 /;
    expect(await verdict(tenant, apply(path, changed))).toMatch(refused);
    expect(await verdict(tenant, apply(path, made))).toBe('accepted');
    expect(await verdict(tenant, apply(path, changed))).toMatch(refused);
    expect(await verdict(tenant, merge(path, { spec: endpoint('10.0.0.1') }))).toMatch(refused);
    const { body } = await send(tenant, get(path));
    const stored = body as { spec: object };
    expect(
      await verdict(tenant, replace(path, { ...stored, spec: { ...stored.spec, ...endpoint('10.0.0.1') } })),
    ).toMatch(refused);
    expect(await verdict(tenant, replace(path, stored))).toBe('accepted');
  });

  test('a class that asks for the most that it can hold is judged in full', async () => {
    const networks = Array.from({ length: 256 }, (_, index) => `198.18.${String(index)}.0/24`);
    const clusterRanges = Array.from(
      { length: 4096 },
      (_, index) => `10.${String(index >> 8)}.${String(index & 255)}.0/24`,
    );
    const deniedPorts = Array.from({ length: 1024 }, (_, index) => index + 1);
    const deniedDestinations = { networks, privateRanges: true, sharedRange: true };
    const spec = { deniedDestinations, deniedPorts };
    expect(await verdict(admin, merge(`${CLASSES}/default`, { spec }))).toBe('accepted');
    await replaced(`${CLASSES}/default/status`, { status: { clusterRanges } });
    const ask = (address: string, port = 51900): ApiRequest =>
      dry(create(NETWORKS, network('rental', endpoint(address, port))));
    await poll('the large class to be known', async () =>
      (await verdict(tenant, ask('10.15.255.255'))).includes('10.15.255.0/24'),
    );
    expect(await verdict(tenant, ask('100.64.0.1', 1024))).toContain('1024 is a denied port');
    expect(await verdict(tenant, ask('203.0.113.10'))).toBe('accepted');
  });
});

describe('which class', () => {
  test('a class that does not exist lets the network in; the controller refuses it', async () => {
    const body = network('rental', { className: 'nowhere', enforcement: 'Audit' });
    expect(await verdict(admin, dry(create(NETWORKS, body)))).toBe('accepted');
  });

  test('another class has no say', async () => {
    const body = network('rental', { className: 'loose', enforcement: 'Audit', ...endpoint('10.0.0.1', 53) });
    await guarded.cluster.apply([networkClass('loose', { allowAudit: true })]);
    expect(await verdict(admin, dry(create(NETWORKS, body)))).toBe('accepted');
  });

  test('whoever may not use a class hears nothing of what it forbids', async () => {
    await guarded.cluster.apply([networkClass('hidden', { allowedModes: ['Sampled'] })]);
    const ask = dry(create(NETWORKS, network('rental', { className: 'hidden' })));
    await poll('the class to be known', async () => (await verdict(admin, ask)) !== 'accepted');
    expect(await verdict(admin, ask)).toContain('refused by vmnetwork-class-limits: spec.mode');
    expect(await verdict(tenant, ask)).toContain('refused by vmnetwork-class-use: spec.className');
  });

  test('a class takes the right to use it, also for who changes what is there', async () => {
    await admin.must('POST', NETWORKS, network('of-loose', { className: 'loose' }));
    const words =
      'refused by vmnetwork-class-use: spec.className: you may not use the class loose. ' +
      'Name a class that you may use, or ask the provider for the verb "use" on it.';
    for (const request of [
      create(NETWORKS, network('rental', { className: 'loose' })),
      merge(`${NETWORKS}/of-loose`, { spec: endpoint('203.0.113.11') }),
    ]) {
      expect(await verdict(tenant, dry(request))).toBe(words);
      // A role of the namespace reaches no class: classes are the cluster's.
      expect(await verdict(owner, dry(request))).toBe(words);
      expect(await verdict(admin, dry(request))).toBe('accepted');
    }
    expect(await verdict(tenant, asked({}))).toBe('accepted');
    expect(await verdict(tenant, dry(merge(`${NETWORKS}/of-loose`, { spec: { className: 'tight' } })))).toBe(
      'accepted',
    );
  });
});

describe('what a class that became stricter leaves alone', () => {
  const path = `${NETWORKS}/older`;

  beforeAll(async () => {
    await guarded.cluster.apply([networkClass('tightening', { allowAudit: true })]);
    await admin.must('POST', NETWORKS, network('older', { className: 'tightening', enforcement: 'Audit' }));
    await guarded.cluster.apply([networkClass('tightening', { allowAudit: false })]);
    await untilClassIsKnown(
      dry(create(NETWORKS, network('rental', { className: 'tightening', enforcement: 'Audit' }))),
    );
  });

  test.each<[string, () => ApiCaller, () => ApiRequest | Promise<ApiRequest>]>([
    ['labels', () => admin, () => merge(path, { metadata: { labels: { a: 'b' } } })],
    [
      'the finalizer',
      () => controller,
      () => rewrite(admin, path, { metadata: { finalizers: ['vmnetwork.io/closed'] } }),
    ],
    [
      'status',
      () => controller,
      () => rewrite(admin, `${path}/status`, { status: { observedGeneration: 1 } }),
    ],
    ['the kill switch', () => admin, () => merge(path, { spec: { desiredState: 'Quarantined' } })],
    ['deletion', () => admin, () => remove(path)],
  ])('%s', async (_, caller, request) => {
    expect(await verdict(caller(), dry(await request()))).toBe('accepted');
  });

  test('but nothing else of spec, and not under cover of the kill switch', async () => {
    const refused = /^refused by vmnetwork-class-limits: spec\.enforcement: Audit/;
    for (const spec of [
      { endpointGraceSeconds: 5 },
      { desiredState: 'Quarantined', endpointGraceSeconds: 5 },
      { desiredState: 'Quarantined', limits: { packetsPerSecond: 5 } },
    ]) {
      expect(await verdict(admin, dry(merge(path, { spec })))).toMatch(refused);
    }
    expect(await verdict(admin, dry(merge(path, { spec: { enforcement: 'Enforce' } })))).toBe('accepted');
  });

  test('nor does the kill switch cover for a field that goes', async () => {
    const sampled = { mode: 'Sampled', sampling: { ratePerMillion: 5 }, violation: { action: 'Quarantine' } };
    await admin.must('POST', NETWORKS, network('sampled', sampled));
    await guarded.cluster.apply([networkClass('default', { maximumViolationAction: 'Drop' })]);
    await untilClassIsKnown(dry(create(NETWORKS, network('rental', sampled))));
    const ask = (spec: Spec) => verdict(admin, dry(merge(`${NETWORKS}/sampled`, { spec })));
    expect(await ask({ desiredState: 'Quarantined' })).toBe('accepted');
    expect(await ask({ desiredState: 'Quarantined', sampling: null })).toMatch(
      /^refused by vmnetwork-class-limits/,
    );
  });

  test('and the kill switch does not open again by itself', async () => {
    await admin.must('POST', NETWORKS, network('shut', { className: 'tight', desiredState: 'Quarantined' }));
    const shut = `${NETWORKS}/shut`;
    expect(
      await verdict(admin, dry(merge(shut, { spec: { desiredState: 'Active', ...endpoint('10.0.0.1') } }))),
    ).toMatch(/^refused by vmnetwork-class-limits/);
    expect(await verdict(admin, dry(merge(shut, { spec: { desiredState: 'Active' } })))).toBe('accepted');
  });
});

describe('a pre-shared key', () => {
  const withKey = (name: string): object =>
    network(name, { className: 'tight', wireGuard: { presharedKeySecretRef: PSK } });

  test('is named by who may read the Secret, and by nobody else', async () => {
    expect(await verdict(tenant, dry(create(NETWORKS, withKey('rental'))))).toBe(
      'refused by vmnetwork-secret-access: spec.wireGuard.presharedKeySecretRef.name: you may not read the Secret psk, ' +
        'so you may not have it given to a VM. Name a Secret that you may read, or ask for the right to get this one.',
    );
    expect(await verdict(owner, dry(create(NETWORKS, withKey('rental'))))).toBe('accepted');
  });

  test('is not led to another VM by who may not read it', async () => {
    await owner.must('POST', NETWORKS, withKey('keyed'));
    const path = `${NETWORKS}/keyed`;
    const moved = dry(merge(path, { spec: { selector: { names: ['mine'] } } }));
    expect(await verdict(tenant, moved)).toMatch(/^refused by vmnetwork-secret-access/);
    expect(await verdict(owner, moved)).toBe('accepted');
    const dropped = merge(path, {
      spec: { selector: { names: ['mine'] }, wireGuard: { presharedKeySecretRef: null } },
    });
    expect(await verdict(tenant, dry(dropped))).toBe('accepted');
    expect(await verdict(tenant, dry(merge(path, { spec: { desiredState: 'Quarantined' } })))).toBe(
      'accepted',
    );
    expect(await verdict(tenant, dry(remove(path)))).toBe('accepted');
  });
});

describe('what only the controller and the agents write', () => {
  const ofController =
    'VMNetworkAttachments are written by the controller only. Say what you want in a VMNetwork.';
  const bound = `${ATTACHMENTS}/bound`;

  beforeAll(async () => {
    await controller.must('POST', ATTACHMENTS, attachment('bound', 'node-a'));
    await owner.must('POST', NETWORKS, network('ordinary'));
  });

  test.each<[string, () => ApiRequest, string]>([
    ['an attachment of its own', () => create(ATTACHMENTS, attachment('hand-made', 'node-a')), ofController],
    [
      'the policy of an attachment',
      () => merge(bound, { spec: { policy: { mode: 'Direct' }, policyGeneration: 2 } }),
      ofController,
    ],
    ['the finalizer of an attachment', () => merge(bound, { metadata: { finalizers: null } }), ofController],
    [
      'the owner of an attachment',
      () => merge(bound, { metadata: { ownerReferences: null, labels: { a: 'b' } } }),
      ofController,
    ],
    [
      'the status of an attachment',
      () => merge(`${bound}/status`, { status: { observedGeneration: 1 } }),
      'the status of a VMNetworkAttachment is written by the agent of its node only.',
    ],
    [
      'the status of a VMNetwork',
      () => merge(`${NETWORKS}/ordinary/status`, { status: { observedGeneration: 1 } }),
      'the status of a VMNetwork is written by the controller only.',
    ],
  ])('an owner of the namespace does not write %s; an administrator may', async (_, request, words) => {
    expect(await verdict(owner, dry(request()))).toBe(`refused by vmnetwork-writers: ${words}`);
    expect(await verdict(admin, dry(request()))).toBe('accepted');
  });

  test('an attachment is deleted by nobody but the controller, garbage collection and an administrator', async () => {
    expect(await verdict(owner, dry(remove(bound)))).toBe(
      'refused by vmnetwork-writers: VMNetworkAttachments are deleted by the controller only. To close the VM set ' +
        'desiredState: Quarantined in its VMNetwork, to give it up delete the VMNetwork.',
    );
    expect(await verdict(owner, dry(remove(ATTACHMENTS)))).toMatch(/^refused by vmnetwork-writers/);
    for (const caller of [controller, admin])
      expect(await verdict(caller, dry(remove(bound)))).toBe('accepted');
  });

  test('the finalizer of a network that is being deleted goes by the controller', async () => {
    const path = `${NETWORKS}/going`;
    await owner.must('POST', NETWORKS, network('going', { className: 'tight' }));
    const free = merge(path, { metadata: { finalizers: null } });
    await replaced(path, { metadata: { finalizers: ['vmnetwork.io/closed'] } });
    // Before that a tool that writes what it read elsewhere is no harm: the controller puts it back.
    expect(await verdict(owner, dry(free))).toBe('accepted');
    await send(owner, remove(path));
    expect(await verdict(owner, free)).toMatch(
      /^refused by vmnetwork-writers: metadata\.finalizers: vmnetwork\.io\/closed goes when the hosts have said/,
    );
    expect(await verdict(owner, merge(path, { metadata: { labels: { a: 'b' } } }))).toBe('accepted');
    await replaced(path, { metadata: { finalizers: null } });
    expect((await send(admin, get(path))).status).toBe(404);
  });

  test('the controller writes finalizers and status of a network, not its spec', async () => {
    const path = `${NETWORKS}/ordinary`;
    const writes = async (where: string, change: Spec): Promise<string> =>
      verdict(controller, dry(await rewrite(admin, where, change)));
    expect(await writes(path, { spec: endpoint('203.0.113.66') })).toBe(
      'refused by vmnetwork-writers: the controller writes finalizers and status of a VMNetwork, never its spec.',
    );
    expect(await writes(path, { metadata: { finalizers: ['vmnetwork.io/closed'] } })).toBe('accepted');
    expect(await writes(`${path}/status`, { status: { observedGeneration: 1 } })).toBe('accepted');
    expect(await writes(bound, { spec: { policyGeneration: 2 } })).toBe('accepted');
  });

  test('garbage collection edits owners of attachments, and neither spec nor our finalizer', async () => {
    await guarded.cluster.apply([
      clusterBinding('gc', 'cluster-gc', [], {
        kind: 'ServiceAccount',
        name: 'generic-garbage-collector',
        namespace: 'kube-system',
      }),
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'cluster-gc' },
        rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['get', 'patch', 'update', 'delete'] }],
      },
    ]);
    const collector = await guarded.callers.serviceAccount('generic-garbage-collector', {
      namespace: 'kube-system',
    });
    expect(
      await verdict(
        collector,
        dry(merge(bound, { metadata: { ownerReferences: null, labels: { a: 'b' } } })),
      ),
    ).toBe('accepted');
    expect(await verdict(collector, dry(remove(bound)))).toBe('accepted');
    for (const change of [{ metadata: { finalizers: null } }, { spec: { policyGeneration: 2 } }]) {
      expect(await verdict(collector, dry(merge(bound, change)))).toMatch(/^refused by vmnetwork-writers/);
    }
  });
});

describe('what stands beside the spec of a network is bounded', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => index);
  const notes = (bytes: number) => ({ annotations: { note: 'x'.repeat(bytes - 'note'.length) } });
  const finalizers = (count: number) => ({ finalizers: many(count).map((one) => `tenant.example/f${one}`) });
  const labels = (count: number) => ({
    labels: Object.fromEntries(many(count).map((one) => [`l${one}`, 'x'])),
  });
  const owners = (count: number, uid = 'u') => ({
    ownerReferences: many(count).map((one) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: `o${one}`,
      uid,
    })),
  });

  test.each<[string, Spec, Spec]>([
    ['annotations', notes(65_536), notes(65_537)],
    ['finalizers', finalizers(16), finalizers(17)],
    ['labels', labels(64), labels(65)],
    ['ownerReferences', owners(16), owners(17)],
    ['ownerReferences', owners(1, 'u'.repeat(128)), owners(1, 'u'.repeat(129))],
  ])('%s: at the bound and beyond', async (field, within, beyond) => {
    const of = (metadata: Spec) => {
      const object = network('wide') as { metadata: Spec };
      return create(NETWORKS, { ...object, metadata: { ...object.metadata, ...metadata } });
    };
    expect(await verdict(tenant, dry(of(within)))).toBe('accepted');
    const refused = await verdict(tenant, dry(of(beyond)));
    expect(refused).toContain(`refused by vmnetwork-metadata: metadata.${field}: must be at most`);
    await owner.must('POST', NETWORKS, network('ordinary-too'));
    const grown = await verdict(tenant, dry(merge(`${NETWORKS}/ordinary-too`, { metadata: beyond })));
    expect(grown).toContain('refused by vmnetwork-metadata');
    await send(admin, remove(`${NETWORKS}/ordinary-too`));
  });

  test('the finalizer of the controller comes on top of as many as a tenant may set', async () => {
    const path = `${NETWORKS}/full`;
    const object = network('full') as { metadata: Spec };
    await owner.must('POST', NETWORKS, { ...object, metadata: { ...object.metadata, ...finalizers(16) } });
    await replaced(path, {
      metadata: { finalizers: [...finalizers(16).finalizers, 'vmnetwork.io/closed'] },
    });
    expect(await verdict(tenant, dry(merge(path, { spec: { desiredState: 'Quarantined' } })))).toBe(
      'accepted',
    );
    await replaced(path, { metadata: { finalizers: null } });
    await send(admin, remove(path));
  });

  test('what is larger already is stopped, shrunk and deleted all the same', async () => {
    const path = `${NETWORKS}/grown`;
    const policy = 'vmnetwork-metadata';
    const binding = `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/${policy}`;
    const { body } = await send(admin, get(binding));
    await send(admin, remove(binding));
    const fat = { ...notes(100_000), ...finalizers(20), ...labels(70), ...owners(20) };
    const object = network('grown') as { metadata: Spec };
    const asked = (name: string) =>
      create(NETWORKS, { ...object, metadata: { ...object.metadata, ...fat, name } });
    await poll(
      'the policy to let go',
      async () => (await verdict(owner, dry(asked('grown')))) === 'accepted',
    );
    await send(owner, asked('grown'));
    const { metadata: _old, ...kept } = body as { metadata: unknown } & Record<string, unknown>;
    await admin.must('POST', binding.slice(0, binding.lastIndexOf('/')), {
      ...kept,
      metadata: { name: policy },
    });
    await poll('the policy to hold again', async () =>
      (await verdict(owner, dry(asked('grown-too')))).startsWith('refused by vmnetwork-metadata'),
    );
    expect(await verdict(tenant, merge(path, { spec: { desiredState: 'Quarantined' } }))).toBe('accepted');
    expect(await verdict(tenant, dry(merge(path, { metadata: { ...finalizers(19) } })))).toBe('accepted');
    expect(await verdict(tenant, dry(merge(path, { metadata: notes(100_001) })))).toMatch(/^refused/);
    expect(await verdict(tenant, merge(path, { metadata: { finalizers: null } }))).toBe('accepted');
    expect(await verdict(tenant, remove(path))).toBe('accepted');
  });
});

/** The controller writes as it does: whole objects. */
async function replaced(path: string, change: Spec): Promise<void> {
  const { body } = await rewrite(admin, path, change);
  await controller.must('PUT', path, body);
}

/** `request` breaks a rule of the class: once it is refused, the API server has heard of the class as it is now. */
function untilClassIsKnown(request: ApiRequest): Promise<boolean> {
  return poll('the class to be known', async () =>
    (await verdict(admin, request)).startsWith('refused by vmnetwork-class-limits'),
  );
}

function tightClass(): object {
  return networkClass('tight', {
    allowedModes: ['Filtered', 'Sampled'],
    deniedDestinations: { networks: ['198.51.100.0/24'], privateRanges: true, sharedRange: true },
    deniedPorts: [53],
    limits: { maximum: { egressBitsPerSecond: 1_000_000, packetsPerSecond: 100 } },
    maximumViolationAction: 'Drop',
  });
}

function role(name: string, rules: readonly object[]): object {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules };
}

function clusterBinding(
  name: string,
  clusterRole: string,
  users: readonly string[],
  ...subjects: object[]
): object {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: clusterRole },
    subjects: [
      ...users.map((user) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user })),
      ...subjects,
    ],
  };
}
