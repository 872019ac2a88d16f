import { ApiError, isTooManyRequests } from '../api-error.ts';
import { isUnreadable } from '../transport/transport-error.ts';

/** Thrown within a watch that is to be begun anew from a list. */
export class WentBackwards extends Error {
  override readonly name = 'WentBackwards';
}

/** How a watch ended. */
export interface WatchEnd {
  /** Undefined: the server ended it in order. */
  readonly error?: unknown;
  /** The server had accepted it. */
  readonly opened: boolean;
  /** Since it was accepted, ms. */
  readonly livedMs: number;
  /** As long as it was asked to live, ms. */
  readonly askedMs: number;
}

/**
 * - `watch`: go on from the last version that was seen.
 * - `probe`: the same, after making sure that the server still is where we left it.
 * - `list`: the last version that was seen is worth nothing.
 */
export type NextStep = 'watch' | 'probe' | 'list';

/** A server that ends watches faster than this is not well. */
export const SHORT_WATCH_MS = 500;

/** Clocks differ a little. */
const ON_TIME_MS = 5_000;

/**
 * What follows the end of a watch. A watch from a version that the server has not reached yet gives no error and no
 * events (the watch cache drops what is not newer). So a server that may have lost its data is never asked for one:
 * after it could not be reached or refused a watch comes a list, and where one only broke or ended before its time, as
 * when a server is shut down, a probe.
 */
export function nextStep({ error, opened, livedMs, askedMs }: WatchEnd): NextStep {
  if (error === undefined) return livedMs < askedMs - ON_TIME_MS ? 'probe' : 'watch';
  if (isTooManyRequests(error)) return 'watch';
  // What was unreadable would come again.
  if (error instanceof ApiError || error instanceof WentBackwards || isUnreadable(error)) return 'list';
  return opened ? 'probe' : 'list';
}
