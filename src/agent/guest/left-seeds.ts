import type { Kernel } from '../host/kernel.ts';
import { isClaimAlive } from '../wiring/closed-tap.ts';
import { isTapName } from '../wiring/identity.ts';
import { seedOf, seedsDirOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { RecordStore } from '../wiring/record.ts';
import { namesOfSeeds, removeSeed } from './seed-file.ts';

export interface LeftSeedPorts {
  readonly kernel: Pick<Kernel, 'linkByName' | 'processStart'>;
  readonly records: Pick<RecordStore, 'read'>;
}

/**
 * Removes the seed images that no VM needs any more: this process's own, and those of launchers that were killed. One is needed
 * while its tap has a VM, which may outlive its launcher, or while a launcher that lives has claimed it. Under the state lock.
 * Throws VMN_SEED_FILE.
 *
 * @param ownPid whose claim does not count
 */
export function removeLeftSeeds(
  paths: Pick<AttachmentPaths, 'runDir'>,
  { kernel, records }: LeftSeedPorts,
  ownPid: number,
): void {
  for (const tap of seededTaps(paths)) {
    const found = records.read(tap);
    const claim = found.state === 'ok' ? found.record.claim : null;
    const isClaimed = claim?.pid !== ownPid && isClaimAlive(kernel, claim);
    if (!isClaimed && kernel.linkByName(tap)?.carrier !== true) removeSeed(seedOf(paths, tap));
  }
}

function seededTaps(paths: Pick<AttachmentPaths, 'runDir'>): Set<string> {
  const taps = namesOfSeeds(seedsDirOf(paths)).map((name) => name.split('.', 1)[0] ?? '');
  return new Set(taps.filter(isTapName));
}
