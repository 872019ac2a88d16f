/**
 * The eBPF engine: one filter for each VM, attached to its tap in both directions and pinned in `<bpffs root>/<tap>`.
 *
 * Everything here is synchronous and acts in the network namespace of the main thread. Two calls that change the same
 * `pinDir` must not run at once, in other processes neither: the agent's lock sees to that. A call that is interrupted,
 * by SIGKILL too, leaves a filter that enforces what it did or shall, and that reads back as it is or as unknown.
 */
import { basename } from 'node:path';
import { addon, type NativeHook } from './addon.ts';
import { checkedPinDir } from './bpffs.ts';
import { attaching, loading } from './kernel-attempt.ts';
import { attempt } from './native-failure.ts';
import { checkedPolicy, policyHash } from './policy-abi.ts';

export { ensureBpffs, listPins, removePins, removeRootIfEmpty, setPinsAside } from './bpffs.ts';
export { counters, eventLoss, violations, type CounterLine, type EventLoss } from './counters.ts';
export { openEvents, type FilterEvent } from './events.ts';
export { tunnelSeen, type TunnelSeen } from './tunnel.ts';
export { testRun, type TestRun, type TestRunMeta } from './test-run.ts';

export type Direction = 'from-vm' | 'to-vm';

/** How a filter is attached: tcx where the kernel has it (Linux 6.6), else a tc filter on a clsact qdisc. */
export type HookKind = 'tcx' | 'clsact';
const HOOK_KINDS = { best: 0, tcx: 1, clsact: 2 } as const;

/** For tests: `hook` instead of the better one that the kernel has. What is attached already keeps its kind. */
export interface AttachOptions {
  hook?: HookKind;
}

/** One direction, read from the kernel. */
export interface Hook {
  /** 0 for clsact, which has filters and no links. */
  linkId: number;
  programId: number;
  /** Hex; empty when the program is not the pinned one and may not be asked (CAP_SYS_ADMIN). */
  programTag: string;
  /** 0 once the interface, or with clsact our filter on it, is gone. */
  ifindex: number;
  attachPoint: 'tcx/ingress' | 'tcx/egress' | 'clsact/ingress' | 'clsact/egress';
  /** Our program is the first to run at this hook, seen from this network namespace. */
  first: boolean;
  /** Whoever else is at this hook, seen from this network namespace, in the order in which they run. */
  others: readonly OtherProgram[];
}

export interface OtherProgram {
  /** 0: something that is no program. */
  readonly programId: number;
  /** As its maker called it; empty when that may not be asked (CAP_SYS_ADMIN). */
  readonly name: string;
}

/** Whether a program calls itself one of ours, of any version: what bpf/ names them. */
export function isNamedAsOurs({ name }: OtherProgram): boolean {
  return name === 'vmn_from_vm' || name === 'vmn_to_vm';
}

export interface ReadBack {
  /** null when nothing is pinned that would be attached. */
  fromVm: Hook | null;
  toVm: Hook | null;
  /** The 128 bytes that both programs judge by, when `policyState` is `set`. */
  policy: Uint8Array | null;
  /** `empty` is deny-all. `unknown`: not pinned, or the programs judge by something else; replace the filter. */
  policyState: 'empty' | 'set' | 'unknown';
  /** Of the policy but for its secret: policyHash. */
  policyHash: string | null;
}

/** Tags of the programs this build carries, as this kernel computes them: the kernel is asked once. */
export function programTags(): { fromVm: string; toVm: string } {
  tags ??= attempt(loading('load the filter'), () => addon().programTags());
  return { ...tags };
}
let tags: { fromVm: string; toVm: string } | undefined;

/**
 * Attaches a deny-all filter to an interface that has none; stale pins of an earlier attempt are removed first. When
 * anything fails, nothing of it stays. A filter of this `pinDir` that is attached there already is never detached: it is
 * replaced by a deny-all one.
 */
export function attachFilter(pinDir: string, ifindex: number, options: AttachOptions = {}): ReadBack {
  attempt(attaching('attach the filter', pinDir, ifindex), () => {
    addon().attachFilter(checkedPinDir(pinDir), ifindex, hookKind(options));
  });
  return readBack(pinDir);
}

/**
 * Puts this build's programs, with this policy, in place of those attached, without an instant without either. Also
 * repairs: a direction that lost its link, a program of somebody else in front, a replacement that was interrupted.
 */
export function replaceFilter(
  pinDir: string,
  ifindex: number,
  policy: Uint8Array | null,
  options: AttachOptions = {},
): ReadBack {
  attempt(attaching('replace the filter', pinDir, ifindex), () => {
    addon().replaceFilter(checkedPinDir(pinDir), ifindex, hookKind(options), checkedPolicy(policy));
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

function hookOf(hook: NativeHook | null): Hook | null {
  if (hook === null) return null;
  const { kind, ingress, programTag, ...rest } = hook;
  return {
    ...rest,
    programTag: /^0*$/.test(programTag) ? '' : programTag,
    attachPoint: `${kind}/${ingress ? 'ingress' : 'egress'}`,
  };
}

/** VMNET_HOOK does for a whole process what `hook` does for a call. */
function hookKind({ hook }: AttachOptions): number {
  const wanted = hook ?? process.env['VMNET_HOOK'] ?? 'best';
  if (!Object.hasOwn(HOOK_KINDS, wanted))
    throw new TypeError(`not a kind of hook: ${JSON.stringify(wanted)}`);
  return HOOK_KINDS[wanted as keyof typeof HOOK_KINDS];
}
