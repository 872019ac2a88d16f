/** Two controllers, each behind a proxy of its own that tells who wrote what and when. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import {
  isWrite,
  needsControlPlane,
  type FaultProxy,
  type SeenRequest,
} from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  LEASES,
  machine,
  oneHost,
  Stage,
  SYSTEM,
  type AnyObject,
  type ControllerProcess,
} from '../support/scripted-agent/index.ts';
import { documentedOfController, servedMetrics } from '../support/metrics-text.ts';
import { requires } from '../support/skip.ts';

/** Short, to have the test short; the proportions are those of the default. */
const LEASE_SECONDS = 5;
/** A Lease is renewed each two fifteenths of it. */
const RENEWALS_OF_A_LEASE = 8;
/** Requests that a controller of four workers has under way at the same time. */
const CONNECTIONS = 32;
/** What a leader without a word is given, and then some for whoever looks. */
const TAKEN_OVER_WITHIN_MS = 20_000;

interface Lease extends AnyObject {
  spec: { holderIdentity?: string; leaseTransitions?: number };
}

interface Contender {
  readonly controller: ControllerProcess;
  readonly proxy: FaultProxy;
}

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let contenders: Contender[];
let numbered = 0;

beforeAll(async () => {
  if (needs.met) stage = await Stage.raise();
});

afterAll(async () => {
  await stage?.strike();
});

beforeEach(async () => {
  numbered += 1;
  contenders = await Promise.all(['one', 'two'].map((name) => contender(`${name}-${String(numbered)}`)));
});

afterEach(async () => {
  // The Lease is given back, so the next two begin at once; one that was killed has ended already.
  await Promise.all(contenders.map(({ controller }) => controller.end('SIGTERM')));
  expect(stage.complaints).toEqual([]);
});

async function contender(identity: string): Promise<Contender> {
  const proxy = await stage.plane.faultProxy();
  const kubeconfig = await stage.controllerKubeconfig(proxy.url);
  const flags = [`--lease-seconds=${String(LEASE_SECONDS)}`];
  return { proxy, controller: await stage.controller({ identity, kubeconfig, flags }) };
}

async function holder(): Promise<string | undefined> {
  const lease = await stage.admin.find<Lease>(LEASES, { namespace: SYSTEM, name: 'vmnetwork-controller' });
  // Behind the underscore stands what tells two runs of one name apart.
  return lease?.spec.holderIdentity?.split('_')[0];
}

/** The one that holds the Lease now, and the other. */
async function leaderAndOther(): Promise<[Contender, Contender]> {
  // Until then the Lease may show one of the test before.
  const find = async (): Promise<Contender | undefined> => {
    const name = await holder();
    return contenders.find(({ controller }) => controller.identity === name);
  };
  const leader = await poll('a leader', find, { deadlineMs: TAKEN_OVER_WITHIN_MS });
  const other = contenders.find((one) => one !== leader);
  return [leader, other!];
}

/** Writes that were sent, but for those to the Lease: also those that came too late to be done. */
function writesOf({ proxy }: Contender, sinceMs = 0): SeenRequest[] {
  return proxy.requests.filter(
    (request) => isWrite(request) && request.resource !== 'leases' && request.atMs >= sinceMs,
  );
}

const told = (requests: readonly SeenRequest[]): string[] =>
  requests.map(({ verb, path }) => `${verb} ${path}`);

/** A network becomes ready by whoever leads, in the namespace that is returned. */
async function reconciledBySomebody(deadlineMs?: number): Promise<string> {
  return (await oneHost(stage, {}, deadlineMs === undefined ? {} : { deadlineMs })).namespace;
}

describe('[K8-4] of two controllers', () => {
  test('one leads and writes; the other writes nothing; an orderly end hands over at once', async () => {
    const [leader, other] = await leaderAndOther();
    await reconciledBySomebody();
    expect(writesOf(leader).length).toBeGreaterThan(0);
    expect(told(writesOf(other))).toEqual([]);
    expect(await leader.controller.leads()).toBe(true);
    expect(await other.controller.leads()).toBe(false);
    expect(servedMetrics(await leader.controller.metrics())).toEqual(documentedOfController());

    const began = performance.now();
    expect(await leader.controller.end('SIGTERM')).toBe(0);
    await poll('the other to lead', async () => (await holder()) === other.controller.identity);
    expect(performance.now() - began).toBeLessThan(8000);
    await reconciledBySomebody();
    expect(writesOf(other).length).toBeGreaterThan(0);
  }, 60_000);

  test('the other takes over from one that was killed, with no write done twice', async () => {
    const [leader, other] = await leaderAndOther();
    const done = await reconciledBySomebody();
    const killedAt = performance.now();
    await leader.controller.end('SIGKILL');
    await reconciledBySomebody(TAKEN_OVER_WITHIN_MS);
    expect(await holder()).toBe(other.controller.identity);
    expect(told(writesOf(leader, killedAt))).toEqual([]);
    // Taking over is no reason to write what is there already.
    const [first] = writesOf(other);
    expect(first?.atMs ?? 0).toBeGreaterThan(killedAt);
    expect(writesOf(leader).some(({ namespace }) => namespace === done)).toBe(true);
    expect(told(writesOf(other).filter(({ namespace }) => namespace === done))).toEqual([]);
  }, 60_000);

  test('one that was stopped past its Lease and goes on writes nothing that it had not begun to send', async () => {
    const [leader, other] = await leaderAndOther();
    await reconciledBySomebody();
    // In the middle of work: there is something that it was about to write.
    const namespace = await stage.namespace();
    const vms = Array.from({ length: 200 }, (_, index) =>
      machine(`stopped-${String(index)}`, { labels: { app: 'wide' } }),
    );
    await stage.agent({ machines: vms });
    await stage.network(namespace, 'wide', { selector: { matchLabels: { app: 'wide' } } });
    await poll('the leader to be at it', () => leader.proxy.count({ verb: 'create' }) > 20);
    leader.controller.signal('SIGSTOP');
    await poll('the other to lead', async () => (await holder()) === other.controller.identity, {
      deadlineMs: TAKEN_OVER_WITHIN_MS,
    });
    await poll('the other to write', () => writesOf(other).length > 0);

    const continuedAt = performance.now();
    leader.controller.signal('SIGCONT');
    await stage.untilReady(namespace, 'wide', 30_000);
    await reconciledBySomebody();
    // At most the one whose bytes were on their way into the socket when it was stopped: between the last look at the
    // clock and the system call nothing fits but the server, and to it a create that was done already is a conflict.
    expect(told(writesOf(leader, continuedAt)).slice(1)).toEqual([]);
    // It ends, so that whoever runs it starts it anew, or stands by. It does not lead.
    expect(await leader.controller.leads()).toBe(false);
    expect(await holder()).toBe(other.controller.identity);
    // Each attachment was made once, by one of the two.
    const made = [leader, other]
      .flatMap((one) => writesOf(one))
      .filter(({ verb, resource, namespace: into, status }) => {
        const isCreate = verb === 'create' && resource === 'vmnetworkattachments' && into === namespace;
        return isCreate && status === 201;
      });
    const born = stage.witness.seen.filter((line) => line.startsWith(`ADDED ${namespace}/`));
    expect(made.length).toBe(born.length);
    expect(born.length).toBe(vms.length);
  }, 90_000);

  test('one whose connections all wait for an answer goes on leading, for its renewals have one of their own', async () => {
    const [leader] = await leaderAndOther();
    await reconciledBySomebody();
    // As many networks as there are workers, each with more cards than it makes attachments for at a time; one namespace alone
    // does not get all workers.
    const namespaces = [await stage.namespace(), await stage.namespace()];
    const vms = namespaces.flatMap((app) =>
      [0, 1].flatMap((network) =>
        Array.from({ length: 10 }, () =>
          machine(stage.name('vm'), { labels: { app: `${app}-${String(network)}` } }),
        ),
      ),
    );
    await stage.agent({ machines: vms });
    const creates = { on: ({ verb }: SeenRequest) => verb === 'create' };
    leader.proxy.inject({ do: 'stall' }, creates);
    const busy = namespaces.flatMap((namespace) => [0, 1].map((network) => ({ namespace, network })));
    for (const { namespace, network } of busy) {
      const matchLabels = { app: `${namespace}-${String(network)}` };
      await stage.network(namespace, `busy-${String(network)}`, { selector: { matchLabels } });
    }
    await poll('all connections to be taken', () => leader.proxy.frozen >= CONNECTIONS);
    const busySince = performance.now();
    const renewals = () => leader.proxy.count({ verb: 'update', resource: 'leases', status: 200 }, busySince);
    await poll('renewals for longer than the Lease lasts', () => renewals() >= RENEWALS_OF_A_LEASE + 2, {
      deadlineMs: TAKEN_OVER_WITHIN_MS,
      detail: () => leader.controller.log.slice(-3000),
    });
    expect(leader.proxy.frozen).toBe(CONNECTIONS);
    expect(await leader.controller.leads()).toBe(true);
    expect(await holder()).toBe(leader.controller.identity);
    leader.proxy.heal();
    for (const { namespace, network } of busy)
      await stage.untilReady(namespace, `busy-${String(network)}`, TAKEN_OVER_WITHIN_MS);
  }, 90_000);

  test('one that cannot reach the API server lets go before the other may take the Lease', async () => {
    const [leader, other] = await leaderAndOther();
    await reconciledBySomebody();
    // Renewals get nowhere, while everything else passes: nothing but its own clock can stop it.
    leader.proxy.inject({ do: 'stall' }, { on: ({ resource }) => resource === 'leases' });
    await poll('the other to lead', async () => (await holder()) === other.controller.identity, {
      deadlineMs: TAKEN_OVER_WITHIN_MS,
    });
    const takenAt = performance.now();
    await reconciledBySomebody();
    expect(told(writesOf(leader, takenAt))).toEqual([]);
    expect(await leader.controller.leads()).toBe(false);
  }, 60_000);
});
