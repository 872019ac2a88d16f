import { ApiError } from '../api-error.ts';
import { backoffMs } from '../../lib/backoff.ts';
import { TransportError } from './transport-error.ts';

/** Times that a request is sent, all in all. */
export const MAX_ATTEMPTS = 3;

/** A server that asks for more patience than this gets it from the caller, who has better things to do meanwhile. */
const LONGEST_WAIT_MS = 10_000;

const NOT_REACHED = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
];

/**
 * How long to wait before sending a request once more, ms; null: not at all, the error is the caller's.
 * A read does no harm twice. Of a write, only 429 says for certain that it was not done.
 *
 * @param attempt how many times it was sent before this failure, beginning with 0
 */
export function retryDelayMs(
  attempt: number,
  kind: 'read' | 'write',
  error: unknown,
  random: () => number,
): number | null {
  if (attempt + 1 >= MAX_ATTEMPTS || !mayRepeat(kind, error)) return null;
  const ownMs = backoffMs(attempt, { initialMs: 200, longestMs: 2000, jitter: 0.5, random });
  const askedMs = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
  if (askedMs > LONGEST_WAIT_MS) return null;
  // Some jitter on top of what was asked, or all who were asked return in the same instant.
  return askedMs === 0 ? ownMs : askedMs + ownMs;
}

function mayRepeat(kind: 'read' | 'write', error: unknown): boolean {
  if (error instanceof ApiError) {
    return error.status === 429 || (kind === 'read' && error.status >= 500);
  }
  return kind === 'read' && error instanceof TransportError && NOT_REACHED.includes(error.code);
}
