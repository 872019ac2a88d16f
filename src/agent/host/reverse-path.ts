import { isVmnError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import type { Kernel } from './kernel.ts';

/** Of all interfaces. The greater of this and a tap's own counts (ip-sysctl), and loose is the greatest. */
export const REVERSE_PATH_OF_ALL = 'net/ipv4/conf/all/rp_filter';
export const LOOSE = '2';

/**
 * Taps are given the strict check of source addresses, a second opinion beside the filter's own. A host that is loose for all takes
 * it away: that is the host's to decide, and is said.
 */
export function warnOfLooseReversePath(kernel: Pick<Kernel, 'readSetting'>, log: Pick<Logger, 'warn'>): void {
  try {
    if (kernel.readSetting(REVERSE_PATH_OF_ALL) !== LOOSE) return;
  } catch (error) {
    if (isVmnError(error)) return;
    throw error;
  }
  const remedy =
    'Set it to 0 or 1, unless something else here needs it: sysctl -w net.ipv4.conf.all.rp_filter=1';
  log.warn(
    { remedy },
    'net.ipv4.conf.all.rp_filter is 2: the kernel does not check the source addresses of guests as well',
  );
}
