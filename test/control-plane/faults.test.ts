/**
 * A connection to the API server that does everything but work. Each kind of harm is done to a controller of its own behind a
 * proxy of its own, one at a time, while networks come, change and go; after it everything is as it should be, and
 * what was asked of the API server meanwhile is bounded.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { isWatch, isWrite, needsControlPlane, type FaultProxy } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  conditionOf,
  machine,
  NETWORKS,
  SERVICE_ACCOUNTS,
  Stage,
  SYSTEM,
  type ControllerProcess,
  type Network,
  type ScriptedAgent,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const MINUTE = 60_000;
/** What was answered 500 may have been done, and may yet be seen: its network waits until that is over, after harm that long ago. */
const DOUBT_IS_OVER_MS = 90_000;
/** Kinds that the controller watches: networks, classes, attachments, VM nodes, nodes, service ranges, Leases. */
const WATCHED = 7;
/** Growth of the controller's memory that a minute of harm may leave: what a collector has not come to yet. */
const MEMORY_SLACK_BYTES = 48 * 2 ** 20;

/** With a Lease of the usual length: renewals are part of what happens. */
const LEADING = ['--lease-seconds=15'];

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let agent: ScriptedAgent;
let proxy: FaultProxy;
let controller: ControllerProcess;
let namespace: string;
let alive: string[];

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
});

afterAll(async () => {
  await stage?.strike();
});

beforeEach(async () => {
  namespace = await stage.namespace();
  alive = [];
  const machines = Array.from({ length: 60 }, (_, index) => machine(`${namespace}-${String(index)}`));
  agent = await stage.agent({ machines });
  proxy = await stage.plane.faultProxy();
  controller = await stage.controller({
    kubeconfig: await stage.controllerKubeconfig(proxy.url),
    flags: LEADING,
  });
  await addNetwork();
  await settled();
});

afterEach(async () => {
  proxy.heal();
  await controller.end('SIGTERM');
  for (const name of alive) await stage.remove(namespace, name);
  await proxy.close();
  await agent.close();
  expect(stage.complaints).toEqual([]);
});

/** Each is done for five seconds; returns what ends it. */
const HARMS: Record<string, (proxy: FaultProxy) => () => void> = {
  'too many requests (429)': (on) => on.inject({ do: 'answer', status: 429, retryAfterSeconds: 1 }),
  'internal error (500)': (on) => on.inject({ do: 'answer', status: 500 }),
  'every watch expired (410)': (on) => on.inject({ do: 'expire-watch' }, { on: isWatch }),
  'every third write done, its answer lost': (on) => {
    let writes = 0;
    return on.inject({ do: 'drop-answer' }, { on: (request) => isWrite(request) && ++writes % 3 === 0 });
  },
};

let turn = 0;

/** A network for the next VM that has none. */
async function addNetwork(): Promise<void> {
  const name = `net-${String(turn)}`;
  const vm = `${namespace}-${String(turn % 60)}`;
  turn += 1;
  await stage.network(namespace, name, { selector: { names: [vm] } });
  alive.push(name);
}

/** Something of everything: one comes, one changes, and of more than a few one goes. */
async function churn(): Promise<void> {
  await addNetwork();
  const port = 1024 + (turn % 1000);
  await stage.edit(namespace, alive[0]!, { consumerEndpoint: { address: '198.51.100.7', port } });
  if (alive.length > 6) await stage.remove(namespace, alive.shift()!);
}

/** Churns for so long, at a pace that leaves work under way all the time. */
async function churnFor(ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const next = performance.now() + 400;
    await churn();
    await poll('the next turn', () => performance.now() >= next);
  }
}

/** Everything that is there is Ready and enforced at its present generation, and nothing else has an attachment. */
async function settled(deadlineMs = 40_000): Promise<void> {
  let unready: string[] = [];
  let held: string[] = [];
  const isSettled = async (): Promise<boolean> => {
    const { items } = await stage.admin.list<Network>(NETWORKS, { namespace });
    unready = items
      .filter((network) => {
        const ready = conditionOf(network, 'Ready');
        return ready?.status !== 'True' || ready.observedGeneration !== network.metadata.generation;
      })
      .map((network) => `${network.metadata.name} ${JSON.stringify(network.status?.conditions ?? null)}`);
    const attached = stage.witness.attachments.filter(({ metadata }) => metadata.namespace === namespace);
    held = attached.map(({ metadata: { uid: _, ...metadata }, status }) =>
      JSON.stringify({ metadata, status }),
    );
    const right = attached.every(({ spec }) => {
      const network = items.find(({ metadata }) => metadata.name === spec.policy.network);
      return JSON.stringify(network?.spec.consumerEndpoint) === JSON.stringify(spec.policy.consumerEndpoint);
    });
    return items.length === alive.length && unready.length === 0 && right && attached.length === alive.length;
  };
  const detail = (): string => {
    const names = unready.map((text) => text.slice(0, text.indexOf(' ')));
    const lines = controller.log.split('\n');
    const said = lines.filter((line) => names.some((name) => line.includes(`/${name}"`)));
    const asked = JSON.stringify(proxy.summary());
    return [`${String(alive.length)} alive`, ...unready, ...held, asked, ...said].join('\n');
  };
  await poll('everything to be settled', isSettled, { deadlineMs, everyMs: 100, detail });
}

/** Requests since then, a second, without those that do useful work for `networks` networks of churn. */
function rate(sinceMs: number, like: Parameters<FaultProxy['count']>[0] = {}): number {
  return proxy.count(like, sinceMs) / ((performance.now() - sinceMs) / 1000);
}

describe('[ER-3] a controller', () => {
  test(
    'whose watches are cut every second for a minute, with worse in between, stays right, small and calm',
    async () => {
      const memory = controller.residentBytes;
      const since = performance.now();
      const cutter = setInterval(() => proxy.cutWatches(), 1000);
      const rates: Record<string, number> = {};
      try {
        await churnFor(10_000);
        for (const [name, harm] of Object.entries(HARMS)) {
          const began = performance.now();
          const heal = harm(proxy);
          await churnFor(5000);
          heal();
          rates[name] = rate(began);
          await churnFor(5000);
        }
        await churnFor(MINUTE - (performance.now() - since));
      } finally {
        clearInterval(cutter);
      }
      const lists = proxy.count({ verb: 'list' }, since);
      const perSecond = rate(since);
      await settled(DOUBT_IS_OVER_MS);
      // Tens of requests a second are the churn's own; a storm is thousands.
      expect(Object.entries(rates).filter(([, value]) => value > 100)).toEqual([]);
      expect(perSecond).toBeLessThan(100);
      // A watch that is cut goes on where it was, unless that fails too; how often all is listed anew is bounded.
      expect(lists).toBeLessThan((WATCHED * MINUTE) / 2000);
      expect(rate(since, { verb: 'watch' })).toBeLessThan(WATCHED * 2);
      expect(controller.residentBytes).toBeLessThan(memory + MEMORY_SLACK_BYTES);
      expect(controller.running).toBe(true);
    },
    4 * MINUTE,
  );

  test('that is answered seconds late does everything, once', async () => {
    proxy.inject({ do: 'delay', ms: 2000 });
    await churn();
    await churn();
    await settled(60_000);
    const made = proxy.requests.filter(
      ({ verb, resource }) => verb === 'create' && resource === 'vmnetworkattachments',
    );
    expect(new Set(made.map(({ atMs }) => atMs)).size).toBe(made.length);
    const born = stage.witness.seen.filter((line) => line.startsWith(`ADDED ${namespace}/`));
    expect(made.length).toBe(born.length);
  }, 90_000);

  test(
    'that is not known any more (401) reads its token again, and goes on',
    async () => {
      await controller.end('SIGTERM');
      const tokenFile = join(stage.plane.folder, `token-${namespace}`);
      const account = { namespace: SYSTEM, name: 'vmnetwork-controller' };
      writeFileSync(tokenFile, await stage.plane.serviceAccountToken(account));
      const kubeconfig = stage.plane.kubeconfigForTokenFile(tokenFile, proxy.url);
      controller = await stage.controller({ kubeconfig, flags: LEADING });
      await churn();
      await settled();

      // Deleting the account ends all its tokens; the API server remembers those that it has seen for ten seconds.
      const place = { namespace: SYSTEM, name: account.name };
      await stage.admin.delete(SERVICE_ACCOUNTS, place);
      const since = performance.now();
      proxy.cutConnections();
      await poll('the old token to be refused', () => proxy.requests.some(({ status }) => status === 401), {
        deadlineMs: 30_000,
        detail: () => JSON.stringify(proxy.summary(since)),
      });
      const refusedSince = performance.now();
      await poll('three seconds of it', () => performance.now() - refusedSince > 3000);
      expect(rate(refusedSince)).toBeLessThan(40);

      writeFileSync(tokenFile, await stage.plane.serviceAccountToken(account));
      await churn();
      await settled(90_000);
    },
    3 * MINUTE,
  );
});
