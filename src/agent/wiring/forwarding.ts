import type { Kernel } from '../host/kernel.ts';

/*
 * An uplink must forward for answers to find their way to a guest. A host that forwards nothing is not turned into a
 * router for our sake: the switch is set for the one interface, and the guard drops whatever it would forward besides
 * (set `opened_uplinks`). Where somebody else made the host forward, nothing is switched and nothing is restricted.
 *
 * An uplink enters the set before its switch is set and leaves it after the switch is cleared, so it never forwards
 * unguarded, and the set always tells which switches are ours.
 */

export interface ForwardingInput {
  /** Names of the interfaces that the programmed endpoints are reached by. */
  readonly needed: readonly string[];
  /** Those in the guard's set. */
  readonly opened: readonly string[];
  /** net.ipv4.conf.all.forwarding is on: somebody else made this host a router. */
  readonly hostForwards: boolean;
  /** The interface's own switch; null when there is no such interface any more. */
  readonly forwards: (name: string) => boolean | null;
}

export interface ForwardingPlan {
  /** Set these switches, once they are in the set. */
  readonly open: readonly string[];
  /** Clear these switches, then take them out of the set. */
  readonly close: readonly string[];
  /** The set as it should be at the end. */
  readonly opened: readonly string[];
}

export function planForwarding({ needed, opened, hostForwards, forwards }: ForwardingInput): ForwardingPlan {
  // Somebody else's decision now: what we opened is theirs, and our restriction would break it.
  if (hostForwards) return { open: [], close: [], opened: [] };
  const wanted = needed.filter((name) => opened.includes(name) || forwards(name) === false);
  return {
    open: wanted.filter((name) => forwards(name) === false),
    close: opened.filter((name) => !wanted.includes(name) && forwards(name) === true),
    opened: [...new Set(wanted)].sort(),
  };
}

export function hostForwards(kernel: Pick<Kernel, 'readSetting'>): boolean {
  return kernel.readSetting('net/ipv4/conf/all/forwarding') === '1';
}

export function uplinkForwards(kernel: Pick<Kernel, 'readSetting'>, name: string): boolean | null {
  const value = kernel.readSetting(uplinkSetting(name));
  return value === null ? null : value !== '0';
}

export function setUplinkForwarding(kernel: Pick<Kernel, 'writeSetting'>, name: string, on: boolean): void {
  kernel.writeSetting(uplinkSetting(name), on ? '1' : '0');
}

function uplinkSetting(name: string): string {
  return `net/ipv4/conf/${name}/forwarding`;
}
