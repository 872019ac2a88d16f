import type { KubeClient } from '../../../../src/kube/client.ts';
import { fence } from '../../../../src/kube/fenced-client.ts';
import { informer, type Informer, type InformerEvent } from '../../../../src/kube/reflector/informer.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { clientOf, lamp, LAMPS, type Lamp } from '../transport/client.ts';
import { until } from '../transport/scripted-server.ts';
import { ScriptedCollection } from './scripted-collection.ts';

/** Time limits of requests are tried elsewhere; here the fake clock may run far ahead of the network. */
const NO_LIMIT_MS = 1e12;

/** An informer on a clock of the test's, following a scripted collection. */
export class Trial {
  readonly collection: ScriptedCollection;
  readonly clock = new FakeClock();
  readonly told: string[] = [];
  readonly events: InformerEvent<Lamp>[] = [];
  readonly said: string[] = [];
  /** How much had been told each time that the server was found to have lost its past. */
  readonly lostPast: number[] = [];
  readonly informer: Informer<Lamp>;
  readonly #stop = new AbortController();
  #run: Promise<void> = Promise.resolve();
  #open = false;

  constructor(collection: ScriptedCollection, random: () => number, maxBodyBytes: number) {
    this.collection = collection;
    const client = clientOf(collection.server.url, {
      clock: this.clock,
      requestTimeoutMs: NO_LIMIT_MS,
      maxBodyBytes,
    });
    const log = { warn: (_: object, text: string) => this.said.push(text), error: () => undefined };
    const setOpen = (open: boolean): void => {
      this.#open = open;
    };
    const watched: KubeClient = {
      ...fence(client, () => true),
      watch: async function* (type, options, signal) {
        const onOpen = (): void => {
          options.onOpen?.();
          setOpen(true);
        };
        try {
          yield* client.watch(type, { ...options, onOpen }, signal);
        } finally {
          setOpen(false);
        }
      },
    };
    this.informer = informer<Lamp>(watched, LAMPS, {
      clock: this.clock,
      random,
      log: log as never,
      indexers: { bright: (object) => [String(object.spec?.bright)] },
      onLostPast: () => this.lostPast.push(this.told.length),
    });
    this.informer.onEvent((event) => {
      this.events.push(event);
      const { name, resourceVersion = '' } = event.object.metadata;
      this.told.push(`${event.type} ${name}@${resourceVersion}`);
    });
  }

  start(): this {
    this.#run = this.informer.start(this.#stop.signal);
    return this;
  }

  /** There is a watch, and the client knows. */
  get open(): boolean {
    return this.collection.live === 1 && this.#open;
  }

  /** Until there is a watch. */
  async following(): Promise<this> {
    this.start();
    await this.informer.synced();
    await until(() => this.open, 'a watch');
    return this;
  }

  /** Lets time pass until it is so. */
  async pass(condition: () => boolean, what: string, stepMs = 200): Promise<void> {
    const end = performance.now() + 25_000;
    while (!condition()) {
      if (performance.now() > end) throw new Error(`waited in vain: ${what}; said: ${this.said.join(', ')}`);
      await this.clock.advance(stepMs);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  names(): string[] {
    return this.informer.store.list().map(({ metadata }) => metadata.name);
  }

  stop(): Promise<void> {
    this.#stop.abort(new Error('the test is over'));
    return this.#run;
  }
}

/** Sends one and waits until it has been read; time must have passed since the last contact. */
export async function bookmark(it: Trial, version: number): Promise<void> {
  if (it.informer.lastContactMs >= it.clock.monotonicMs()) throw new Error('let time pass before a bookmark');
  it.collection.send('BOOKMARK', {
    ...lamp('', 1),
    metadata: { name: '', resourceVersion: String(version) },
  });
  await until(() => it.informer.lastContactMs === it.clock.monotonicMs(), 'the bookmark is read');
}

const trials: Trial[] = [];

/** Ended by `endTrials`. */
export async function trial(random = () => 0, maxBodyBytes = 1 << 20): Promise<Trial> {
  const made = new Trial(await ScriptedCollection.start(), random, maxBodyBytes);
  trials.push(made);
  return made;
}

export async function endTrials(): Promise<void> {
  for (const made of trials.splice(0)) {
    await made.stop();
    await made.collection.server.close();
  }
}
