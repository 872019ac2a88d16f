import type { Kernel } from '../host/kernel.ts';

/**
 * Kernel settings of a tap, paths relative to /proc/sys. They vanish with the tap.
 *
 * - no IPv6: the host must not emit router solicitations or neighbour discovery into the guest's wire;
 * - forwarding, because the guest's packets are routed (the host at large need not be a router);
 * - strict reverse path check: a second opinion on the guest's source address, should the filter ever be absent.
 */
export function tapSettings(tap: string): readonly { readonly path: string; readonly value: string }[] {
  return [
    { path: `net/ipv6/conf/${tap}/disable_ipv6`, value: '1' },
    { path: `net/ipv4/conf/${tap}/forwarding`, value: '1' },
    { path: `net/ipv4/conf/${tap}/rp_filter`, value: '1' },
  ];
}

/** The settings of a tap that are not as they should be. A setting that this kernel does not have counts as right. */
export function wrongSettings(kernel: Pick<Kernel, 'readSetting'>, tap: string): string[] {
  const wrong: string[] = [];
  for (const { path, value } of tapSettings(tap)) {
    const found = kernel.readSetting(path);
    if (found !== null && found !== value) wrong.push(path);
  }
  return wrong;
}

/** Writes the settings that differ. */
export function applySettings(kernel: Pick<Kernel, 'readSetting' | 'writeSetting'>, tap: string): void {
  const wrong = new Set(wrongSettings(kernel, tap));
  for (const { path, value } of tapSettings(tap)) if (wrong.has(path)) kernel.writeSetting(path, value);
}
