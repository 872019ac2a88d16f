import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { ApiError, isNotFound } from '../api-error.ts';
import type { KubeClient, Selection, WatchEvent } from '../client.ts';
import { resourceName } from '../resource.ts';
import type { KubeObject, ResourceType } from '../resource.ts';
import { SharedValues } from '../store/shared-values.ts';
import { isTooLarge } from '../transport/transport-error.ts';
import { listAll } from './pages.ts';
import type { Snapshot } from './pages.ts';
import { compareVersions } from './resource-version.ts';
import { nextStep, SHORT_WATCH_MS, WentBackwards } from './watch-end.ts';
import type { WatchEnd } from './watch-end.ts';
import { Watchdog } from './watchdog.ts';

/*
 * Theory of operation (client-go's tools/cache.Reflector, https://github.com/kubernetes/client-go)
 *
 * A list gives the state of one moment and its version; a watch from that version gives every change since. Bookmarks
 * move the version while nothing changes. Three things end that:
 *
 * - The server ends each watch after the minutes that we asked for: watch again from the last version, at once.
 * - The version is no longer known (410), or means nothing any more (restored or emptied etcd): list again.
 * - The network or the server fails: wait, longer each time, and go on with whichever of the two is safe
 *   (`watch-end.ts`).
 *
 * A connection can die without a word, and has in every client there is. Whatever is silent for longer than the server
 * may be is cut: the server ends each watch by itself, and one that has ever sent bookmarks sends one every minute.
 */

/** Where a reflector puts what it learns. */
export interface ReflectorSink<T> {
  /**
   * All there is: what the sink has beyond that is gone.
   *
   * @param version of the collection now
   * @param heard version up to which the sink was told everything; '' before the first list
   */
  replace(items: readonly T[], version: string, heard: string): void;
  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void;
  /** The server answered. */
  contact(): void;
}

export interface ReflectorOptions extends Selection {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random?: (() => number) | undefined;
  readonly log?: Logger | undefined;
}

export const PAGE_LIMIT = 500;
/** Watches are asked to end after 5 to 10 minutes, each after another time, so that they do not all return at once. */
const WATCH_SECONDS = 300;
/** What the network may take on top of it. */
const GRACE_MS = 30_000;
/** Bookmarks come once a minute; three missed ones are no accident. */
const BOOKMARK_SILENCE_MS = 180_000;
/** A list that held for this long was worth it: the next may come soon. */
const GOOD_LIST_MS = 30_000;

const DELAYS = { initialMs: 1600, longestMs: 30_000, jitter: 0.5 };

export class Reflector<T extends KubeObject> {
  readonly #client: KubeClient;
  readonly #type: ResourceType;
  readonly #selection: Selection;
  readonly #sink: ReflectorSink<T>;
  readonly #shared = new SharedValues();
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger | undefined;
  readonly #listBackoff: Backoff;
  readonly #watchBackoff: Backoff;
  #version = '';
  #pageLimit = PAGE_LIMIT;
  #listedMs = 0;
  #bookmarked = false;

  constructor(client: KubeClient, type: ResourceType, sink: ReflectorSink<T>, options: ReflectorOptions) {
    this.#client = client;
    this.#type = type;
    this.#sink = sink;
    const { namespace, fieldSelector, labelSelector } = options;
    this.#selection = { namespace, fieldSelector, labelSelector };
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#log = options.log;
    this.#listBackoff = new Backoff({ ...DELAYS, random: this.#random });
    this.#watchBackoff = new Backoff({ ...DELAYS, random: this.#random });
  }

  /** Goes on until the signal aborts, whatever happens; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await this.#list(signal);
        await this.#follow(signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Ends with a list that the sink has. */
  async #list(signal: AbortSignal): Promise<void> {
    // A list soon after a list means that the watch in between came to nothing.
    if (this.#listedMs > 0 && this.#clock.monotonicMs() - this.#listedMs > GOOD_LIST_MS)
      this.#listBackoff.reset();
    if (this.#listedMs > 0) await this.#clock.sleep(this.#listBackoff.nextMs(), signal);
    while (true) {
      try {
        const snapshot = await this.#snapshot(signal);
        const heard = this.#version;
        this.#version = snapshot.resourceVersion;
        this.#listedMs = this.#clock.monotonicMs();
        this.#sink.contact();
        this.#sink.replace(snapshot.items, this.#version, heard);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (isTooLarge(error) && this.#pageLimit > 1) {
          this.#pageLimit = Math.floor(this.#pageLimit / 2);
          this.#say(error, 0, `list is too large; trying pages of ${this.#pageLimit}`);
          continue;
        }
        const delayMs = patience(error, this.#listBackoff.nextMs());
        const said = isNotFound(error)
          ? 'list failed: the API server does not serve this resource; is its CustomResourceDefinition installed?'
          : 'list failed';
        this.#say(error, delayMs, said);
        await this.#clock.sleep(delayMs, signal);
      }
    }
  }

  #snapshot(signal: AbortSignal): Promise<Snapshot<T>> {
    // Each page at once: all of them as they were parsed take several times the memory.
    const onObject = (object: T) => this.#shared.share(object);
    return listAll<T>(this.#client, this.#type, this.#selection, this.#pageLimit, onObject, signal);
  }

  /** Watches, again and again, until only a list can help. */
  async #follow(signal: AbortSignal): Promise<void> {
    this.#watchBackoff.reset();
    while (!signal.aborted) {
      const end = await this.#watch(signal);
      signal.throwIfAborted();
      const lived = end.opened && end.livedMs >= SHORT_WATCH_MS;
      if (lived) this.#watchBackoff.reset();
      const inOrder = end.error === undefined && lived;
      const next = nextStep(end);
      // The wait before a list is that of #list.
      const delayMs = next === 'list' || inOrder ? 0 : patience(end.error, this.#watchBackoff.nextMs());
      if (!inOrder)
        this.#say(end.error, delayMs, end.error === undefined ? 'watch ended at once' : 'watch failed');
      if (next === 'list') return;
      if (delayMs > 0) await this.#clock.sleep(delayMs, signal);
      if (next === 'probe' && !(await this.#isWhereWeLeftIt(signal))) return;
    }
  }

  async #watch(signal: AbortSignal): Promise<WatchEnd> {
    const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + this.#random()));
    const silenceMs = Math.min(
      timeoutSeconds * 1000 + GRACE_MS,
      this.#bookmarked ? BOOKMARK_SILENCE_MS : Number.POSITIVE_INFINITY,
    );
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const watchdog = new Watchdog(this.#clock, silenceMs, () =>
      stop.abort(new Error(`nothing heard for ${silenceMs / 1000} s`)),
    );
    let openedMs: number | null = null;
    const ended = (error?: unknown): WatchEnd => ({
      error,
      opened: openedMs !== null,
      askedMs: timeoutSeconds * 1000,
      livedMs: openedMs === null ? 0 : this.#clock.monotonicMs() - openedMs,
    });
    try {
      const events = this.#client.watch<T>(
        this.#type,
        {
          ...this.#selection,
          resourceVersion: this.#version,
          allowWatchBookmarks: true,
          timeoutSeconds,
          onOpen: () => {
            openedMs = this.#clock.monotonicMs();
            watchdog.heard();
            this.#sink.contact();
          },
        },
        stop.signal,
      );
      for await (const event of events) {
        // What was under way when we were told to stop is not told any more.
        signal.throwIfAborted();
        watchdog.heard();
        this.#sink.contact();
        this.#take(event);
      }
      return ended();
    } catch (error) {
      return ended(error);
    } finally {
      watchdog.stop();
      signal.removeEventListener('abort', onAbort);
    }
  }

  #take({ type, object }: WatchEvent<T>): void {
    const version = object.metadata.resourceVersion;
    if (version !== undefined) {
      const order = compareVersions(version, this.#version);
      if (order !== null && order < 0) {
        throw new WentBackwards(`version ${version} came after ${this.#version}; the server lost its past`);
      }
      this.#version = version;
    }
    if (type === 'BOOKMARK') {
      this.#bookmarked = true;
      return;
    }
    this.#shared.share(object);
    this.#sink.apply(type, object);
  }

  /** One object is enough to see at which version the collection is. A failure counts as no. */
  async #isWhereWeLeftIt(signal: AbortSignal): Promise<boolean> {
    try {
      const { metadata } = await this.#client.list(this.#type, { ...this.#selection, limit: 1 }, signal);
      const order = compareVersions(metadata.resourceVersion, this.#version);
      return order !== null && order >= 0;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  }

  #say(error: unknown, delayMs: number, what: string): void {
    const fields = { err: error, resource: resourceName(this.#type), retryInMs: Math.round(delayMs) };
    this.#log?.warn(fields, what);
  }
}

/** As long as the server asks for, if that is longer than what we would wait anyway. */
function patience(error: unknown, ownMs: number): number {
  return error instanceof ApiError ? Math.max(ownMs, error.retryAfterMs ?? 0) : ownMs;
}
