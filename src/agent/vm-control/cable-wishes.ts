import type { AttachmentResult } from '../attachment/rounds.ts';
import type { TapHolder } from '../host/kernel.ts';
import type { CableWish, Cables } from './cables.ts';

/**
 * Whose cable is to be out after a pass: of VMs that are quarantined for their violations, until that ends. While somebody's kill
 * switch took over, or nobody can tell, it stays as it is. `holdersOf`: who holds a tap, by its name, in that network
 * namespace (see Site).
 */
export function cableWishes(
  results: readonly AttachmentResult[],
  holdersOf: (tap: string, site: string | null) => readonly TapHolder[],
): CableWish[] {
  return results.flatMap((result) => {
    const { observed, inUse } = result;
    const record = observed?.record.state === 'ok' ? observed.record.record : null;
    const want = wanted(result);
    const name = observed?.link?.name;
    if (record === null || name === undefined || !inUse || want === null) return [];
    const site = result.found?.site ?? null;
    return [{ key: record.tap, mac: record.guestMac, want, holders: () => holdersOf(name, site) }];
  });
}

function wanted({ observed, desired, error, policy }: AttachmentResult): CableWish['want'] | null {
  const record = observed?.record.state === 'ok' ? observed.record.record : null;
  // One that is about to be ended has a use for its monitor.
  if (record?.violations?.toEnd === true) return 'stay';
  if ((record?.violations?.quarantinedAt ?? null) !== null) return 'out';
  const isOpen = desired.want === 'program' && error === null && policy?.flags.quarantined === false;
  return isOpen ? null : 'stay';
}

/** The same results, with what is told of cables. */
export function withCables(
  results: readonly AttachmentResult[],
  cables: Pick<Cables, 'stateOf'>,
): AttachmentResult[] {
  return results.map((result) => {
    const record = result.observed?.record;
    const cable = record?.state === 'ok' ? cables.stateOf(record.record.tap) : null;
    return cable === null ? result : { ...result, cable };
  });
}
