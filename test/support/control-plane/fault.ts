import type { SeenRequest } from './seen-request.ts';

/** What a {@link FaultProxy} does to a request. */
export type Fault =
  /** The request reaches the server later; other faults may follow. */
  | { do: 'delay'; ms: number }
  /** Answered by the proxy as the server would; the request never reaches it. */
  | { do: 'answer'; status: 401 | 403 | 409 | 410 | 429 | 500 | 503 | 504; retryAfterSeconds?: number }
  /** A watch is accepted, and its only event is the error 410. */
  | { do: 'expire-watch' }
  /** Accepted and never answered, until healed. */
  | { do: 'stall' }
  /** The connection is cut before the request reaches the server. */
  | { do: 'drop' }
  /** The request reaches the server and is done; the connection is cut before the answer. */
  | { do: 'drop-answer' }
  /** The answer is passed on and cut off after this long: in the middle, or (`orderly`) as a server ends a watch. */
  | { do: 'cut'; afterMs: number; orderly?: boolean }
  /** The answer is passed on for this long; then nothing comes any more while the connection stays. */
  | { do: 'freeze'; afterMs: number };

export interface FaultRule {
  /** Default: every request. */
  on?: (request: SeenRequest) => boolean;
  /** So many requests, then the rule is spent. Default: until healed. */
  times?: number;
}

export const isWatch = ({ verb }: SeenRequest): boolean => verb === 'watch';
export const isWrite = ({ verb }: SeenRequest): boolean =>
  ['create', 'update', 'patch', 'delete', 'deletecollection'].includes(verb);

/** The rules in force, oldest first. */
export class FaultRules {
  #rules: { fault: Fault; on: (request: SeenRequest) => boolean; left: number }[] = [];

  /** Returns what takes the rule back. */
  add(fault: Fault, { on = () => true, times = Number.POSITIVE_INFINITY }: FaultRule = {}): () => void {
    const rule = { fault, on, left: times };
    this.#rules.push(rule);
    return () => void (this.#rules = this.#rules.filter((other) => other !== rule));
  }

  clear(): void {
    this.#rules = [];
  }

  /** All delays that meet the request, up to the first fault that decides what becomes of it. */
  take(request: SeenRequest): { delayMs: number; fate: Exclude<Fault, { do: 'delay' }> | null } {
    let delayMs = 0;
    for (const rule of this.#rules) {
      if (rule.left <= 0 || !rule.on(request)) continue;
      rule.left -= 1;
      if (rule.fault.do !== 'delay') return { delayMs, fate: rule.fault };
      delayMs += rule.fault.ms;
    }
    return { delayMs, fate: null };
  }
}

const REASONS: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The object that Kubernetes answers with when it refuses (metav1.Status). */
export function statusObject(code: number, retryAfterSeconds?: number): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: `a fault of the test: ${String(code)}`,
    reason: REASONS[code],
    ...(retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } }),
    code,
  };
}
