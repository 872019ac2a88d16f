/** The API server goes away, comes back, or comes back with nothing. */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane, type FaultProxy } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  ApiFailure,
  machine,
  NAMESPACES,
  oncePoliciesAreInForce,
  Stage,
  SYSTEM,
  type ControllerProcess,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const LEASE_SECONDS = 5;
/** Longer than the Lease: who led has stopped leading, and has to begin anew. */
const AWAY_MS = 8000;
const RECOVERED_WITHIN_MS = 45_000;
const MEMORY_SLACK_BYTES = 48 * 2 ** 20;

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let agent: ScriptedAgent;
let proxy: FaultProxy;
let controller: ControllerProcess;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  agent = await stage.agent({ nodeName: 'host' });
  proxy = await stage.plane.faultProxy();
  // By certificate: a token is bound to an account by its uid, and does not outlive etcd's data.
  const account = `${SYSTEM}:vmnetwork-controller`;
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${SYSTEM}`];
  const user = `system:serviceaccount:${account}`;
  const kubeconfig = await stage.plane.kubeconfigFor({ user, groups }, proxy.url);
  controller = await stage.controller({ kubeconfig, flags: [`--lease-seconds=${String(LEASE_SECONDS)}`] });
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(() => {
  expect(stage.witness.doubles).toEqual([]);
  expect(controller.running).toBe(true);
});

/** A network for one VM. */
const network = (namespace: string, vm: number): Promise<Network> =>
  oncePoliciesAreInForce(
    () => stage.network(namespace, `net-${String(vm)}`, { selector: { names: [`vm-${String(vm)}`] } }),
    RECOVERED_WITHIN_MS,
  );

/** The VMs of the host from now on. */
const hostHas = (...vms: number[]): Promise<void> => agent.has(vms.map((vm) => machine(`vm-${String(vm)}`)));

/** Requests a second that reach the API server, or would. */
const rate = (sinceMs: number): number => proxy.count({}, sinceMs) / secondsSince(sinceMs);
const secondsSince = (sinceMs: number): number => (performance.now() - sinceMs) / 1000;

describe('[ER-3] when the API server', () => {
  test('is killed and away for a while, everything goes on where it was, without a storm', async () => {
    const namespace = await stage.namespace();
    await Promise.all([0, 1].map((vm) => network(namespace, vm)));
    await hostHas(0);
    await stage.untilReady(namespace, 'net-0');
    await stage.untilCondition(namespace, 'net-1', 'Bound', 'False', 'NoMatch');
    const [before] = await stage.attachments(namespace, 'net-0');
    const memory = controller.residentBytes;

    await stage.plane.kill9ApiServer();
    const awaySince = performance.now();
    await poll('the time that it is away', () => performance.now() - awaySince > AWAY_MS, {
      deadlineMs: 2 * AWAY_MS,
    });
    expect(rate(awaySince)).toBeLessThan(30);
    await stage.plane.restartApiServer();
    const backSince = performance.now();

    await hostHas(0, 1);
    await stage.untilReady(namespace, 'net-1', RECOVERED_WITHIN_MS);
    await stage.untilReady(namespace, 'net-0', RECOVERED_WITHIN_MS);
    const [after] = await stage.attachments(namespace, 'net-0');
    expect(after?.metadata.uid).toBe(before?.metadata.uid);
    expect(after?.spec).toEqual(before?.spec);
    // Everything is listed and renewed at once, and then it is calm: a bare rate would blame a quick recovery.
    expect(proxy.count({}, backSince)).toBeLessThan(60 + 30 * secondsSince(backSince));
    expect(controller.residentBytes).toBeLessThan(memory + MEMORY_SLACK_BYTES);
  }, 120_000);

  test('freezes, accepting connections and answering none, nothing hangs for ever', async () => {
    const namespace = await stage.namespace();
    await network(namespace, 2);
    await stage.untilCondition(namespace, 'net-2', 'Bound', 'False', 'NoMatch');
    await stage.plane.freezeApiServer();
    const since = performance.now();
    await poll('the time that it is frozen', () => performance.now() - since > AWAY_MS, {
      deadlineMs: 2 * AWAY_MS,
    });
    stage.plane.thawApiServer();
    await hostHas(2);
    await stage.untilReady(namespace, 'net-2', RECOVERED_WITHIN_MS);
  }, 120_000);

  test('comes back with nothing at all, what is applied anew is reconciled anew', async () => {
    const namespace = await stage.namespace();
    await hostHas(5, 6);
    await network(namespace, 5);
    await stage.untilReady(namespace, 'net-5');
    await agent.die();
    const memory = controller.residentBytes;

    await stage.plane.emptyEtcd();
    const emptySince = performance.now();
    await stage.install();
    await stage.admin
      .create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
      .catch((error: unknown) => {
        if (!(error instanceof ApiFailure) || error.status !== 409) throw error;
      });
    const machines = [machine('vm-5'), machine('vm-6')];
    agent = await stage.agent({ nodeName: 'host', machines });

    await network(namespace, 5);
    await network(namespace, 6);
    await stage.untilReady(namespace, 'net-5', RECOVERED_WITHIN_MS);
    await stage.untilReady(namespace, 'net-6', RECOVERED_WITHIN_MS);
    expect(proxy.count({}, emptySince)).toBeLessThan(60 + 30 * secondsSince(emptySince));
    expect(controller.residentBytes).toBeLessThan(memory + MEMORY_SLACK_BYTES);
  }, 120_000);
});
