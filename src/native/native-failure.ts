/** What the addon throws, and how it becomes an error of ours: a code, what was attempted, on what, what to do. */
import { type ErrorCode, isExhaustion, VmnError } from '../lib/errors.ts';

/** An Error of the addon: `code` is the errno's name, `detail` long text such as the verifier's log. */
export interface NativeFailure extends Error {
  code: string;
  errno: number;
  syscall: string;
  detail?: string;
}

export function isNativeFailure(error: unknown): error is NativeFailure {
  // By shape, not instanceof: the addon may live in another realm than its caller, as in tests.
  return (
    typeof error === 'object' && error !== null && 'syscall' in error && 'errno' in error && 'code' in error
  );
}

/** Whether the addon failed with this errno, for example `ENOENT`. */
export function failedWith(error: unknown, ...codes: readonly string[]): boolean {
  return isNativeFailure(error) && codes.includes(error.code);
}

export interface Attempt {
  /** The code when nothing more precise is known about the errno. */
  readonly code: ErrorCode;
  readonly attempted: string;
  readonly on?: string;
  /** Looked at first, for what only the circumstances tell. */
  readonly circumstances?: (cause: NativeFailure) => Meaning | undefined;
  /** System call of the failure to a more precise code. */
  readonly bySyscall?: Readonly<Record<string, ErrorCode>>;
  /** Errno name to what it means here. */
  readonly means?: Readonly<Record<string, Meaning>>;
}

export interface Meaning {
  readonly code?: ErrorCode;
  readonly remedy?: string;
}

const PRIVILEGE: Meaning = {
  code: 'VMN_CAPABILITY',
  remedy: 'Run as root or with CAP_BPF and CAP_NET_ADMIN.',
};

/** What an errno means whoever asked. */
function inGeneral({ code, syscall }: NativeFailure): Meaning {
  // The verifier says EACCES of a program it does not take; who may not load at all gets EPERM.
  if (code === 'EACCES' && syscall === 'bpf(BPF_PROG_LOAD)') return { code: 'VMN_BPF_LOAD' };
  return code === 'EPERM' || code === 'EACCES' ? PRIVILEGE : {};
}

/** Runs a call of the addon; what the addon throws becomes a VmnError, with the original as its `cause`. */
export function attempt<T>(given: Attempt, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (!isNativeFailure(cause)) throw cause;
    // Where something is used up, what else is missing cannot be found out by trying.
    const circumstances = isExhaustion(cause) ? undefined : given.circumstances?.(cause);
    const meaning = circumstances ?? given.means?.[cause.code] ?? inGeneral(cause);
    const code = meaning.code ?? given.bySyscall?.[cause.syscall] ?? given.code;
    throw new VmnError(code, {
      attempted: given.attempted,
      ...(given.on === undefined ? {} : { on: given.on }),
      ...(meaning.remedy === undefined ? {} : { remedy: meaning.remedy }),
      cause,
    });
  }
}
