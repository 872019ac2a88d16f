/**
 * What an agent may write, tried by both kinds of agents with their real credentials. Every refusal stands beside the
 * nearest thing that is accepted. The second half gives the agents all rights of RBAC: what is refused then is refused by
 * policy alone. Long because each file of this tier costs an API server, and most of it is tables.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiCaller } from '../support/control-plane/api-caller.ts';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { requires } from '../support/skip.ts';
import { NODES_GROUP } from '../support/chart/callers.ts';
import { startGuardedCluster, type GuardedCluster } from '../support/chart/guarded-cluster.ts';
import { SYSTEM_NAMESPACE } from '../support/chart/helm.ts';
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
import { attachment, lease, network, networkClass, vmNode } from '../support/chart/specimens.ts';

const TENANT = 'tenant-a';
const ATTACHMENTS = `${API}/namespaces/${TENANT}/vmnetworkattachments`;
const NODES = `${API}/vmnetworknodes`;
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${SYSTEM_NAMESPACE}/leases`;
const EVENTS = `/apis/events.k8s.io/v1/namespaces/${TENANT}/events`;

const needs = needsControlPlane('helm');
const { describe: describeCluster } = requires(needs);

let guarded: GuardedCluster;
const agents = new Map<string, ApiCaller>();

/** What the tests find there, for either node. */
const onNode = (node: string) => ({ attachment: `${ATTACHMENTS}/vm-on-${node}`, node: `${NODES}/${node}` });
/** Agents replace and do not patch, but their Events. */
const put = async (request: ApiRequest): Promise<ApiRequest> =>
  request.method === 'PATCH' ? rewrite(guarded.cluster.api, request.path, request.body as object) : request;
const observed = async (caller: ApiCaller, path: string, observedGeneration: number): Promise<string> =>
  verdict(caller, await put(merge(`${path}/status`, { status: { observedGeneration } })));

function eventOf(node: string, changes: object = {}): object {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { generateName: 'e-' },
    eventTime: '2026-01-31T12:00:00.000000Z',
    action: 'Verify',
    reason: 'EnforcementVerified',
    type: 'Normal',
    reportingController: 'vmnetwork.io/agent',
    reportingInstance: node,
    regarding: {
      apiVersion: 'vmnetwork.io/v1alpha1',
      kind: 'VMNetwork',
      namespace: TENANT,
      name: 'rental',
    },
    ...changes,
  };
}

beforeAll(async () => {
  if (!needs.met) return;
  guarded = await startGuardedCluster();
  const { cluster, callers } = guarded;
  await cluster.ensureNamespace(TENANT);
  agents.set('linux', await callers.linuxAgent('node-a'));
  agents.set('mac', await callers.macAgent('node-a'));
  agents.set('no node', await callers.serviceAccount('vmnetwork-agent'));
  agents.set('no group', await callers.certified({ user: 'system:vmnetwork:node:node-a' }));
  agents.set('no name', await callers.certified({ user: 'system:vmnetwork:node:', groups: [NODES_GROUP] }));
  agents.set('other name', await callers.certified({ user: 'node-a', groups: [NODES_GROUP] }));
  const controller = await callers.controller();
  for (const node of ['node-a', 'node-b']) {
    await controller.must('POST', ATTACHMENTS, attachment(`vm-on-${node}`, node));
    await cluster.apply([vmNode(node)]);
  }
});

afterAll(() => guarded?.stop());

describeCluster('an agent, by its own rights', () => {
  describe.each(['linux', 'mac'])('%s', (kind) => {
    test('[K8-3] writes the status of its own attachment, and is refused that of another node', async () => {
      const agent = agents.get(kind)!;
      const [own, other] = [onNode('node-a').attachment, onNode('node-b').attachment];
      expect(await observed(agent, own, 1)).toBe('accepted');
      expect(await observed(agent, other, 1)).toBe(
        'refused by vmnetwork-node-objects: the agent of node node-a may not write what belongs to node node-b. ' +
          'Give the agent of each host a credential of its own.',
      );
      const { body } = await send(guarded.cluster.api, get(other));
      expect(body).not.toHaveProperty('status');
    });

    test.each<[string, (path: string) => ApiRequest]>([
      ['a merge patch', (path) => merge(path, { status: { observedGeneration: 2 } })],
      ['an apply', (path) => apply(path, { status: { observedGeneration: 2 } })],
    ])('patches no status, its own neither: %s', async (_, request) => {
      const path = `${onNode('node-a').attachment}/status`;
      expect(await verdict(agents.get(kind)!, dry(request(path)))).toMatch(/^403 .* is forbidden: User/);
    });

    test('cannot make the attachment of another node its own on the way', async () => {
      const agent = agents.get(kind)!;
      const path = onNode('node-b').attachment;
      const { body } = await send(agent, get(path));
      const stolen = structuredClone(body) as { spec: { nodeName: string }; status: object };
      stolen.spec.nodeName = 'node-a';
      stolen.status = { observedGeneration: 9 };
      expect(await verdict(agent, replace(`${path}/status`, stolen))).toMatch(
        /may not write what belongs to node node-b/,
      );
    });

    test('changes nothing but status through the status endpoint', async () => {
      const agent = agents.get(kind)!;
      const path = onNode('node-a').attachment;
      type Stored = { metadata: Record<string, unknown>; spec: Record<string, unknown>; status?: unknown };
      const before = (await send(agent, get(path))).body as Stored;
      const changed = structuredClone(before);
      Object.assign(changed.metadata, {
        labels: { a: 'b' },
        annotations: { a: 'b' },
        finalizers: [],
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'node-a', uid: 'x' }],
      });
      changed.spec['nodeName'] = 'node-b';
      changed.spec['policy'] = { ...(changed.spec['policy'] as object), mode: 'Direct' };
      changed.status = { observedGeneration: 7 };
      expect(await verdict(agent, replace(`${path}/status`, changed))).toBe('accepted');
      const after = (await send(agent, get(path))).body as Stored;
      for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences', 'generation']) {
        expect(after.metadata[field]).toEqual(before.metadata[field]);
      }
      expect(after.spec).toEqual(before.spec);
      expect(after.status).toEqual({ observedGeneration: 7 });
    });

    test.each<[string, () => ApiRequest, () => ApiRequest]>([
      [
        'makes its own VMNetworkNode, not one of another name',
        () => create(NODES, vmNode('node-z')),
        () => merge(onNode('node-a').node, {}),
      ],
      [
        'labels its own VMNetworkNode, not another',
        () => merge(onNode('node-b').node, { metadata: { labels: { a: 'b' } } }),
        () => merge(onNode('node-a').node, { metadata: { labels: { a: 'b' } } }),
      ],
      [
        'writes the status of its own VMNetworkNode, not of another',
        () => merge(`${onNode('node-b').node}/status`, { status: { versions: { agent: '0.1.0' } } }),
        () => merge(`${onNode('node-a').node}/status`, { status: { versions: { agent: '0.1.0' } } }),
      ],
      [
        'puts no finalizer on its VMNetworkNode',
        () => merge(onNode('node-a').node, { metadata: { finalizers: ['example.com/stay'] } }),
        () => merge(onNode('node-a').node, { metadata: { finalizers: [] } }),
      ],
      [
        'gives its VMNetworkNode no owner but its Node',
        () => merge(onNode('node-a').node, owned({ apiVersion: 'v1', kind: 'Node', name: 'node-b' })),
        () => merge(onNode('node-a').node, owned({ apiVersion: 'v1', kind: 'Node', name: 'node-a' })),
      ],
      [
        'does not hold up the deletion of that Node',
        () =>
          merge(
            onNode('node-a').node,
            owned({ apiVersion: 'v1', kind: 'Node', name: 'node-a', blockOwnerDeletion: true }),
          ),
        () =>
          merge(
            onNode('node-a').node,
            owned({ apiVersion: 'v1', kind: 'Node', name: 'node-a', blockOwnerDeletion: false }),
          ),
      ],
      [
        'makes its own Lease, not that of another node',
        () => create(LEASES, lease('node.node-b')),
        () => create(LEASES, lease('node.node-a')),
      ],
      [
        "makes its own Lease, not the controller's, by which it would lead",
        () => create(LEASES, lease('vmnetwork-controller')),
        () => create(LEASES, lease('node.node-a')),
      ],
      [
        'nor by an update that creates',
        () => replace(`${LEASES}/vmnetwork-controller`, lease('vmnetwork-controller')),
        () => replace(`${LEASES}/node.node-a`, lease('node.node-a')),
      ],
      [
        'puts no finalizer on its Lease',
        () => create(LEASES, lease('node.node-a', { finalizers: ['example.com/stay'] })),
        () => create(LEASES, lease('node.node-a', { labels: { a: 'b' } })),
      ],
      [
        'speaks in its own name, not in that of another node',
        () => create(EVENTS, eventOf('node-b')),
        () => create(EVENTS, eventOf('node-a')),
      ],
      [
        'speaks in its own name, not in that of the controller',
        () => create(EVENTS, eventOf('node-a', { reportingController: 'vmnetwork.io/controller' })),
        () => create(EVENTS, eventOf('node-a', { reportingController: 'vmnetwork.io/agent' })),
      ],
      [
        'speaks of our objects, not of pods',
        () => create(EVENTS, eventOf('node-a', regarding({ apiVersion: 'v1', kind: 'Pod', name: 'p' }))),
        () => create(EVENTS, eventOf('node-a', regarding({ kind: 'VMNetworkAttachment', name: 'p' }))),
      ],
      [
        'speaks of its own VMNetworkNode, not of another',
        () => create(EVENTS, eventOf('node-a', regarding({ kind: 'VMNetworkNode', name: 'node-b' }))),
        () => create(EVENTS, eventOf('node-a', regarding({ kind: 'VMNetworkNode', name: 'node-a' }))),
      ],
    ])('%s', async (_, refused, accepted) => {
      const agent = agents.get(kind)!;
      expect(await verdict(agent, dry(await put(refused())))).toMatch(/^refused by vmnetwork-node-/);
      expect(await verdict(agent, dry(await put(accepted())))).toBe('accepted');
    });

    test('adds to its own Event, not to one of another', async () => {
      const agent = agents.get(kind)!;
      const series = { series: { count: 2, lastObservedTime: '2026-01-31T12:01:00.000000Z' } };
      const add = async (node: string, more: object = {}): Promise<string> => {
        const made = await guarded.cluster.api.must<{ metadata: { name: string } }>(
          'POST',
          EVENTS,
          eventOf(node),
        );
        return verdict(agent, merge(`${EVENTS}/${made.metadata.name}`, { ...series, ...more }));
      };
      expect(await add('node-a')).toBe('accepted');
      expect(await add('node-b')).toMatch(/^refused by vmnetwork-node-events: agents speak for themselves/);
      expect(await add('node-b', { reportingInstance: 'node-a' })).not.toBe('accepted');
    });

    test.each<[string, () => ApiRequest]>([
      ['reads no Secret', () => get('/api/v1/namespaces/tenant-a/secrets/psk')],
      ['lists no Secrets', () => get('/api/v1/secrets')],
      [
        'writes no attachment',
        () => merge(onNode('node-a').attachment, { metadata: { labels: { a: 'b' } } }),
      ],
      ['deletes no attachment', () => remove(onNode('node-a').attachment)],
      ['deletes no VMNetworkNode, its own neither', () => remove(onNode('node-a').node)],
      ['deletes no Lease', () => remove(`${LEASES}/node.node-a`)],
      [
        'has no Leases elsewhere',
        () => create('/apis/coordination.k8s.io/v1/namespaces/kube-system/leases', lease('node.node-a')),
      ],
      [
        'makes no token',
        () =>
          create(`/api/v1/namespaces/${SYSTEM_NAMESPACE}/serviceaccounts/vmnetwork-controller/token`, {
            spec: {},
          }),
      ],
    ])('%s', async (_, request) => {
      expect(await verdict(agents.get(kind)!, dry(request()))).toMatch(/^403 .* is forbidden: User/);
    });

    test('reads what it enforces', async () => {
      const agent = agents.get(kind)!;
      const own = `${API}/vmnetworkattachments?fieldSelector=spec.nodeName%3Dnode-a`;
      const { items } = (await send(agent, get(own))).body as { items: { metadata: { name: string } }[] };
      expect(items.map(({ metadata }) => metadata.name)).toEqual(['vm-on-node-a']);
      expect(await verdict(agent, get(`${API}/vmnetworkclasses/default`))).toBe('accepted');
    });
  });
});

describeCluster('a credential that names no node', () => {
  const requests: [string, () => ApiRequest][] = [
    ['a status', () => merge(`${onNode('node-a').attachment}/status`, { status: { observedGeneration: 3 } })],
    ['a VMNetworkNode', () => create(NODES, vmNode('node-z'))],
    [
      'a VMNetworkNode without a name',
      () => create(NODES, { ...vmNode(''), metadata: { generateName: 'node-' } }),
    ],
    ['a Lease', () => create(LEASES, lease('node.node-a'))],
    ['an Event', () => create(EVENTS, eventOf('node-a'))],
  ];

  test.each(requests)('a token that is bound to no node writes not %s', async (_, request) => {
    expect(await verdict(agents.get('no node')!, dry(await put(request())))).toMatch(
      /^refused by vmnetwork-node-[a-z]+: the credential of this agent names no node\. Use a token/,
    );
  });

  test.each(['no name', 'other name'])('a certificate of the group with %s writes nothing', async (kind) => {
    for (const [, request] of requests) {
      expect(await verdict(agents.get(kind)!, dry(await put(request())))).toMatch(/names no node/);
    }
  });

  test('a certificate with the name and without the group has no rights at all', async () => {
    for (const [, request] of requests) {
      expect(await verdict(agents.get('no group')!, dry(await put(request())))).toMatch(
        /^403 .* is forbidden: User/,
      );
    }
  });
});

describeCluster('an agent that was given every right there is', () => {
  beforeAll(async () => {
    const wide = (kind: string, name: string, subject: object): object => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: `wide-${kind.toLowerCase()}-${name}` },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind, name, ...subject }],
    });
    const group = { apiGroup: 'rbac.authorization.k8s.io' };
    await guarded.cluster.apply([
      wide('ServiceAccount', 'vmnetwork-agent', { namespace: SYSTEM_NAMESPACE }),
      wide('Group', 'nodes', { ...group, name: NODES_GROUP }),
      wide('User', 'nameless', { ...group, name: 'system:vmnetwork:node:node-a' }),
    ]);
  });

  const refused: [string, () => ApiRequest][] = [
    [
      'the spec of its own attachment',
      () => merge(onNode('node-a').attachment, { spec: { policy: { mode: 'Direct' }, policyGeneration: 2 } }),
    ],
    [
      'the labels of its own attachment',
      () => merge(onNode('node-a').attachment, { metadata: { labels: { a: 'b' } } }),
    ],
    [
      'the finalizer of its own attachment',
      () => merge(onNode('node-a').attachment, { metadata: { finalizers: null } }),
    ],
    ['a new attachment', () => create(ATTACHMENTS, attachment('vm-new', 'node-a'))],
    ['the end of its own attachment', () => remove(onNode('node-a').attachment)],
    ['the end of all attachments', () => remove(ATTACHMENTS)],
    ['a VMNetwork', () => create(`${API}/namespaces/${TENANT}/vmnetworks`, network('mine'))],
    ['a class', () => create(`${API}/vmnetworkclasses`, networkClass('mine'))],
    ['another class', () => merge(`${API}/vmnetworkclasses/default`, { spec: { allowAudit: true } })],
    [
      'the cluster ranges of a class',
      () => merge(`${API}/vmnetworkclasses/default/status`, { status: { clusterRanges: [] } }),
    ],
    ['the end of a class', () => remove(`${API}/vmnetworkclasses/default`)],
    ['the end of its own VMNetworkNode', () => remove(onNode('node-a').node)],
    ['the end of another VMNetworkNode', () => remove(onNode('node-b').node)],
    ['the end of all VMNetworkNodes', () => remove(NODES)],
    ['the end of its own Lease', () => remove(`${LEASES}/node.node-a`)],
    ['the end of the controller’s Lease', () => remove(`${LEASES}/vmnetwork-controller`)],
    ['the end of all Leases', () => remove(LEASES)],
    ['the end of all Events', () => remove(EVENTS)],
  ];

  beforeAll(async () => {
    await guarded.cluster.api.must('POST', LEASES, lease('node.node-a'));
    await guarded.cluster.api.must('POST', LEASES, lease('vmnetwork-controller'));
    await guarded.cluster.api.must('POST', EVENTS, eventOf('node-b'));
  });

  test.each(refused)('still does not write %s, which an administrator does', async (_, request) => {
    for (const kind of ['linux', 'mac', 'no node', 'no group', 'no name', 'other name']) {
      expect([kind, await verdict(agents.get(kind)!, dry(request()))]).toEqual([
        kind,
        expect.stringMatching(/^refused by vmnetwork-/),
      ]);
    }
    expect(await verdict(guarded.cluster.api, dry(request()))).toBe('accepted');
  });

  test('and still writes what is its own', async () => {
    for (const kind of ['linux', 'mac']) {
      expect(await observed(agents.get(kind)!, onNode('node-a').attachment, 11)).toBe('accepted');
    }
  });

  test('nor can a name without the group pass for an agent', async () => {
    expect(await observed(agents.get('no group')!, onNode('node-a').attachment, 12)).toMatch(/names no node/);
  });
});

function owned(owner: object): object {
  return { metadata: { ownerReferences: [{ uid: '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11', ...owner }] } };
}

function regarding(changes: object): object {
  return { regarding: { apiVersion: 'vmnetwork.io/v1alpha1', namespace: TENANT, ...changes } };
}
