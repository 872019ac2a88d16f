/**
 * - `TIMEOUT`: no complete answer in time.
 * - `TOO_LARGE`: the answer, or a line of a watch, is longer than what is read.
 * - `BAD_RESPONSE`: something answered that does not speak the API's JSON.
 * - else the code of the system or of TLS: `ECONNREFUSED`, `ECONNRESET`, `CERT_HAS_EXPIRED`, ...
 */
export type TransportErrorCode = 'TIMEOUT' | 'TOO_LARGE' | 'BAD_RESPONSE' | (string & {});

/** What kept the API server's answer from reaching us. Whether a write was done is not known. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Any failure of a socket as a TransportError that says what was asked. */
export function transportError(what: string, cause: unknown): TransportError {
  if (cause instanceof TransportError) return cause;
  const code =
    typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string'
      ? cause.code
      : 'UNKNOWN';
  return new TransportError(
    code,
    `${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  );
}

/** There was no connection to send anything on. */
export function isUnsent(error: unknown): boolean {
  return error instanceof TransportError && ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'].includes(error.code);
}

export function isTooLarge(error: unknown): boolean {
  return error instanceof TransportError && error.code === 'TOO_LARGE';
}

/** The bytes came and are wrong: asking for the same again gives the same. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof TransportError && (error.code === 'TOO_LARGE' || error.code === 'BAD_RESPONSE');
}
