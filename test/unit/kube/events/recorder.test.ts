import { describe, expect, test } from '@jest/globals';
import { ApiError } from '../../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../../src/kube/client.ts';
import type { KubeEvent } from '../../../../src/kube/events/kube-event.ts';
import { eventRecorder } from '../../../../src/kube/events/recorder.ts';
import type { KubeObject } from '../../../../src/kube/resource.ts';
import { createLogger } from '../../../../src/lib/log.ts';
import { EVENT_OUTCOMES, Metrics } from '../../../../src/lib/metrics.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

const MINUTE = 60_000;

const network: KubeObject = {
  apiVersion: 'vmnetwork.io/v1alpha1',
  kind: 'VMNetwork',
  metadata: { namespace: 'tenant', name: 'rental-1', uid: 'u1', resourceVersion: '7' },
};

/** An API server for events: what it was sent, and how it answers. */
class World {
  readonly clock = new FakeClock();
  readonly metrics = new Metrics();
  readonly created: KubeEvent[] = [];
  readonly patched: { name: string; patch: object }[] = [];
  requests = 0;
  /** Thrown instead of an answer; asked at each request. */
  failure: () => Error | null = () => null;
  /** Requests hang while it is set. */
  gate: Promise<void> | null = null;
  readonly recorder = eventRecorder({
    client: this.#client(),
    reportingController: 'vmnetwork.io/controller',
    reportingInstance: 'pod-1',
    clock: this.clock,
    random: () => 0,
    log: createLogger({ level: 'silent' }),
    metrics: this.metrics,
    capacity: 50,
  });

  tell(note = 'it is done', object = network): void {
    this.recorder.event(object, 'Normal', 'Done', 'Do', note);
  }

  async outcomes(): Promise<Record<string, number>> {
    const text = await this.metrics.registry.metrics();
    const counts = EVENT_OUTCOMES.map((outcome) => [
      outcome,
      Number(new RegExp(`vmnetwork_events_total{outcome="${outcome}"} (\\d+)`).exec(text)?.[1] ?? NaN),
    ]);
    return Object.fromEntries(counts.filter(([, count]) => count !== 0)) as Record<string, number>;
  }

  async #request(): Promise<void> {
    this.requests += 1;
    await this.gate;
    const failure = this.failure();
    if (failure !== null) throw failure;
  }

  #client(): KubeClient {
    const client: Partial<KubeClient> = {
      create: async (_type, object) => {
        await this.#request();
        this.created.push(structuredClone(object) as KubeObject as KubeEvent);
        return object;
      },
      patch: async <T>(_type: unknown, ref: { name: string }, patch: object) => {
        await this.#request();
        this.patched.push({ name: ref.name, patch });
        return patch as T;
      },
    };
    return client as KubeClient;
  }
}

const refused = (status: number, reason: string) => new ApiError(reason, { status, reason });

test('an event is written as events.k8s.io/v1 takes it', async () => {
  const world = new World();
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1', uid: 'u2' } };
  world.recorder.event(network, 'Warning', 'Refused', 'Bind', 'no such class', node);
  await settle();
  expect(world.created).toEqual([
    {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace: 'tenant', name: expect.stringMatching(/^rental-1\.[0-9a-f]{16}$/) },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'vmnetwork.io/controller',
      reportingInstance: 'pod-1',
      action: 'Bind',
      reason: 'Refused',
      type: 'Warning',
      note: 'no such class',
      regarding: {
        apiVersion: 'vmnetwork.io/v1alpha1',
        kind: 'VMNetwork',
        namespace: 'tenant',
        name: 'rental-1',
        uid: 'u1',
        resourceVersion: '7',
      },
      related: { apiVersion: 'v1', kind: 'Node', name: 'node-1', uid: 'u2' },
    },
  ]);
  world.tell('of a node', node);
  await settle();
  expect(world.created[1]?.metadata.namespace).toBe('default');
  expect(await world.outcomes()).toEqual({ created: 2 });
});

test('long texts and names are cut to what the API server takes', async () => {
  const world = new World();
  const long = {
    ...network,
    metadata: { ...network.metadata, name: `${'a'.repeat(235)}.${'b'.repeat(17)}` },
  };
  world.tell('ü'.repeat(600), long);
  await settle();
  const [event] = world.created;
  expect(event?.note).toBe(`${'ü'.repeat(510)}…`);
  expect(event?.metadata.name).toMatch(/^a{235}\.[0-9a-f]{16}$/);
});

describe('the same event again', () => {
  test('within six minutes is one more of a series, written at most each half minute', async () => {
    const world = new World();
    world.tell();
    await settle();
    for (let second = 0; second < 60; second += 1) {
      world.tell();
      await world.clock.advance(1000);
    }
    expect(world.created).toHaveLength(1);
    expect(world.patched).toEqual([
      {
        name: world.created[0]?.metadata.name,
        patch: { series: { count: 31, lastObservedTime: '2026-01-01T00:00:29.000000Z' } },
      },
      {
        name: world.created[0]?.metadata.name,
        patch: { series: { count: 61, lastObservedTime: '2026-01-01T00:00:59.000000Z' } },
      },
    ]);
    expect(await world.outcomes()).toEqual({ created: 1, aggregated: 60, updated: 2 });
  });

  test('after six minutes of silence, with another note, or of a namesake is a new one', async () => {
    const world = new World();
    world.tell();
    await world.clock.advance(6 * MINUTE);
    world.tell();
    await world.clock.advance(6 * MINUTE + 1);
    world.tell();
    world.tell('it is done otherwise');
    world.tell('it is done', { ...network, metadata: { ...network.metadata, uid: 'u9' } });
    await settle();
    expect(world.created).toHaveLength(4);
  });

  test('of another version of the object is the same', async () => {
    const world = new World();
    world.tell();
    world.tell('it is done', { ...network, metadata: { ...network.metadata, resourceVersion: '8' } });
    await settle();
    expect(world.created).toHaveLength(1);
  });

  test('while the first could not be written yet is written with it', async () => {
    const world = new World();
    world.failure = () => new TypeError('connection refused');
    world.tell();
    await settle();
    world.tell();
    world.tell();
    world.failure = () => null;
    await world.clock.advance(MINUTE);
    expect(world.created).toHaveLength(1);
    expect(world.created[0]?.series?.count).toBe(3);
    expect(world.patched).toEqual([]);
  });

  test('when its object has expired becomes an object again, with all that was counted', async () => {
    const world = new World();
    world.tell();
    await settle();
    world.tell();
    let missing = true;
    world.failure = () => {
      const failure = missing ? refused(404, 'NotFound') : null;
      missing = false;
      return failure;
    };
    await world.clock.advance(MINUTE);
    expect(world.created.map(({ series }) => series?.count)).toEqual([undefined, 2]);
    expect(world.created[1]?.metadata.name).not.toBe(world.created[0]?.metadata.name);
  });
});

describe('nothing waits for it, and nothing overflows', () => {
  test('an object that tells too much is cut short; others are not', async () => {
    const world = new World();
    for (let index = 0; index < 40; index += 1) world.tell(`note ${index}`);
    world.tell('x', { ...network, metadata: { ...network.metadata, name: 'rental-2', uid: 'u2' } });
    await world.clock.advance(1000);
    expect(await world.outcomes()).toEqual({ created: 26, limited: 15 });
    await world.clock.advance(5 * MINUTE);
    world.tell('late');
    world.tell('too late');
    await world.clock.advance(1000);
    expect(await world.outcomes()).toEqual({ created: 27, limited: 16 });
  });

  test('when the queue is full, what comes is dropped and counted', async () => {
    const world = new World();
    let open: () => void = () => undefined;
    world.gate = new Promise((resolve) => (open = resolve));
    for (let index = 0; index < 80; index += 1)
      world.tell('x', { ...network, metadata: { ...network.metadata, uid: `u${index}` } });
    await settle();
    open();
    await world.clock.advance(1000);
    // Fifty that waited; the first waits with them until it is sent.
    expect(await world.outcomes()).toEqual({ created: 50, dropped: 30 });
  });

  test('of an API server that is away it tries again, later each time, then gives up', async () => {
    const world = new World();
    world.failure = () => refused(503, 'ServiceUnavailable');
    world.tell();
    await world.clock.advance(400);
    expect(world.requests).toBe(1);
    await world.clock.advance(200 * 1000);
    expect(world.requests).toBe(8);
    expect(await world.outcomes()).toEqual({ dropped: 1 });
    world.failure = () => null;
    world.tell();
    await settle();
    expect(await world.outcomes()).toEqual({ created: 1, dropped: 1 });
  });

  test.each([
    ['forbidden', refused(403, 'Forbidden')],
    ['of a namespace that is gone', refused(404, 'NotFound')],
    ['invalid', refused(422, 'Invalid')],
  ])('%s: not tried again, counted', async (_, failure) => {
    const world = new World();
    world.failure = () => failure;
    world.tell();
    await world.clock.advance(MINUTE);
    expect([world.requests, await world.outcomes()]).toEqual([1, { refused: 1 }]);
  });

  test('a name that is taken is replaced', async () => {
    const world = new World();
    let taken = true;
    world.failure = () => {
      const failure = taken ? refused(409, 'AlreadyExists') : null;
      taken = false;
      return failure;
    };
    world.tell();
    await world.clock.advance(1000);
    expect([world.requests, world.created.length]).toEqual([2, 1]);
  });
});

describe('flush', () => {
  test('writes at once what a series still owes', async () => {
    const world = new World();
    world.tell();
    await settle();
    world.tell();
    await world.recorder.flush();
    expect(world.patched).toHaveLength(1);
    expect(world.clock.pending).toBe(0);
    await world.recorder.flush();
    expect(world.patched).toHaveLength(1);
  });

  test('writes what came while a write was under way', async () => {
    const world = new World();
    let open: () => void = () => undefined;
    world.gate = new Promise((resolve) => (open = resolve));
    world.tell();
    await settle();
    world.tell();
    const flushed = world.recorder.flush();
    open();
    await flushed;
    expect([world.created.length, world.patched.length, world.clock.pending]).toEqual([1, 1, 0]);
  });

  test('tries once when the API server is away, drops the rest, and ends', async () => {
    const world = new World();
    world.failure = () => new TypeError('connection refused');
    for (let index = 0; index < 10; index += 1) world.tell(`note ${index}`);
    await settle();
    expect(world.requests).toBe(1);
    await world.recorder.flush();
    expect(world.requests).toBeLessThan(4);
    expect(await world.outcomes()).toEqual({ dropped: 10 });
  });

  test('ends after five seconds, or with its signal, when a request hangs', async () => {
    const world = new World();
    world.gate = new Promise(() => undefined);
    world.tell();
    let ended = 0;
    void world.recorder.flush().then(() => (ended += 1));
    const end = new AbortController();
    void world.recorder.flush(end.signal).then(() => (ended += 1));
    await world.clock.advance(4_999);
    expect(ended).toBe(0);
    end.abort();
    await settle();
    expect(ended).toBe(1);
    await world.clock.advance(1);
    expect(ended).toBe(2);
  });
});
