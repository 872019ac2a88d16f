/** Who may do what by the chart's roles alone, asked of the API server's own authorizer, one table for each identity. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { requires } from '../support/skip.ts';
import { NODES_GROUP } from '../support/chart/callers.ts';
import { startGuardedCluster, type GuardedCluster } from '../support/chart/guarded-cluster.ts';
import { SYSTEM_NAMESPACE } from '../support/chart/helm.ts';

const TENANT = 'tenant-a';
const ANYWHERE = '';

const needs = needsControlPlane('helm');
const { describe: describeCluster } = requires(needs);

let guarded: GuardedCluster;

interface Subject {
  user: string;
  groups?: readonly string[];
}

const serviceAccount = (name: string): Subject => ({
  user: `system:serviceaccount:${SYSTEM_NAMESPACE}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${SYSTEM_NAMESPACE}`, 'system:authenticated'],
});
const CONTROLLER = serviceAccount('vmnetwork-controller');
const LINUX_AGENT = serviceAccount('vmnetwork-agent');
const MAC_AGENT = { user: 'system:vmnetwork:node:node-a', groups: [NODES_GROUP, 'system:authenticated'] };

/** Verbs, resource as `GROUP/RESOURCE[/SUBRESOURCE]`, namespace or ANYWHERE, and the name of the one object if it is about one. */
type Row = readonly [verbs: string, resource: string, namespace?: string, name?: string];

const ALL_VERBS = 'get list watch create update patch delete deletecollection';

async function mayDo(
  subject: Subject,
  verb: string,
  [, resource, namespace = ANYWHERE, name = '']: Row,
): Promise<boolean> {
  const [group = '', plural = '', subresource = ''] = resource.split('/');
  const review = await guarded.cluster.api.must<{ status: { allowed: boolean } }>(
    'POST',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        ...subject,
        resourceAttributes: { verb, group, resource: plural, subresource, namespace, name },
      },
    },
  );
  return review.status.allowed;
}

/** Exactly the verbs of the row are allowed, of all that there are. */
async function expectExactly(subject: Subject, row: Row): Promise<void> {
  const asked = new Set([...ALL_VERBS.split(' '), ...row[0].split(' ').filter((verb) => verb !== '')]);
  const allowed: string[] = [];
  for (const verb of asked) if (await mayDo(subject, verb, row)) allowed.push(verb);
  expect(allowed.join(' ')).toBe(row[0]);
}

const title = ([verbs, resource, namespace = ANYWHERE, name]: Row): string =>
  `${verbs || 'nothing'}: ${resource}${name === undefined ? '' : ` ${name}`}${namespace === ANYWHERE ? '' : ` in ${namespace}`}`;
const titled = (rows: readonly Row[]): [string, Row][] => rows.map((row) => [title(row), row]);

beforeAll(async () => {
  if (!needs.met) return;
  guarded = await startGuardedCluster();
});

afterAll(() => guarded?.stop());

describeCluster('the controller', () => {
  test.each(
    titled([
      ['get list watch update', 'vmnetwork.io/vmnetworks'],
      ['update', 'vmnetwork.io/vmnetworks/status'],
      ['', 'vmnetwork.io/vmnetworks/finalizers'],
      ['get list watch create update delete', 'vmnetwork.io/vmnetworkattachments'],
      ['', 'vmnetwork.io/vmnetworkattachments/status'],
      ['get list watch', 'vmnetwork.io/vmnetworkclasses'],
      ['update', 'vmnetwork.io/vmnetworkclasses/status'],
      ['get list watch', 'vmnetwork.io/vmnetworknodes'],
      ['', 'vmnetwork.io/vmnetworknodes/status'],
      ['get list watch', '/nodes'],
      ['', '/nodes/status'],
      ['get list watch', 'networking.k8s.io/servicecidrs'],
      ['get', '/secrets'],
      ['get', '/secrets', TENANT, 'psk'],
      ['create patch', 'events.k8s.io/events'],
      ['', '/events'],
      ['', 'coordination.k8s.io/leases'],
      ['', 'coordination.k8s.io/leases', 'kube-system'],
      ['get list watch create', 'coordination.k8s.io/leases', SYSTEM_NAMESPACE, 'node.node-a'],
      [
        'get list watch create update',
        'coordination.k8s.io/leases',
        SYSTEM_NAMESPACE,
        'vmnetwork-controller',
      ],
      ['', '/pods'],
      ['', '/serviceaccounts/token', SYSTEM_NAMESPACE],
      ['', 'apiextensions.k8s.io/customresourcedefinitions'],
      ['get', 'apiextensions.k8s.io/customresourcedefinitions', ANYWHERE, 'vmnetworknodes.vmnetwork.io'],
      ['', 'admissionregistration.k8s.io/validatingadmissionpolicies'],
      ['', 'rbac.authorization.k8s.io/clusterroles'],
    ]),
  )('%s', (_, row) => expectExactly(CONTROLLER, row));
});

describeCluster('agents', () => {
  describe.each([
    ['on Linux', LINUX_AGENT],
    ['on macOS', MAC_AGENT],
  ])('%s', (_where, agent) => {
    test.each(
      titled([
        ['get list watch', 'vmnetwork.io/vmnetworkattachments'],
        ['get update', 'vmnetwork.io/vmnetworkattachments/status'],
        ['get create update', 'vmnetwork.io/vmnetworknodes'],
        ['get update', 'vmnetwork.io/vmnetworknodes/status'],
        ['get list watch', 'vmnetwork.io/vmnetworkclasses'],
        ['', 'vmnetwork.io/vmnetworkclasses/status'],
        ['', 'vmnetwork.io/vmnetworks'],
        ['', 'vmnetwork.io/vmnetworks/status'],
        ['create patch', 'events.k8s.io/events'],
        ['', '/secrets'],
        ['', '/secrets', TENANT, 'psk'],
        ['', '/secrets', SYSTEM_NAMESPACE],
        ['', '/nodes'],
        ['', '/pods'],
        ['get create update', 'coordination.k8s.io/leases', SYSTEM_NAMESPACE],
        ['', 'coordination.k8s.io/leases', 'kube-node-lease'],
        ['', '/serviceaccounts/token', SYSTEM_NAMESPACE],
      ]),
    )('%s', (_, row) => expectExactly(agent, row));
  });
});

describeCluster('tenants, who hold a role in their namespace', () => {
  beforeAll(async () => {
    for (const [user, clusterRole] of [
      ['edith', 'vmnetwork-tenant-edit'],
      ['victor', 'vmnetwork-tenant-view'],
    ] as const) {
      await guarded.cluster.ensureNamespace(TENANT);
      await guarded.callers.tenant(user, TENANT, clusterRole);
    }
  });

  test.each(
    titled([
      [ALL_VERBS, 'vmnetwork.io/vmnetworks', TENANT],
      ['', 'vmnetwork.io/vmnetworks', 'tenant-b'],
      ['', 'vmnetwork.io/vmnetworks'],
      ['', 'vmnetwork.io/vmnetworks/status', TENANT],
      ['', 'vmnetwork.io/vmnetworks/finalizers', TENANT],
      ['get list watch', 'vmnetwork.io/vmnetworkattachments', TENANT],
      ['', 'vmnetwork.io/vmnetworkattachments/status', TENANT],
      ['', 'vmnetwork.io/vmnetworkclasses'],
      ['', 'vmnetwork.io/vmnetworknodes'],
      ['', '/secrets', TENANT],
    ]),
  )('edit: %s', (_, row) => expectExactly({ user: 'edith' }, row));

  test.each(
    titled([
      ['get list watch', 'vmnetwork.io/vmnetworks', TENANT],
      ['get list watch', 'vmnetwork.io/vmnetworkattachments', TENANT],
      ['', 'vmnetwork.io/vmnetworks/status', TENANT],
      ['', 'vmnetwork.io/vmnetworks', 'tenant-b'],
    ]),
  )('view: %s', (_, row) => expectExactly({ user: 'victor' }, row));

  test('the roles become part of edit, admin and view by their labels', async () => {
    const labelsOf = async (name: string): Promise<string[]> => {
      const path = `/apis/rbac.authorization.k8s.io/v1/clusterroles/${name}`;
      const { metadata } = await guarded.cluster.api.must<{ metadata: { labels: Record<string, string> } }>(
        'GET',
        path,
      );
      return Object.keys(metadata.labels).filter((label) => label.startsWith('rbac.authorization.k8s.io/'));
    };
    expect((await labelsOf('vmnetwork-tenant-edit')).sort()).toEqual([
      'rbac.authorization.k8s.io/aggregate-to-admin',
      'rbac.authorization.k8s.io/aggregate-to-edit',
    ]);
    expect(await labelsOf('vmnetwork-tenant-view')).toEqual(['rbac.authorization.k8s.io/aggregate-to-view']);
    // These would reach every tenant, so no other role of ours may carry such a label.
    expect(await labelsOf('vmnetwork-controller')).toEqual([]);
    expect(await labelsOf('vmnetwork-agent')).toEqual([]);
    expect(await labelsOf('vmnetwork-class-view')).toEqual([]);
  });
});

describeCluster('somebody who is logged in and nothing more', () => {
  test.each(
    titled([
      ['', 'vmnetwork.io/vmnetworks', TENANT],
      ['', 'vmnetwork.io/vmnetworkclasses'],
      ['', 'vmnetwork.io/vmnetworknodes'],
    ]),
  )('%s', (_, row) => expectExactly({ user: 'nobody', groups: ['system:authenticated'] }, row));
});
