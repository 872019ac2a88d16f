import { isDrop, reasonName } from '../../filter/drop-reason.ts';
import type { CounterLine } from '../../native/counters.ts';
import type { Policy, PolicyEndpoint } from '../../native/policy-abi.ts';
import type { CountedFilter, Look } from '../filters/look.ts';
import { increases, rateOf } from '../top/rates.ts';

/** Frames of one direction that went one way through the filter. */
export interface Passage {
  readonly direction: CounterLine['direction'];
  /** Name of the reason by which they passed; `audited`: whatever they broke; `dropped`: for whatever reason. */
  readonly way: string;
  /** Since the maps of the filter were made, over changes of policy and mode. */
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly packetsPerSecond: number;
  readonly bitsPerSecond: number;
}

/** Whom a VM may speak to by the policy in the kernel, and how its frames came through. */
export interface VmFlows {
  readonly vm: string;
  readonly tap: string;
  /** Null, and all that follows from it: nothing passes, or the policy is of another version. */
  readonly mode: Policy['mode'] | null;
  readonly generation: bigint | null;
  readonly guest: string | null;
  /** `address:port` */
  readonly endpoint: string | null;
  /** It passes until its grace is over. */
  readonly previousEndpoint: string | null;
  readonly passages: readonly Passage[];
}

/** Pure. `policies`: by folder of pins, as read back. A filter that was not in both looks has rates of 0. */
export function vmFlows(before: Look, now: Look, policies: ReadonlyMap<string, Policy | null>): VmFlows[] {
  const seconds = Math.max(now.atMs - before.atMs, 1) / 1000;
  return now.filters.map((filter) => {
    const old = before.filters.find(({ pinDir }) => pinDir === filter.pinDir) ?? filter;
    const { vm, tap, pinDir } = filter;
    return { vm, tap, ...ends(policies.get(pinDir) ?? null), passages: passages(old, filter, seconds) };
  });
}

function ends(policy: Policy | null): Omit<VmFlows, 'vm' | 'tap' | 'passages'> {
  if (policy === null)
    return { mode: null, generation: null, guest: null, endpoint: null, previousEndpoint: null };
  const { mode, generation, guestAddress, endpoint, previous } = policy;
  const text = ({ address, port }: PolicyEndpoint): string => `${address}:${port}`;
  return {
    mode,
    generation,
    guest: guestAddress,
    endpoint: endpoint === null ? null : text(endpoint),
    previousEndpoint: previous === null ? null : text(previous),
  };
}

/** ARP stays out: it is no flow, and the filter answers it itself. */
const NO_FLOW = 'ArpAnswered';

function passages(before: CountedFilter, now: CountedFilter, seconds: number): Passage[] {
  const more = increases(before, now);
  const ways = new Map<string, CounterLine[]>();
  for (const line of now.counts) {
    const key = keyOf(line);
    if (wayOf(line) !== NO_FLOW) ways.set(key, [...(ways.get(key) ?? []), line]);
  }
  return [...ways]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, lines]): Passage[] => {
      const [first] = lines;
      if (first === undefined) return [];
      const since = more.filter((line) => keyOf(line) === key);
      const sum = (of: (line: CounterLine) => bigint): bigint =>
        lines.reduce((total, line) => total + of(line), 0n);
      return [
        {
          direction: first.direction,
          way: wayOf(first),
          packets: sum(({ packets }) => packets),
          bytes: sum(({ bytes }) => bytes),
          ...rateOf(since, seconds),
        },
      ];
    });
}

function keyOf(line: CounterLine): string {
  return `${line.direction} ${wayOf(line)}`;
}

function wayOf({ reason, audited }: CounterLine): string {
  if (audited) return 'audited';
  return isDrop(reason) ? 'dropped' : reasonName(reason);
}
