/** What people see of an object, in kubectl's own words. Ages, times and identities are masked. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { changed, type Changes } from '../support/api-cases/change.ts';
import { KINDS } from '../support/api-cases/crd-schemas.ts';
import { fullObject, type ApiObject, type Kind } from '../support/api-cases/full-objects.ts';
import { expectGolden, masked } from '../support/api-cases/golden.ts';
import { collectionOf } from '../support/api-cases/verdict.ts';
import { anyCluster, needsControlPlane, type Lease } from '../support/control-plane/index.ts';
import { requires } from '../support/skip.ts';

const { describe: describeCluster } = requires(needsControlPlane('kubectl'));

let lease: Lease;
let namespace: string;
const made: string[] = [];

/** Stored with its status. Objects without a namespace carry a label, so that others' are not shown. */
async function put(kind: Kind, name: string, changes: Changes = {}): Promise<ApiObject> {
  const { api } = lease.cluster;
  const object = changed(fullObject(kind, namespace), {
    'metadata.name': name,
    'metadata.labels': { 'test.vmnetwork.io/shown-in': namespace },
    ...changes,
  });
  const collection = collectionOf(kind, namespace);
  await api.call('DELETE', `${collection}/${name}`);
  const { metadata } = await api.must<ApiObject>('POST', collection, object);
  made.push(`${collection}/${name}`);
  return api.must('PUT', `${collection}/${name}/status`, { ...object, metadata });
}

const kubectl = (...args: string[]): Promise<string> => lease.cluster.mustKubectl(['-n', namespace, ...args]);
const shown = (...args: string[]): Promise<string> =>
  kubectl('get', ...args, '-l', `test.vmnetwork.io/shown-in=${namespace}`);

const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
const condition = (type: string, status: string, reason: string, message: string, seconds = 10): object => ({
  type,
  status,
  reason,
  message,
  observedGeneration: 1,
  lastTransitionTime: ago(seconds),
});

const ENFORCED = [
  condition('Accepted', 'True', 'Accepted', 'the spec is valid'),
  condition('Bound', 'True', 'Bound', '1 VM network card matches'),
  condition('Programmed', 'True', 'Programmed', '1 of 1 attachments programmed'),
  condition('Enforced', 'True', 'Verified', '1 of 1 attachments verified'),
  // Established long ago; the last handshake is another matter.
  condition('TunnelEstablished', 'True', 'HandshakeSeen', 'last handshake 12 s ago', 86_400),
  condition('Ready', 'True', 'Ready', 'everything asked for holds'),
];
const DENIED = [
  condition('Accepted', 'False', 'DeniedByClass', 'spec.consumerEndpoint.port 53 is a denied port'),
  condition('Enforced', 'False', 'Denied', 'nothing passes: there is no policy in force'),
  condition('Ready', 'False', 'DeniedByClass', 'Accepted: spec.consumerEndpoint.port 53 is a denied port'),
];

function eventOf(
  { apiVersion, kind, metadata }: ApiObject,
  reason: string,
  type: string,
  note: string,
): object {
  const { name } = metadata;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${name}.${reason.toLowerCase()}`, namespace },
    regarding: { apiVersion, kind, namespace, name, uid: metadata['uid'] },
    eventTime: new Date().toISOString().replace('Z', '000Z'),
    reportingController: 'vmnetwork.io/controller',
    reportingInstance: 'test',
    action: 'Reconcile',
    type,
    reason,
    note,
  };
}

describeCluster('[K8-6] what kubectl shows', () => {
  beforeAll(async () => {
    lease = await anyCluster();
    await lease.cluster.installCrds(join(import.meta.dirname, '../../crds'));
    namespace = await lease.cluster.inNamespace('shown');
    const network = await put('VMNetwork', 'rental-7f3a', {
      'spec.mode': 'Filtered',
      'spec.sampling': undefined,
      'status.conditions': ENFORCED,
      'status.tunnel.lastHandshake': ago(10),
    });
    await put('VMNetwork', 'rental-denied', {
      'spec.consumerEndpoint.port': 53,
      'status.conditions': DENIED,
      'status.attachments': { desired: 2, enforced: 0, summary: '0/2' },
      'status.endpoint': undefined,
      'status.peers': undefined,
      'status.tunnel': undefined,
    });
    await put('VMNetworkClass', 'shown-strict');
    await put('VMNetworkAttachment', 'rental-7f3a-0123456789', {
      'spec.policy.network': 'rental-7f3a',
      'spec.policy.mode': 'Filtered',
      'spec.policy.sampling': undefined,
      'status.tunnel.lastHandshake': ago(10),
    });
    await put('VMNetworkNode', 'shown-node-3');
    const events = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
    for (const [reason, type, note] of [
      ['Attached', 'Normal', 'VM rental-7f3a on node-3'],
      ['EnforcementVerified', 'Normal', 'read back from the kernel of node-3'],
      ['Violation', 'Warning', '42 packets dropped: DestinationAddress'],
    ] as const) {
      await lease.cluster.api.must('POST', events, eventOf(network, reason, type, note));
    }
  }, 120_000);
  afterAll(async () => {
    for (const path of made) await lease.cluster.api.call('DELETE', path);
    await lease.release();
  });

  test.each(KINDS)('[K8-6] kubectl get %s, plain and wide', async (kind) => {
    const plain = await shown(kind.toLowerCase());
    const wide = await shown(kind.toLowerCase(), '-o', 'wide');
    expectGolden(`get-${kind.toLowerCase()}`, masked(`${plain}\n${wide}`, namespace));
  });

  test('[K8-6] kubectl get vmnetwork shows mode, endpoint, enforced or not and why, drops and tunnel', async () => {
    const [, row = ''] = masked(await shown('vmnetwork', '-o', 'wide'), namespace).split('\n');
    for (const part of ['Filtered', '203.0.113.10:51900', 'True', 'Ready', '42', '1/1', '0s']) {
      expect(row).toContain(part);
    }
  });

  test('[K8-6] TUNNEL-AGE is that of the last handshake, and WHY the reason that tells what is going on', async () => {
    const [head = '', shaking = '', denied = ''] = (await shown('vmnetwork', '-o', 'wide')).split('\n');
    const cell = (row: string, name: string) => row.slice(head.indexOf(name)).split(/ {2,}|\n/)[0];
    expect([cell(shaking, 'TUNNEL-AGE'), cell(shaking, 'WHY')]).toEqual([
      expect.stringMatching(/^[0-9]+s$/),
      'Ready',
    ]);
    expect(cell(denied, 'WHY')).toBe('DeniedByClass');
  });

  test('[K8-6] kubectl describe vmnetwork, with its events', async () => {
    const text = await kubectl('describe', 'vmnetwork', 'rental-7f3a');
    for (const reason of ['Attached', 'EnforcementVerified', 'Violation']) expect(text).toContain(reason);
    // Events of one second come in any order.
    const [object = '', events = ''] = text.split(/^(?=Events:)/m);
    const [title = '', head = '', line = '', ...rows] = events.trimEnd().split('\n');
    const sorted = [title, head, line, ...rows.sort()].join('\n');
    expectGolden('describe-vmnetwork', masked(`${object}${sorted}\n`, namespace));
  });

  test.each([
    ['vmn', 'rental-7f3a'],
    ['vmnet', 'rental-7f3a'],
    ['vmna', 'rental-7f3a-0123456789'],
    ['vmnclass', 'shown-strict'],
    ['vmnode', 'shown-node-3'],
  ])('short name %s', async (short, name) => {
    expect(await shown(short, '-o', 'name')).toContain(`/${name}\n`);
  });

  describe('selection', () => {
    test('the category shows every kind, the name of a kind that kind alone', async () => {
      const kindsOf = async (what: string): Promise<string[]> => {
        const names = (await shown(what, '-o', 'name')).trim().split('\n');
        return [...new Set(names.map((name) => name.split('.')[0] ?? ''))].sort();
      };
      expect(await kindsOf('vmnetwork-all')).toEqual(KINDS.map((kind) => kind.toLowerCase()).sort());
      expect(await kindsOf('vmnetwork')).toEqual(['vmnetwork']);
    });

    test.each([
      ['vmnetworkattachments', 'spec.nodeName', 'node-3', 1],
      ['vmnetworkattachments', 'spec.nodeName', 'node-4', 0],
      ['vmnetworkattachments', 'spec.policy.network', 'rental-7f3a', 1],
      ['vmnetworkattachments', 'spec.policy.network', 'other', 0],
      ['vmnetworks', 'spec.className', 'default', 2],
      ['vmnetworks', 'spec.mode', 'Filtered', 1],
    ])('%s by %s=%s: %i', async (plural, field, value, count) => {
      const path = `/apis/vmnetwork.io/v1alpha1/namespaces/${namespace}/${plural}?fieldSelector=${field}%3D${value}`;
      const { items } = await lease.cluster.api.must<{ items: unknown[] }>('GET', path);
      expect(items).toHaveLength(count);
    });
  });
});
