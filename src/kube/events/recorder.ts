import { Backoff } from '../../lib/backoff.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { TokenBucket } from '../../lib/token-bucket.ts';
import { ApiError, isAlreadyExists, isForbidden, isNotFound, isTooManyRequests } from '../api-error.ts';
import type { KubeClient } from '../client.ts';
import type { KubeObject } from '../resource.ts';
import { EVENT, type EventType, type KubeEvent, referenceTo } from './kube-event.ts';
import { type EventBody, identityOf, objectKey, Series } from './series.ts';

/** Tells people, by Events, what was done about an object and why. Best effort: nothing waits for it or fails by it. */
export interface EventRecorder {
  /** `reason` and `action` are words of CamelCase; `note` is a sentence, cut to 1024 bytes. Returns at once; never throws. */
  event(
    regarding: KubeObject,
    type: EventType,
    reason: string,
    action: string,
    note: string,
    related?: KubeObject,
  ): void;
  /** Writes what has not been written. Ends then, when the signal aborts, or, without one, after 5 s. Never throws. */
  flush(signal?: AbortSignal): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** A qualified name, for example `vmnetwork.io/controller`. */
  readonly reportingController: string;
  /** Which of them, for example the pod's name. */
  readonly reportingInstance: string;
  readonly clock: Clock;
  readonly random?: (() => number) | undefined;
  readonly log: Logger;
  readonly metrics?: Metrics | undefined;
  /** Series that wait to be written; more are dropped. Default 1000. */
  readonly capacity?: number | undefined;
}

/** The same event within this time is one more of its series; client-go's figure. */
const SERIES_MS = 6 * 60_000;
/** Pause between two writes of a series. */
const SERIES_WRITE_MS = 30_000;
const REMEMBERED = 4096;
/** New events of one object: 25 at once, then one each 5 minutes. The figures of client-go's spam filter. */
const PER_OBJECT = { burst: 25, perSecond: 1 / 300 };
/** Writes of all objects together. */
const ALTOGETHER = { burst: 100, perSecond: 10 };
const TRIES = 8;
const RETRY = { initialMs: 500, longestMs: 30_000, jitter: 0.5 };
const FLUSH_MS = 5_000;

export function eventRecorder(options: EventRecorderOptions): EventRecorder {
  return new Recorder(options);
}

class Recorder implements EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #capacity: number;
  readonly #writes: TokenBucket;
  /** By identity, least recently seen first. */
  readonly #series = new Map<string, { readonly series: Series; lastMs: number; due: Timer | null }>();
  /** By object, least recently seen first. */
  readonly #buckets = new Map<string, TokenBucket>();
  /** Series to be written, in order. */
  readonly #waiting = new Set<Series>();
  #writing: Promise<void> | null = null;
  /** Aborted while a flush waits: no more pauses. */
  #hurry = new AbortController();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? 1000;
    this.#writes = new TokenBucket({ ...ALTOGETHER, clock: options.clock });
  }

  event(
    regarding: KubeObject,
    type: EventType,
    reason: string,
    action: string,
    note: string,
    related?: KubeObject,
  ): void {
    const { clock, reportingController, reportingInstance, metrics } = this.#options;
    const body: EventBody = {
      ...{ type, reason, action, note, reportingController, reportingInstance },
      regarding: referenceTo(regarding),
      ...(related === undefined ? {} : { related: referenceTo(related) }),
    };
    const identity = identityOf(body);
    const nowMs = clock.monotonicMs();
    const known = this.#series.get(identity);
    this.#series.delete(identity);
    if (known !== undefined && nowMs - known.lastMs <= SERIES_MS) {
      known.series.again(clock.now());
      known.lastMs = nowMs;
      this.#series.set(identity, known);
      if (!this.#waiting.has(known.series))
        known.due ??= clock.setTimer(SERIES_WRITE_MS, () => {
          known.due = null;
          this.#enqueue(known.series);
        });
      return metrics?.event('aggregated');
    }
    if (!this.#allows(objectKey(body.regarding))) return metrics?.event('limited');
    const series = new Series(body, clock.now());
    this.#series.set(identity, { series, lastMs: nowMs, due: null });
    this.#forget(nowMs);
    this.#enqueue(series);
  }

  async flush(signal?: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (const known of this.#series.values()) {
      known.due?.cancel();
      known.due = null;
      if (known.series.behind) this.#enqueue(known.series);
    }
    if (this.#writing === null) return;
    this.#hurry.abort();
    const writing = this.#writing;
    await new Promise<void>((resolve) => {
      const end = () => {
        limit?.cancel();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const limit = signal === undefined ? clock.setTimer(FLUSH_MS, end) : null;
      if (signal?.aborted === true) return end();
      signal?.addEventListener('abort', end, { once: true });
      void writing.finally(end);
    });
  }

  #enqueue(series: Series): void {
    if (this.#waiting.has(series)) return;
    if (this.#waiting.size >= this.#capacity) {
      this.#drop(series);
      return this.#options.metrics?.event('dropped');
    }
    this.#waiting.add(series);
    this.#writing ??= this.#write();
  }

  /** Writes what waits, one after the other, until nothing does. Never rejects. */
  async #write(): Promise<void> {
    for (let [series] = this.#waiting; series !== undefined; [series] = this.#waiting) {
      await this.#pause(this.#writes.reserveMs());
      this.#waiting.delete(series);
      if (!series.behind) continue;
      const fate = await this.#writeOne(series);
      if (!this.#hurry.signal.aborted) continue;
      // Whoever flushes is about to end: what came meanwhile is written now, and what one could not, the next cannot either.
      if (fate === 'written' && series.behind) this.#waiting.add(series);
      if (fate === 'given up') this.#dropAll();
    }
    this.#hurry = new AbortController();
    this.#writing = null;
  }

  async #writeOne(series: Series): Promise<'written' | 'refused' | 'given up'> {
    const { metrics, log, random } = this.#options;
    const backoff = new Backoff({ ...RETRY, ...(random === undefined ? {} : { random }) });
    while (backoff.failures < TRIES) {
      const existed = series.exists;
      const count = series.count;
      try {
        await this.#send(series);
        series.wrote(count);
        metrics?.event(existed ? 'updated' : 'created');
        return 'written';
      } catch (err) {
        const delayMs = backoff.nextMs();
        if (existed ? isNotFound(err) : isAlreadyExists(err)) {
          series.renew();
        } else if (err instanceof ApiError && err.status < 500 && !isTooManyRequests(err)) {
          // Of a namespace that is being deleted, or that events may not be written to: nothing is wrong with us.
          const level = isForbidden(err) || isNotFound(err) ? 'debug' : 'warn';
          log[level]({ err, event: series.toObject() }, 'an Event was refused');
          this.#drop(series);
          metrics?.event('refused');
          return 'refused';
        } else {
          if (this.#hurry.signal.aborted) break;
          await this.#pause(delayMs);
        }
      }
    }
    log.debug({ event: series.toObject() }, 'an Event could not be written');
    this.#drop(series);
    metrics?.event('dropped');
    return 'given up';
  }

  async #send(series: Series): Promise<void> {
    const { client } = this.#options;
    const { namespace, name } = series;
    if (series.exists) await client.patch<KubeEvent>(EVENT, { namespace, name }, series.toPatch());
    else await client.create<KubeEvent>(EVENT, series.toObject());
  }

  /** Cut short by a flush. */
  async #pause(ms: number): Promise<void> {
    if (ms > 0) await this.#options.clock.sleep(ms, this.#hurry.signal).catch(() => undefined);
  }

  /** A later one of the same is a new event, not one more of what nobody can see. */
  #drop(series: Series): void {
    this.#waiting.delete(series);
    for (const [identity, known] of this.#series) {
      if (known.series !== series) continue;
      known.due?.cancel();
      this.#series.delete(identity);
    }
  }

  #dropAll(): void {
    for (const series of this.#waiting) {
      this.#drop(series);
      this.#options.metrics?.event('dropped');
    }
    this.#waiting.clear();
  }

  /** The object may have one more new event. */
  #allows(object: string): boolean {
    const bucket =
      this.#buckets.get(object) ?? new TokenBucket({ ...PER_OBJECT, clock: this.#options.clock });
    const allowed = bucket.tryTake();
    this.#buckets.delete(object);
    this.#buckets.set(object, bucket);
    const [[oldest, its] = []] = this.#buckets;
    if (oldest !== undefined && (this.#buckets.size > REMEMBERED || its?.full === true))
      this.#buckets.delete(oldest);
    return allowed;
  }

  /** Series that have ended, and the oldest when there are too many. What they still owe was due and is written. */
  #forget(nowMs: number): void {
    for (const [identity, known] of this.#series) {
      if (this.#series.size <= REMEMBERED && nowMs - known.lastMs <= SERIES_MS) return;
      this.#series.delete(identity);
    }
  }
}
