/** Trying the filter on a frame (BPF_PROG_TEST_RUN): nothing is sent. */
import { basename } from 'node:path';
import { VmnError } from '../lib/errors.ts';
import { addon, type NativeTestRun } from './addon.ts';
import { checkedPinDir } from './bpffs.ts';
import type { Direction } from './filter-engine.ts';
import { attempt, type Attempt } from './native-failure.ts';

/** What is known about a frame besides its bytes. */
export interface TestRunMeta {
  mark?: number;
  /** Not 0: the frame is a super-frame, of a kind that the filter refuses. One of UDP segments cannot be tried. */
  gsoSize?: number;
  /** A VLAN tag was taken off the frame and stands beside it. */
  vlanInMetadata?: boolean;
  /** Not 0: the host will still write a checksum there. Such a frame cannot be tried. */
  pendingChecksumOffset?: number;
}

export interface TestRun {
  /** TC_ACT_…: -1 go on (allowed), 2 drop, 7 redirect (an answer). */
  action: number;
  reason: number;
  /** The policy counts and does not enforce: the frame passes although `reason` is one to drop it for. */
  audited: boolean;
  /** What mode Sampled drew by; 0 in other modes. */
  nonce: bigint;
  mark: number;
  /** The frame as the program left it. */
  frame: Uint8Array;
}

const SHORTEST = 14;
const LONGEST = 16_000;

/** Why this frame cannot be tried in the kernel, or null: it can. The same filter on the host has no such limits. */
export function cannotRun(frame: Uint8Array, meta: TestRunMeta = {}): string | null {
  if (frame.byteLength < SHORTEST) return `the kernel takes no frame of less than ${SHORTEST} bytes`;
  if (frame.byteLength > LONGEST) return `the kernel takes no frame of more than ${LONGEST} bytes`;
  if ((meta.pendingChecksumOffset ?? 0) !== 0) return 'the kernel takes no frame with a pending checksum';
  return null;
}

/**
 * Runs a pinned program on one frame. It counts like any other, and is remembered where the policy remembers.
 * @throws VmnError VMN_TEST_RUN for a frame that cannot be tried (cannotRun)
 */
export function testRun(
  pinDir: string,
  direction: Direction,
  frame: Uint8Array,
  meta: TestRunMeta = {},
): TestRun {
  const native = addon();
  return tryFrame(basename(pinDir), direction, frame, meta, (...args) =>
    native.testRun(checkedPinDir(pinDir), ...args),
  );
}

type NativeRun = (
  fromVm: boolean,
  frame: Uint8Array,
  mark: number,
  gsoSize: number,
  vlan: boolean,
) => NativeTestRun;

/** For testRun and the offline filter: the same checks, the same errors. */
export function tryFrame(
  on: string,
  direction: Direction,
  frame: Uint8Array,
  meta: TestRunMeta,
  run: NativeRun,
): TestRun {
  const reason = cannotRun(frame, meta);
  const given: Attempt = { code: 'VMN_TEST_RUN', attempted: 'run the filter on a frame', on };
  if (reason !== null) throw new VmnError(given.code, { ...given, cause: new Error(reason) });
  return attempt(given, () =>
    run(direction === 'from-vm', frame, meta.mark ?? 0, meta.gsoSize ?? 0, meta.vlanInMetadata ?? false),
  );
}
