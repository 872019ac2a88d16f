import type { IncomingHttpHeaders } from 'node:http';
import { STATUS_CODES } from '../../lib/http.ts';
import { ApiError } from '../api-error.ts';
import type { ApiErrorCause } from '../api-error.ts';
import { TransportError } from './transport-error.ts';

/** A complete answer of the server. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Enough of what a proxy says to see that it is one. */
const SHOWN_OF_FOREIGN_BODY = 200;
/** Nobody means it who asks for more than a day; and timers have a longest time. */
const LONGEST_RETRY_AFTER_MS = 86_400_000;

/** The object in a 2xx answer; throws `ApiError` for any other, `TransportError` when it is no object. */
export function objectIn(what: string, answer: Answer, nowMs: number): object {
  if (answer.status < 200 || answer.status > 299) throw apiErrorOf(what, answer, nowMs);
  const value = jsonOf(answer.body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TransportError('BAD_RESPONSE', `${what}: the answer is not a JSON object`);
  }
  return value;
}

/** An answer that is no success, as the error it means. Not every proxy in between answers with a Status. */
export function apiErrorOf(what: string, answer: Answer, nowMs: number): ApiError {
  const body = jsonOf(answer.body);
  const retryAfterMs = retryAfterOf(answer.headers['retry-after'], nowMs);
  if (isStatus(body)) return statusError(what, body, answer.status, retryAfterMs);
  const shown = printable(answer.body.subarray(0, SHOWN_OF_FOREIGN_BODY).toString('utf8'));
  const name = STATUS_CODES[answer.status] ?? 'Unknown';
  return new ApiError(`${what}: ${answer.status} ${name}${shown === '' ? '' : `: ${shown}`}`, {
    status: answer.status,
    reason: name.replaceAll(/[^A-Za-z]/g, ''),
    retryAfterMs,
  });
}

/** The Kubernetes Status of a failure: the body of an answer, or the object of an ERROR event in a watch. */
export interface Status {
  readonly kind: 'Status';
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number; readonly causes?: readonly ApiErrorCause[] };
}

export function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status';
}

export function statusError(
  what: string,
  status: Status,
  httpStatus: number,
  retryAfterMs?: number,
): ApiError {
  const { code = httpStatus, reason, message, details } = status;
  const name = STATUS_CODES[code] ?? 'Unknown';
  const seconds = details?.retryAfterSeconds;
  return new ApiError(`${what}: ${code} ${reason ?? name}: ${printable(message ?? 'no message')}`, {
    status: code,
    reason: reason ?? name.replaceAll(/[^A-Za-z]/g, ''),
    retryAfterMs: retryAfterMs ?? (seconds === undefined || seconds <= 0 ? undefined : seconds * 1000),
    causes: details?.causes,
  });
}

/** RFC 9110 10.2.3: seconds, or a date. */
export function retryAfterOf(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS) : undefined;
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    // Callers say what they expected.
    return undefined;
  }
}

/** Messages repeat what tenants wrote; they end up in logs and terminals. */
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').trim();
}
