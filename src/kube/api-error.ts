/**
 * What the API server answered when it did not do what was asked.
 * Reasons: https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** HTTP status. */
  readonly status: number;
  /** Machine-readable, as in the server's Status: `NotFound`, `Conflict`, `Invalid`, ... */
  readonly reason: string;
  /** The server asked not to be asked again before this time has passed, ms. */
  readonly retryAfterMs?: number;
  /** Each field the server objects to. */
  readonly causes: readonly ApiErrorCause[];

  constructor(
    message: string,
    options: {
      status: number;
      reason: string;
      retryAfterMs?: number | undefined;
      causes?: readonly ApiErrorCause[] | undefined;
    },
  ) {
    super(message);
    this.status = options.status;
    this.reason = options.reason;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    this.causes = options.causes ?? [];
  }
}

export interface ApiErrorCause {
  readonly reason?: string;
  readonly field?: string;
  readonly message?: string;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'AlreadyExists';
}

/** The resourceVersion (or uid) given is no longer that of the object, or another field manager owns the field. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason !== 'AlreadyExists';
}

/** The resourceVersion or continue token is older than what the server remembers. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410;
}

export function isTooManyRequests(error: unknown): boolean {
  return error instanceof ApiError && error.status === 429;
}

export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}
