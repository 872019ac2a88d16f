/**
 * The status of a network is written without its spec. Nothing is lost by that, everything that judges a write judges
 * the whole object, and where it refuses people are told.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { onlyStatus } from '../../src/kube/only-status.ts';
import type { KubeObject } from '../../src/kube/resource.ts';
import { untilPoliciesAreInForce } from '../support/chart/guarded-cluster.ts';
import { needsControlPlane } from '../support/control-plane/index.ts';
import { accessOf } from '../support/scripted-agent/access.ts';
import { ApiClient } from '../support/scripted-agent/api-client.ts';
import {
  EVENTS,
  machine,
  NETWORKS,
  Stage,
  type AnyObject,
  type Network,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

/** As in the cluster: with who wrote which field. */
type Stored = Network &
  KubeObject & { metadata: { managedFields: { manager: string; subresource?: string }[] } };

const ENDPOINT = { address: '203.0.113.10', port: 51900 };
const STATUS = { observedGeneration: 1, conditions: [], endpoint: '203.0.113.10:51900' };
/** Of networks whose status a policy refuses. */
const REFUSED_PORT = 4444;

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let controller: ApiClient;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  controller = new ApiClient(accessOf(await stage.controllerKubeconfig()), 'as-the-controller');
  await stage.plane.apply(policy('whole-object', 'has(object.spec) && object.spec == oldObject.spec'));
  await stage.plane.apply(
    policy('no-status', `object.spec.consumerEndpoint.port != ${String(REFUSED_PORT)}`),
  );
  await untilPoliciesAreInForce(stage.plane);
});

afterAll(async () => {
  controller?.close();
  await stage?.strike();
});

/** Refuses a status for which the expression is false. */
function policy(name: string, expression: string): object[] {
  const admission = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name } };
  const rule = {
    apiGroups: ['vmnetwork.io'],
    apiVersions: ['*'],
    operations: ['UPDATE'],
    resources: ['vmnetworks/status'],
  };
  return [
    {
      ...admission,
      kind: 'ValidatingAdmissionPolicy',
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: { resourceRules: [rule] },
        validations: [{ expression }],
      },
    },
    {
      ...admission,
      kind: 'ValidatingAdmissionPolicyBinding',
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ];
}

/** With something in every field of the metadata, and fields of two managers. */
async function network(namespace: string, name: string, port = ENDPOINT.port): Promise<Stored> {
  const place = { namespace, name };
  const identity = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetwork' };
  const spec = { selector: { names: [name] }, consumerEndpoint: { ...ENDPOINT, port } };
  const owner = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    name: 'owner',
    uid: 'b9a3cf66-1d52-4b8c-8f2c-9d5d3b8f2a11',
  };
  const metadata = {
    ...place,
    labels: { team: 'blue' },
    annotations: { note: 'kept' },
    finalizers: ['example.com/kept'],
    ownerReferences: [owner],
  };
  await stage.admin.apply(NETWORKS, { ...identity, metadata, spec } as AnyObject, place, 'team');
  await stage.admin.mergePatch(NETWORKS, place, { spec: { mode: 'Conntrack' } });
  return stage.admin.get<Stored>(NETWORKS, place);
}

const putStatus = (stored: Stored, body: AnyObject): Promise<Stored> =>
  controller.replace(
    NETWORKS,
    { namespace: stored.metadata.namespace ?? '', name: stored.metadata.name, subresource: 'status' },
    body as Stored,
  );

/** All of it but what each status write changes. */
function rest({ status: _status, metadata, ...others }: Stored): object {
  const { resourceVersion: _version, managedFields, ...kept } = metadata;
  return {
    ...others,
    metadata: { ...kept, others: managedFields.filter(({ subresource }) => subresource !== 'status') },
  };
}

/** What the writer of the status is said to manage. */
const managed = ({ metadata }: Stored): unknown =>
  metadata.managedFields
    .filter(({ subresource }) => subresource === 'status')
    .map((entry) => ({ ...entry, time: undefined }));

describe('the status without the spec', () => {
  test('is all that changes, as if the whole object had been sent', async () => {
    const namespace = await stage.namespace();
    const [before, twin] = [await network(namespace, 'one'), await network(namespace, 'two')];
    const after = await putStatus(before, onlyStatus(before, STATUS));
    expect(after.status).toEqual(STATUS);
    expect(rest(after)).toEqual(rest(before));
    expect(rest(await stage.admin.get<Stored>(NETWORKS, { namespace, name: 'one' }))).toEqual(rest(before));
    const whole = await putStatus(twin, { ...twin, status: STATUS } as AnyObject);
    expect(managed(after)).toEqual(managed(whole));
    expect(managed(after)).toHaveLength(1);
  });

  test('is refused for another version and for another object of the name', async () => {
    const namespace = await stage.namespace();
    const stored = await network(namespace, 'one');
    const body = onlyStatus(stored, STATUS);
    await stage.admin.mergePatch(
      NETWORKS,
      { namespace, name: 'one' },
      { metadata: { labels: { team: 'red' } } },
    );
    await expect(putStatus(stored, body)).rejects.toMatchObject({ status: 409 });
    const { resourceVersion: _any, ...named } = body.metadata;
    const other = { ...named, uid: 'b9a3cf66-1d52-4b8c-8f2c-9d5d3b8f2a11' };
    await expect(putStatus(stored, { ...body, metadata: other })).rejects.toMatchObject({ status: 409 });
  });

  test('is judged with the spec that is stored', async () => {
    const namespace = await stage.namespace();
    const stored = await network(namespace, 'one', REFUSED_PORT);
    await expect(putStatus(stored, onlyStatus(stored, STATUS))).rejects.toMatchObject({ status: 422 });
    const free = await network(namespace, 'two');
    await expect(putStatus(free, onlyStatus(free, { ...STATUS, conditions: 'none' }))).rejects.toMatchObject({
      status: 422,
    });
    await putStatus(free, onlyStatus(free, STATUS));
  });
});

describe('a status that is refused', () => {
  test('holds up nothing that closes, is told by an Event, and is written when it is taken again', async () => {
    const process = await stage.controller();
    const namespace = await stage.namespace();
    const vm = machine(stage.name('vm'));
    await stage.agent({ machines: [vm] });
    await stage.network(namespace, 'net', { selector: { names: [vm.name] } });
    await stage.untilReady(namespace, 'net');
    const refused = { ...ENDPOINT, port: REFUSED_PORT };
    await stage.edit(namespace, 'net', { consumerEndpoint: refused, desiredState: 'Quarantined' });
    await stage.untilAttachments(namespace, 'net', 'the kill switch', ([one]) => {
      return one?.spec.policy.desiredState === 'Quarantined';
    });
    const told = await stage.until<AnyObject & { items: Told[] }>(
      'the Event',
      EVENTS,
      { namespace },
      (events) => {
        return events?.items.some(({ reason }) => reason === 'FailedToUpdateStatus') === true;
      },
    );
    const notes = told?.items.filter(({ reason }) => reason === 'FailedToUpdateStatus') ?? [];
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatchObject({
      type: 'Warning',
      note: expect.stringMatching(/'no-status'.* tried again/),
    });

    await stage.edit(namespace, 'net', { consumerEndpoint: ENDPOINT });
    await stage.untilCondition(namespace, 'net', 'Enforced', 'True', 'Quarantined');
    expect(process.running).toBe(true);
    expect(stage.complaints).toEqual([]);
  });
});

interface Told {
  type: string;
  reason: string;
  note?: string;
}
