import { type Cell, Table } from '../terminal/table.ts';

/** One counter of the kernel that is not zero. */
export interface FrameCount {
  readonly vm: string;
  readonly tap: string;
  readonly direction: 'from-vm' | 'to-vm';
  /** Name of the reason. */
  readonly reason: string;
  /** The frames passed all the same: the policy is on Audit. */
  readonly audited: boolean;
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** By VM, then the most frequent first. */
export function sortCounts(counts: readonly FrameCount[]): FrameCount[] {
  return [...counts].sort((a, b) => {
    if (a.vm !== b.vm) return a.vm < b.vm ? -1 : 1;
    if (a.packets !== b.packets) return a.packets > b.packets ? -1 : 1;
    return a.reason < b.reason ? -1 : 1;
  });
}

export function countTable(counts: readonly FrameCount[]): string {
  const table = new Table([
    { heading: 'VM' },
    { heading: 'DIRECTION' },
    { heading: 'REASON' },
    { heading: 'PACKETS', align: 'right' },
    { heading: 'BYTES', align: 'right' },
  ]);
  return table.render(
    sortCounts(counts).map(({ vm, tap, direction, reason, audited, packets, bytes }): Cell[] => [
      vm === '' ? tap : vm,
      direction,
      reasonText(reason, audited),
      packets,
      bytes,
    ]),
  );
}

/** A reason as it stands in a table. */
export function reasonText(reason: string, audited: boolean): string {
  return audited ? `${reason} (audit, passed)` : reason;
}

/** What was counted since an earlier look. A counter that went back belongs to a new tap and counts from zero. */
export function increases(before: readonly FrameCount[], now: readonly FrameCount[]): FrameCount[] {
  const key = ({ tap, direction, reason, audited }: FrameCount): string =>
    `${tap} ${direction} ${reason} ${audited}`;
  const earlier = new Map(before.map((count) => [key(count), count]));
  return now.flatMap((count) => {
    const old = earlier.get(key(count));
    if (old === undefined || count.packets < old.packets) return [count];
    const packets = count.packets - old.packets;
    return packets === 0n ? [] : [{ ...count, packets, bytes: count.bytes - old.bytes }];
  });
}
