/** What the filter of one VM has counted, read from the kernel. Counts go on when the filter is replaced. */
import { basename } from 'node:path';
import { addon } from './addon.ts';
import { checkedPinDir } from './bpffs.ts';
import type { Direction } from './filter-engine.ts';
import { attempt, type Attempt } from './native-failure.ts';

/** A direction has so many slots, one for each reason; audited frames have a second block of both directions. */
export const REASON_SLOTS = 64;
/** Of the first block: no reasons, but what became of events. */
export const EVENTS_SUPPRESSED_SLOT = 62;
export const EVENTS_LOST_SLOT = 63;

/** Its number, packets and bytes. */
export type CounterSlot = readonly [slot: number, packets: bigint, bytes: bigint];

export interface CounterLine {
  direction: Direction;
  reason: number;
  /** These frames broke the rule and passed: the policy counts and does not enforce. */
  audited: boolean;
  packets: bigint;
  bytes: bigint;
}

export interface EventLoss {
  /** Frames of a new kind that were not told because too many were in that second. */
  suppressed: bigint;
  /** Events that found the ring buffer full. */
  lost: bigint;
}

/** Frames since the filter was attached, by direction and reason, over all CPUs; only what is not zero. */
export function counters(pinDir: string): CounterLine[] {
  return counterLines(slots(pinDir));
}

/** What slots of `struct vmn_counter` say of frames, whichever engine counted them. */
export function counterLines(slots: readonly CounterSlot[]): CounterLine[] {
  return slots
    .filter(([slot]) => slot % REASON_SLOTS < EVENTS_SUPPRESSED_SLOT)
    .map(([slot, packets, bytes]) => ({
      direction: Math.floor(slot / REASON_SLOTS) % 2 === 0 ? 'from-vm' : 'to-vm',
      reason: slot % REASON_SLOTS,
      audited: slot >= 2 * REASON_SLOTS,
      packets,
      bytes,
    }));
}

/** Events that were never told, since the filter was attached. What they would have been about is counted all the same. */
export function eventLoss(pinDir: string): EventLoss {
  return eventLossIn(slots(pinDir));
}

/** The same, of slots that are read already. */
export function eventLossIn(slots: readonly CounterSlot[]): EventLoss {
  const packets = new Map(slots.map(([slot, count]) => [slot, count]));
  return {
    suppressed: packets.get(EVENTS_SUPPRESSED_SLOT) ?? 0n,
    lost: packets.get(EVENTS_LOST_SLOT) ?? 0n,
  };
}

/** How often the violations of this VM reached the threshold of its policy: the event may be lost, this is not. */
export function violations(pinDir: string): { crossings: bigint } {
  const crossings = attempt(reading('read the violations', pinDir), () =>
    addon().crossings(checkedPinDir(pinDir)),
  );
  return { crossings };
}

function slots(pinDir: string): CounterSlot[] {
  return attempt(reading('read the counters', pinDir), () => addon().counters(checkedPinDir(pinDir)));
}

function reading(attempted: string, pinDir: string): Attempt {
  return {
    code: 'VMN_BPF_MAP',
    attempted,
    on: basename(pinDir),
    means: { EPROTO: { remedy: 'The filter is of another version: replace it.' } },
  };
}
