/**
 * etcd comes back as it was some time ago: objects, versions and all. What happened since has not happened, for the API
 * server; the controller has seen it happen, and follows.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane, type FaultProxy, type SeenRequest } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  ATTACHMENTS,
  ENDPOINT,
  machine,
  NETWORKS,
  Stage,
  Witness,
  VM_NODES,
  type Attachment,
  type ControllerProcess,
  type Kind,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const RECOVERED_WITHIN_MS = 60_000;
const LATER_ENDPOINT = { address: '198.51.100.7', port: 1194 };
const LATEST_ENDPOINT = { address: '198.51.100.8', port: 1195 };

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let proxy: FaultProxy;
let controller: ControllerProcess;
let namespace: string;
/** Of a host that answers, and says of nothing that it is closed until it is told to. */
let holding: ScriptedAgent;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  proxy = await stage.plane.faultProxy();
  controller = await stage.controller({ kubeconfig: await stage.controllerKubeconfig(proxy.url) });
  namespace = await stage.namespace();
  await stage.agent({ machines: ['moved', 'shared', 'later'].map((name) => machine(name)) });
  holding = await stage.agent({ machines: [machine('leaving')], behaviour: { releases: false } });
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(() => {
  expect(controller.running).toBe(true);
});

const network = (name: string, vm = name): Promise<Network> =>
  stage.network(namespace, name, { selector: { names: [vm] } });
const ready = (name: string): Promise<Network> => stage.untilReady(namespace, name, RECOVERED_WITHIN_MS);
const isGone = (object: unknown): boolean => object === null;
const untilGone = (name: string): Promise<unknown> =>
  stage.until('no network', NETWORKS, { namespace, name }, isGone, RECOVERED_WITHIN_MS);
const version = async (): Promise<number> =>
  Number((await stage.admin.list(NETWORKS)).metadata.resourceVersion);

/** The one attachment of a network, once its host has read back just what it asks for. */
async function enforced(name: string, endpoint: { address: string; port: number }): Promise<Attachment> {
  const isProven = (all: Attachment[]): boolean => {
    const [one] = all;
    const { address, port } = one?.spec.policy.consumerEndpoint ?? {};
    const isAsked = address === endpoint.address && port === endpoint.port;
    return all.length === 1 && isAsked && one?.status?.enforced?.policyHash === one?.spec.hash;
  };
  const [one] = await stage.untilAttachments(namespace, name, 'enforced', isProven, RECOVERED_WITHIN_MS);
  return one!;
}

async function beforeTheSnapshot(): Promise<void> {
  await network('moved');
  await network('first', 'shared');
  await stage.nextSecond();
  await network('second', 'shared');
  await network('leaving');
  for (const name of ['moved', 'first', 'leaving']) await ready(name);
  await stage.untilCondition(namespace, 'second', 'Bound', 'False', 'Conflict');
  await stage.remove(namespace, 'leaving');
  await stage.untilAttachments(namespace, 'leaving', 'one that waits', ([one]) => {
    return one?.metadata.deletionTimestamp !== undefined;
  });
}

async function afterTheSnapshot(): Promise<void> {
  await stage.edit(namespace, 'moved', { consumerEndpoint: LATER_ENDPOINT });
  await stage.remove(namespace, 'first');
  await network('later');
  holding.behave({ releases: true });
  await untilGone('leaving');
  await untilGone('first');
  for (const name of ['moved', 'second', 'later']) await ready(name);
  await enforced('moved', LATER_ENDPOINT);
}

/** A server that has just started learns late which kind a policy's parameter is of, and refuses until then. */
async function untilAdmitting(): Promise<void> {
  const path = `/apis/vmnetwork.io/v1alpha1/namespaces/${namespace}/vmnetworks?dryRun=All`;
  const spec = { consumerEndpoint: ENDPOINT, selector: { names: ['nobody'] } };
  const trial = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetwork', metadata: { name: 'trial' }, spec };
  const isAdmitted = () =>
    stage.admin.ask('POST', path, trial).then(
      () => true,
      () => false,
    );
  await poll('the policies to be in force', isAdmitted, { deadlineMs: RECOVERED_WITHIN_MS, everyMs: 250 });
}

/** The controller has seen everything anew, and come to rest. */
async function untilCalm(since: number): Promise<void> {
  const isListed = ({ plural }: Kind): boolean =>
    proxy.count({ verb: 'list', resource: plural, status: 200 }, since) > 0;
  const isCalm = (): boolean => {
    const asked = proxy.requests.filter(
      ({ atMs, resource }) => atMs > performance.now() - 1000 && resource !== 'leases',
    );
    return asked.length === 0 && [NETWORKS, ATTACHMENTS, VM_NODES].every(isListed);
  };
  const detail = (): string => JSON.stringify(proxy.summary(since));
  await poll('the controller to be calm', isCalm, { deadlineMs: RECOVERED_WITHIN_MS, detail });
}

describe('when etcd is restored', () => {
  test('everything is as the restored objects say, and goes on from there', async () => {
    await beforeTheSnapshot();
    await stage.plane.snapshotEtcd();
    await afterTheSnapshot();
    const lostVersion = await version();
    holding.behave({ releases: false });

    // Of what was restored the controller learns its own attachments first, the networks that ask for them later.
    const isLate = ({ verb, resource }: SeenRequest): boolean => verb === 'list' && resource === 'vmnetworks';
    proxy.inject({ do: 'delay', ms: 3000 }, { on: isLate });
    // The stage's own witness watches versions that come late after that, and then sees two pasts beside each other.
    expect(stage.witness.doubles).toEqual([]);
    const since = performance.now();
    await stage.plane.restoreEtcd();
    await poll('networks to be served', () => version().catch(() => null), { everyMs: 250 });
    expect(await version()).toBeLessThan(lostVersion);
    const witness = await Witness.start(stage.admin);
    try {
      await untilCalm(since);
      await enforced('moved', ENDPOINT);
      await enforced('first', ENDPOINT);
      await stage.untilCondition(namespace, 'second', 'Bound', 'False', 'Conflict', RECOVERED_WITHIN_MS);
      for (const name of ['moved', 'first']) await ready(name);
      expect(await stage.attachments(namespace, 'second')).toEqual([]);
      expect(await stage.attachments(namespace, 'later')).toEqual([]);
      expect(await stage.admin.find(NETWORKS, { namespace, name: 'later' })).toBeNull();

      // What its host said of the closing is lost with all else, so it has to say it again.
      const [waiting] = await stage.attachments(namespace, 'leaving');
      expect(waiting?.metadata.finalizers).toHaveLength(1);
      holding.behave({ releases: true });
      await untilGone('leaving');

      await untilAdmitting();
      // And what comes now is heard, although its versions have been seen before.
      await stage.edit(namespace, 'moved', { consumerEndpoint: LATEST_ENDPOINT });
      await enforced('moved', LATEST_ENDPOINT);
      await stage.remove(namespace, 'first');
      await enforced('second', ENDPOINT);
      await network('later');
      for (const name of ['moved', 'second', 'later']) await ready(name);
      await untilGone('first');
      expect(witness.doubles).toEqual([]);
    } finally {
      await witness.close();
    }
    const seconds = (performance.now() - since) / 1000;
    const asked = proxy.count({}, since);
    if (asked >= 100 + 10 * seconds) throw new Error(`too many: ${JSON.stringify(proxy.summary(since))}`);
  }, 240_000);
});
