import { isDrop, reasonName } from '../../filter/drop-reason.ts';
import type { CounterLine } from '../../native/counters.ts';
import type { CountedFilter, Look } from '../filters/look.ts';

/** Of frames with their Ethernet header. */
export interface Rate {
  readonly packetsPerSecond: number;
  readonly bitsPerSecond: number;
}

export interface ReasonRate extends Rate {
  readonly reason: string;
  /** They broke the rule and passed: the policy is on Audit. */
  readonly audited: boolean;
}

export interface DirectionRates {
  /** What passed, with what only an audit let pass. */
  readonly allowed: Rate;
  readonly dropped: Rate;
  /** Why frames were dropped, or passed for the audit; the most frequent first. */
  readonly reasons: readonly ReasonRate[];
}

export interface FilterRates {
  readonly vm: string;
  readonly tap: string;
  readonly fromVm: DirectionRates;
  readonly toVm: DirectionRates;
}

/** One interval. */
export interface Rates {
  /** Its true length. */
  readonly seconds: number;
  /** The busiest first. A filter that was not in both looks has no rate yet. */
  readonly vms: readonly FilterRates[];
}

/** Pure. */
export function ratesBetween(before: Look, now: Look): Rates {
  const seconds = Math.max(now.atMs - before.atMs, 1) / 1000;
  const earlier = new Map(before.filters.map((filter) => [filter.pinDir, filter]));
  const vms = now.filters.flatMap((filter): FilterRates[] => {
    const old = earlier.get(filter.pinDir);
    return old === undefined ? [] : [filterRates(increases(old, filter), filter, seconds)];
  });
  return { seconds: rounded(seconds), vms: vms.sort((a, b) => busyness(b) - busyness(a)) };
}

/** Counters that went back are those of a filter that was made anew in between: they count from zero. */
export function increases(before: CountedFilter, now: CountedFilter): CounterLine[] {
  const earlier = new Map(before.counts.map((line) => [keyOf(line), line]));
  const isNew = [...earlier].some(([key, old]) => {
    return (now.counts.find((line) => keyOf(line) === key)?.packets ?? 0n) < old.packets;
  });
  if (isNew) return [...now.counts];
  return now.counts.flatMap((line) => {
    const { packets = 0n, bytes = 0n } = earlier.get(keyOf(line)) ?? {};
    return line.packets === packets
      ? []
      : [{ ...line, packets: line.packets - packets, bytes: line.bytes - bytes }];
  });
}

function filterRates(more: readonly CounterLine[], { vm, tap }: CountedFilter, seconds: number): FilterRates {
  const of = (direction: CounterLine['direction']): DirectionRates =>
    directionRates(
      more.filter((line) => line.direction === direction),
      seconds,
    );
  return { vm, tap, fromVm: of('from-vm'), toVm: of('to-vm') };
}

function directionRates(lines: readonly CounterLine[], seconds: number): DirectionRates {
  const passed = (line: CounterLine): boolean => line.audited || !isDrop(line.reason);
  const reasons = lines
    .filter(({ reason, audited }) => audited || isDrop(reason))
    .map((line) => ({ reason: reasonName(line.reason), audited: line.audited, ...rateOf([line], seconds) }))
    .sort((a, b) => b.packetsPerSecond - a.packetsPerSecond || (a.reason < b.reason ? -1 : 1));
  return {
    allowed: rateOf(lines.filter(passed), seconds),
    dropped: rateOf(
      lines.filter((line) => !passed(line)),
      seconds,
    ),
    reasons,
  };
}

export function rateOf(lines: readonly Pick<CounterLine, 'packets' | 'bytes'>[], seconds: number): Rate {
  const sum = (of: (line: Pick<CounterLine, 'packets' | 'bytes'>) => bigint): number =>
    Number(lines.reduce((total, line) => total + of(line), 0n));
  return {
    packetsPerSecond: rounded(sum(({ packets }) => packets) / seconds),
    bitsPerSecond: rounded((8 * sum(({ bytes }) => bytes)) / seconds),
  };
}

function busyness({ fromVm, toVm }: FilterRates): number {
  return [fromVm, toVm].reduce(
    (sum, { allowed, dropped }) => sum + allowed.packetsPerSecond + dropped.packetsPerSecond,
    0,
  );
}

function keyOf({ direction, reason, audited }: CounterLine): string {
  return `${direction} ${reason} ${audited}`;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
