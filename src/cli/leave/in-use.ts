import type { Kernel } from '../../agent/host/kernel.ts';
import { isClaimAlive } from '../../agent/wiring/closed-tap.ts';
import type { RecordState } from '../../agent/wiring/record.ts';
import { isVmnError } from '../../lib/errors.ts';
import type { ManagedTap } from './managed-taps.ts';

/** A managed tap that a VM has, or may have. */
export interface TapInUse {
  readonly tap: string;
  readonly vm: string | null;
  readonly pins: string;
  /** Nothing passes, by filters in their places. */
  readonly closed: boolean;
  /** Processes that hold it, or are about to; empty: none can be named. */
  readonly pids: readonly number[];
  readonly why: string;
}

type UseKernel = Pick<Kernel, 'openTap' | 'closeTap' | 'tapHolders' | 'processStart'>;

/**
 * The VM that has this tap; null: nobody has it. What cannot be told counts as use.
 * @param by `hold` takes hold of the tap for a moment: somebody who has it may have switched its carrier off
 */
export function useOf(
  tap: ManagedTap,
  record: RecordState | undefined,
  kernel: UseKernel,
  by: 'carrier' | 'hold',
): Omit<TapInUse, 'closed'> | null {
  const { vm, pins, own, link, state } = tap;
  const inUse = (why: string, pids: readonly number[] = []): Omit<TapInUse, 'closed'> => {
    return { tap: tap.tap, vm, pins, pids, why };
  };
  if (own && record?.state === 'unreadable') return inUse(record.error.message);
  // Its claim would be there: with the wrong folder a VM that is about to start would lose its tap, and make an open one.
  if (own && link !== null && record?.state !== 'ok')
    return inUse(`has no record under --state-dir; give the agent's folders, or: ip link del ${link.name}`);
  const claim = own && record?.state === 'ok' ? record.record.claim : null;
  if (claim !== null && isClaimAlive(kernel, claim)) return inUse('is about to be used', [claim.pid]);
  if (link === null) return state === 'gone' ? null : inUse('is in another network namespace');
  const held = (): Omit<TapInUse, 'closed'> =>
    inUse(
      'is held',
      kernel.tapHolders(link.name).map(({ pid }) => pid),
    );
  if (link.carrier) return held();
  if (by === 'carrier') return null;
  try {
    kernel.closeTap(kernel.openTap(link.name));
    return null;
  } catch (error) {
    if (isVmnError(error, 'VMN_TAP_IN_USE')) return held();
    // One with several queues does not open so; that nobody has it shows in its carrier alone.
    if (isVmnError(error)) return own ? inUse(error.message) : null;
    throw error;
  }
}
