/**
 * One namespace keeps the controller as busy as it can: more than a hundred networks that all have to be written, and writes that are not answered.
 * Nobody else's kill switch waits for it, and its own goes before what nobody asked for.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { needsControlPlane, type FaultProxy, type SeenRequest } from '../support/control-plane/index.ts';
import { poll } from '../support/lab/index.ts';
import {
  CLASSES,
  machine,
  oneHost,
  Stage,
  type Attachment,
  type ControllerProcess,
  type Endpoint,
} from '../support/scripted-agent/index.ts';
import { requires } from '../support/skip.ts';

const NETWORKS = 120;
const WORKERS = 4;
/** Requests of one pass at a time. */
const CARDS = 8;
const SECOND: Endpoint = { address: '198.51.100.7', port: 51820 };

const needs = needsControlPlane('helm');
const { describe } = requires(needs);

let stage: Stage;
let proxy: FaultProxy;
let controller: ControllerProcess;

beforeAll(async () => {
  if (!needs.met) return;
  stage = await Stage.raise();
  proxy = await stage.plane.faultProxy();
  controller = await stage.controller({
    kubeconfig: await stage.controllerKubeconfig(proxy.url),
    flags: ['--leader-elect=false', `--workers=${String(WORKERS)}`],
  });
});

afterAll(async () => {
  await stage?.strike();
});

afterEach(async () => {
  proxy.heal();
  expect(stage.complaints).toEqual([]);
  await stage.closeAgents();
});

/** Networks of a class of their own: a few with `CARDS` VMs each, and many with one. */
async function crowd(): Promise<{ namespace: string; className: string; wide: string[]; last: string }> {
  const namespace = await stage.namespace('crowd');
  const className = stage.name('class');
  const identity = { apiVersion: 'vmnetwork.io/v1alpha1', kind: 'VMNetworkClass' };
  await stage.admin.create(CLASSES, { ...identity, metadata: { name: className } });
  const wide = Array.from({ length: WORKERS - 1 }, (_, index) => `wide-${String(index)}`);
  const narrow = Array.from({ length: NETWORKS }, (_, index) => `net-${String(1000 + index)}`);
  const vmsOf = (name: string): string[] => {
    const count = wide.includes(name) ? CARDS : 1;
    return Array.from({ length: count }, (_, index) => `${namespace}-${name}-${String(index)}`);
  };
  const names = [...wide, ...narrow];
  const vms = names.flatMap(vmsOf);
  await stage.agent({ machines: vms.map((vm) => machine(vm)) });
  for (let first = 0; first < names.length; first += 50) {
    const some = names.slice(first, first + 50);
    await Promise.all(
      some.map((name) => stage.network(namespace, name, { className, selector: { names: vmsOf(name) } })),
    );
  }
  const attached = (): boolean => held(namespace).length === vms.length;
  await poll('all to be attached', attached, { deadlineMs: 60_000, everyMs: 100 });
  return { namespace, className, wide, last: narrow.at(-1) ?? '' };
}

const held = (namespace: string): Attachment[] =>
  stage.witness.attachments.filter(({ metadata }) => metadata.namespace === namespace);

const isPolicy = ({ resource, verb }: SeenRequest): boolean =>
  resource === 'vmnetworkattachments' && verb === 'update';

const isClosed = ([one]: Attachment[]): boolean => one?.spec.policy.desiredState === 'Quarantined';

describe('a namespace of many networks whose class changes, and for which no policy is written', () => {
  test('keeps all workers but one; the kill switch of another goes out, its own goes first when it goes on', async () => {
    const { namespace, className, wide, last } = await crowd();
    const other = await oneHost(stage);
    const stalled = proxy.inject(
      { do: 'stall' },
      { on: (request) => request.namespace === namespace && isPolicy(request) },
    );
    const began = performance.now();
    const writes = (): SeenRequest[] =>
      proxy.requests.filter((request) => request.atMs >= began && isPolicy(request));
    // Each of these holds a worker, with as many requests as a pass makes at a time.
    for (const name of wide) await stage.edit(namespace, name, { consumerEndpoint: SECOND });
    const stuck = wide.length * CARDS;
    await poll('all workers that it gets to be stuck', () => proxy.frozen === stuck);
    const limits = { default: { packetsPerSecond: 1000 } };
    await stage.admin.mergePatch(CLASSES, { name: className }, { spec: { limits } });
    const depth = (): Promise<number | null> => controller.metric('workqueue_depth', 'name="vmnetwork"');
    await poll('the others to wait', async () => ((await depth()) ?? 0) >= NETWORKS, { everyMs: 100 });

    await stage.edit(namespace, last, { desiredState: 'Quarantined' });
    await stage.edit(other.namespace, 'net', { desiredState: 'Quarantined' });
    await stage.untilCondition(other.namespace, 'net', 'Enforced', 'True', 'Quarantined');
    expect(writes().map((write) => write.namespace)).toEqual([
      ...Array.from({ length: stuck }, () => namespace),
      other.namespace,
    ]);

    // Those under way fail and are repeated, and the others go on.
    const [own] = await stage.attachments(namespace, last);
    stalled();
    proxy.heal();
    await stage.untilAttachments(namespace, last, 'its own kill switch', isClosed);
    const place = writes().findIndex(({ name }) => name === own?.metadata.name);
    expect(place).toBeGreaterThan(stuck);
    expect(place).toBeLessThan(3 * stuck);
  }, 120_000);
});
