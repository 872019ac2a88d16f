/**
 * Definitions are deleted under a running controller, one kind after the other, while one host answers and another is away: nothing
 * that no host closed is released, what is asked of the API server is bounded, and all is well when they are applied again.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { needsControlPlane, type FaultProxy } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  ATTACHMENTS,
  CLASSES,
  conditionOf,
  CRDS,
  machine,
  NETWORKS,
  oncePoliciesAreInForce,
  Stage,
  VM_NODES,
  type AnyObject,
  type Attachment,
  type ControllerProcess,
  type Kind,
  type Machine,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const RECOVERED_WITHIN_MS = 60_000;
/** How long the controller is watched while something is missing. */
const WATCHED_MS = 3_000;
const HOST_SINCE = 'vmnetwork.io/host-since';

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let proxy: FaultProxy;
let controller: ControllerProcess;
let namespace: string;
/** Two hosts, each with a VM that a network of the same name selects. `away` does not answer. */
let here: ScriptedAgent;
let away: ScriptedAgent;
let vms: Record<'here' | 'away', Machine>;
/** What stood on the host that is away. */
let held: Attachment;
let since: number;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  proxy = await stage.plane.faultProxy();
  controller = await stage.controller({ kubeconfig: await stage.controllerKubeconfig(proxy.url) });
});

afterAll(async () => {
  await stage?.strike();
});

beforeEach(async () => {
  namespace = await stage.namespace();
  vms = { here: machine(stage.name('vm')), away: machine(stage.name('vm')) };
  here = await stage.agent({ machines: [vms.here] });
  away = await stage.agent({ machines: [vms.away] });
  await apply('here');
  await apply('away');
  await ready('here', 'away');
  [held] = (await stage.attachments(namespace, 'away')) as [Attachment];
  await away.die();
  since = performance.now();
}, 2 * RECOVERED_WITHIN_MS);

afterEach(async () => {
  // What is left of one case would hold the definitions of the next.
  for (const { root, plural } of [NETWORKS, ATTACHMENTS, VM_NODES])
    await stage.plane.clear(`${root}/${plural}`);
  await stage.closeAgents();
  expect(controller.running).toBe(true);
  expect(stage.complaints).toEqual([]);
}, RECOVERED_WITHIN_MS);

/** A network for the VM of a host. */
async function apply(host: 'here' | 'away'): Promise<void> {
  const selector = { names: [vms[host].name] };
  await oncePoliciesAreInForce(() => stage.network(namespace, host, { selector }), RECOVERED_WITHIN_MS);
}

async function ready(...names: string[]): Promise<void> {
  for (const name of names) await stage.untilReady(namespace, name, RECOVERED_WITHIN_MS);
}

const definitionOf = ({ plural }: Kind) => ({ name: `${plural}.vmnetwork.io` });

/** Its objects are deleted first, then it goes itself: as soon as nothing holds them. */
const deleteDefinition = (kind: Kind): Promise<void> => stage.admin.delete(CRDS, definitionOf(kind));

async function untilNoDefinition(kind: Kind): Promise<void> {
  const isGone = async (): Promise<boolean> => (await stage.admin.find(CRDS, definitionOf(kind))) === null;
  const detail = (): string => `${JSON.stringify(proxy.summary(since))}\n${controller.log.slice(-4000)}`;
  await poll(`no definition of ${kind.plural}`, isGone, { deadlineMs: RECOVERED_WITHIN_MS, detail });
}

/** The controller has asked for the definition that was applied now, and was answered. */
async function untilLookedAt(): Promise<void> {
  const appliedMs = performance.now();
  const looked = (): boolean => {
    return proxy.count({ resource: 'customresourcedefinitions', status: 200 }, appliedMs) > 0;
  };
  await poll('a look at the new definition', looked, { deadlineMs: RECOVERED_WITHIN_MS });
}

const heldNow = (): Promise<Attachment | null> => {
  const { name } = held.metadata;
  return stage.admin.find<Attachment>(ATTACHMENTS, { namespace, name });
};

/** For as long as it is watched the controller neither storms nor releases what the host that is away has not closed. */
async function watch(): Promise<void> {
  const begun = performance.now();
  while (performance.now() - begun < WATCHED_MS) {
    const now = await heldNow();
    expect(now?.metadata.uid).toBe(held.metadata.uid);
    expect(now?.metadata.finalizers).toEqual(held.metadata.finalizers);
    await poll('a moment', () => true, { everyMs: 250 });
  }
  calm();
}

/** Everything is listed anew once in a while; besides that it is calm. */
function calm(): void {
  const seconds = (performance.now() - since) / 1000;
  const asked = proxy.count({}, since);
  if (asked >= 60 + 10 * seconds)
    throw new Error(`too many requests: ${JSON.stringify(proxy.summary(since))}`);
}

/** The host that was away comes back. */
const comesBack = (): Promise<void> => away.start();

describe('the definition is deleted of', () => {
  test('VMNetworkNode: hosts are not gone for that, and all but what needs them goes on', async () => {
    await deleteDefinition(VM_NODES);
    await untilNoDefinition(VM_NODES);
    // Whom one cannot ask is not believed, neither is it forgotten.
    await stage.untilCondition(namespace, 'here', 'Enforced', 'Unknown', 'AgentStale');
    const { status } = await stage.untilCondition(namespace, 'here', 'Programmed', 'True');
    expect(status?.attachments).toMatchObject({ desired: 1, enforced: 0 });

    await stage.edit(namespace, 'here', { desiredState: 'Quarantined' });
    await stage.untilAttachments(namespace, 'here', 'the kill switch', ([one]) => {
      return one?.spec.policy.desiredState === 'Quarantined';
    });
    await stage.remove(namespace, 'here');
    await stage.until('no network', NETWORKS, { namespace, name: 'here' }, (network) => network === null);
    await watch();

    // The definition is back before any agent has reported.
    await stage.install();
    await untilLookedAt();
    await watch();
    await here.has([vms.here]);
    await apply('here');
    await comesBack();
    await ready('here', 'away');
    expect((await heldNow())?.metadata.uid).toBe(held.metadata.uid);
  }, 240_000);

  test('VMNetworkNode: a host that stays away has to be declared gone all the same', async () => {
    await stage.remove(namespace, 'away');
    await deleteDefinition(VM_NODES);
    await untilNoDefinition(VM_NODES);
    await stage.install();
    await untilLookedAt();
    await watch();
    const name = away.nodeName;
    const node = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkNode', metadata: { name }, spec: {} };
    await stage.admin.create<AnyObject>(VM_NODES, node);
    await poll(
      'its attachment to tell of it',
      async () => {
        const before = held.metadata as { annotations?: Record<string, string> };
        const now = (await heldNow())?.metadata as typeof before | undefined;
        return now?.annotations?.[HOST_SINCE] !== before.annotations?.[HOST_SINCE];
      },
      { deadlineMs: RECOVERED_WITHIN_MS },
    );
    await stage.admin.delete(VM_NODES, { name });
    await stage.until('no network', NETWORKS, { namespace, name: 'away' }, (network) => network === null);
    expect(await heldNow()).toBeNull();
  }, 180_000);

  test('VMNetworkAttachment: each goes when its host has closed, and is made anew', async () => {
    await deleteDefinition(ATTACHMENTS);
    await stage.untilAttachments(namespace, 'here', 'none', (all) => all.length === 0);
    await watch();
    expect((await heldNow())?.metadata.deletionTimestamp).toBeDefined();
    const { status } = await stage.admin.get<Network>(NETWORKS, { namespace, name: 'here' });
    expect(conditionOf({ ...(status && { status }) }, 'Ready')?.status).toBe('False');

    await comesBack();
    await untilNoDefinition(ATTACHMENTS);
    calm();
    await stage.install();
    await ready('here', 'away');
    expect((await heldNow())?.metadata.uid).not.toBe(held.metadata.uid);
  }, 180_000);

  test('VMNetworkClass: its networks are denied, and served again', async () => {
    await deleteDefinition(CLASSES);
    await untilNoDefinition(CLASSES);
    await stage.untilCondition(namespace, 'here', 'Accepted', 'False', 'ClassNotFound');
    await stage.untilAttachments(namespace, 'here', 'none', (all) => all.length === 0);
    await watch();
    expect((await heldNow())?.metadata.deletionTimestamp).toBeDefined();

    await stage.install();
    await ready('here');
    await comesBack();
    await ready('away');
    expect((await heldNow())?.metadata.uid).not.toBe(held.metadata.uid);
  }, 180_000);

  test('VMNetwork: each goes when its hosts have closed, and what is applied anew is bound anew', async () => {
    await deleteDefinition(NETWORKS);
    await stage.until('no network', NETWORKS, { namespace, name: 'here' }, (network) => network === null);
    await watch();
    expect(await stage.admin.find(NETWORKS, { namespace, name: 'away' })).not.toBeNull();

    await comesBack();
    await untilNoDefinition(NETWORKS);
    expect(await stage.attachments(namespace, 'away')).toEqual([]);
    calm();
    await stage.install();
    await apply('here');
    await apply('away');
    await ready('here', 'away');
  }, 180_000);
});
