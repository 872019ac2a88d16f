/**
 * The eBPF engine: one filter for each VM, attached to its tap at both tcx hooks and pinned in `<bpffs root>/<tap>`.
 *
 * Everything here is synchronous and acts in the network namespace of the main thread. Two calls that change the same
 * `pinDir` must not run at once, in other processes neither: the agent's lock sees to that. A call that is interrupted,
 * by SIGKILL too, leaves a filter that enforces what it did or shall, and that reads back as it is or as unknown.
 */
import { release } from 'node:os';
import { basename, dirname } from 'node:path';
import { addon, type NativeHook } from './addon.ts';
import { isBpffs } from './bpffs.ts';
import { attempt, type Attempt } from './native-failure.ts';
import { POLICY_BYTES, policyHash, REASON_SLOTS } from './policy-abi.ts';

export { ensureBpffs, listPins, removePins, removeRootIfEmpty } from './bpffs.ts';
export { openEvents, type FilterEvent } from './events.ts';

export type Direction = 'from-vm' | 'to-vm';

/** One direction, read from the kernel. */
export interface Hook {
  linkId: number;
  programId: number;
  /** Hex; empty when the program is not the pinned one and may not be asked (CAP_SYS_ADMIN). */
  programTag: string;
  /** 0 once the interface is gone. */
  ifindex: number;
  attachPoint: 'tcx/ingress' | 'tcx/egress';
  /** Our program is the first to run at this hook, seen from this network namespace. */
  first: boolean;
}

export interface ReadBack {
  /** null when no link is pinned. */
  fromVm: Hook | null;
  toVm: Hook | null;
  /** The 128 bytes that both programs judge by, when `policyState` is `set`. */
  policy: Uint8Array | null;
  /** `empty` is deny-all. `unknown`: not pinned, or the programs judge by something else; replace the filter. */
  policyState: 'empty' | 'set' | 'unknown';
  /** SHA-256 of the 128 bytes, hex. */
  policyHash: string | null;
}

/** Which code a failure gets follows from what failed, not from who called. */
function attachAttempt(attempted: string, pinDir: string, ifindex: number): Attempt {
  return {
    code: 'VMN_BPF_ATTACH',
    attempted,
    on: `${basename(pinDir)}, ifindex ${ifindex}`,
    means: {
      ENODEV: { remedy: 'The interface is gone; create it again.' },
      EBUSY: { remedy: 'The pinned filter guards another interface: delete that one first.' },
    },
    bySyscall: {
      'bpf(BPF_PROG_LOAD)': 'VMN_BPF_LOAD',
      bpf_object__open: 'VMN_BPF_LOAD',
      'bpf(BPF_MAP_CREATE)': 'VMN_BPF_MAP',
      'bpf(BPF_MAP_UPDATE_ELEM)': 'VMN_BPF_MAP',
    },
    circumstances: ({ code, syscall }) => {
      if (syscall === 'bpf(BPF_LINK_CREATE)' && code === 'EINVAL') {
        return { remedy: `tcx requires Linux >= 6.6; this is Linux ${release()}.` };
      }
      return isBpffs(dirname(pinDir)) ? undefined : { code: 'VMN_BPFFS_MISSING' };
    },
  };
}

/** Tags of the programs this build carries, as this kernel computes them: the kernel is asked once. */
export function programTags(): { fromVm: string; toVm: string } {
  tags ??= attempt({ code: 'VMN_BPF_LOAD', attempted: 'load the filter' }, () => addon().programTags());
  return { ...tags };
}
let tags: { fromVm: string; toVm: string } | undefined;

/**
 * Attaches a deny-all filter to an interface that has none; stale pins of an earlier attempt are removed first. When
 * anything fails, nothing of it stays. A filter of this `pinDir` that is attached there already is never detached: it is
 * replaced by a deny-all one.
 */
export function attachFilter(pinDir: string, ifindex: number): ReadBack {
  attempt(attachAttempt('attach the filter', pinDir, ifindex), () => {
    addon().attachFilter(checkedPinDir(pinDir), ifindex);
  });
  return readBack(pinDir);
}

/**
 * Puts this build's programs, with this policy, in place of those attached, without an instant without either. Also
 * repairs: a direction that lost its link, a program of somebody else in front, a replacement that was interrupted.
 */
export function replaceFilter(pinDir: string, ifindex: number, policy: Uint8Array | null): ReadBack {
  attempt(attachAttempt('replace the filter', pinDir, ifindex), () => {
    addon().replaceFilter(checkedPinDir(pinDir), ifindex, checkedPolicy(policy));
  });
  return readBack(pinDir);
}

/** What the kernel holds now. Parts that are not pinned are null. */
export function readBack(pinDir: string): ReadBack {
  const { fromVm, toVm, policy, policyState } = attempt(
    { code: 'VMN_READ_BACK', attempted: 'read the filter back', on: basename(pinDir) },
    () => addon().readBack(checkedPinDir(pinDir)),
  );
  return {
    fromVm: hookOf(fromVm),
    toVm: hookOf(toVm),
    policy,
    policyState,
    policyHash: policy === null ? null : policyHash(policy),
  };
}

/**
 * Changes the policy of both directions in one instant; null is deny-all. When it returns no frame is judged by the
 * former policy any more; when it throws, the former policy is in force.
 */
export function writePolicy(pinDir: string, policy: Uint8Array | null): void {
  const stale = 'The attached programs are not the pinned ones: replace the filter.';
  attempt(
    {
      code: 'VMN_BPF_MAP',
      attempted: policy === null ? 'empty the policy' : 'write the policy',
      on: basename(pinDir),
      means: { ESTALE: { code: 'VMN_READ_BACK', remedy: stale } },
    },
    () => {
      addon().writePolicy(checkedPinDir(pinDir), checkedPolicy(policy));
    },
  );
}

export interface CounterLine {
  direction: Direction;
  reason: number;
  packets: bigint;
  bytes: bigint;
}

/** Frames since the filter was attached, by direction and reason, over all CPUs; only what is not zero. */
export function counters(pinDir: string): CounterLine[] {
  const lines = attempt({ code: 'VMN_BPF_MAP', attempted: 'read the counters', on: basename(pinDir) }, () =>
    addon().counters(checkedPinDir(pinDir)),
  );
  return lines.map(([slot, packets, bytes]) => ({
    direction: slot < REASON_SLOTS ? 'from-vm' : 'to-vm',
    reason: slot % REASON_SLOTS,
    packets,
    bytes,
  }));
}

export interface TestRunMeta {
  mark?: number;
  /** Not 0: the frame is a super-frame of segments this large. */
  gsoSize?: number;
}

export interface TestRun {
  /** TC_ACT_…: -1 go on (allowed), 2 drop, 7 redirect (an answer). */
  action: number;
  reason: number;
  mark: number;
  /** The frame as the program left it. */
  frame: Uint8Array;
}

/** Runs a pinned program on one frame without sending it. It counts like any other. Needs at least 14 bytes. */
export function testRun(
  pinDir: string,
  direction: Direction,
  frame: Uint8Array,
  meta: TestRunMeta = {},
): TestRun {
  const { action, ...rest } = attempt(
    { code: 'VMN_BPF_LOAD', attempted: 'run the filter on a frame', on: basename(pinDir) },
    () =>
      addon().testRun(
        checkedPinDir(pinDir),
        direction === 'from-vm',
        frame,
        meta.mark ?? 0,
        meta.gsoSize ?? 0,
      ),
  );
  return { action, ...rest };
}

function hookOf(hook: NativeHook | null): Hook | null {
  if (hook === null) return null;
  const { attachType, programTag, ...rest } = hook;
  return {
    ...rest,
    programTag: /^0*$/.test(programTag) ? '' : programTag,
    attachPoint: attachType === BPF_TCX_INGRESS ? 'tcx/ingress' : 'tcx/egress',
  };
}
const BPF_TCX_INGRESS = 46;

/** An absolute path at least two levels deep, whose last part bpffs takes: it reserves names with a dot. */
function checkedPinDir(pinDir: string): string {
  if (!/^\/.*[^/]\/[\w-]+$/.test(pinDir))
    throw new TypeError(`not a folder for pins: ${JSON.stringify(pinDir)}`);
  return pinDir;
}

function checkedPolicy(policy: Uint8Array | null): Uint8Array | null {
  if (policy !== null && policy.byteLength !== POLICY_BYTES) {
    throw new TypeError(`a policy has ${POLICY_BYTES} bytes, not ${policy.byteLength}`);
  }
  return policy;
}
