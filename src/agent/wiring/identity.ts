import { createHash } from 'node:crypto';

/**
 * What follows from a VM's name alone. An attachment belongs to the VM, not to the VMNetwork that governs it at the
 * moment, so that the tap, the addresses and the pins outlive a change of network.
 */
export interface Identity {
  readonly vm: string;
  /** SHA-256 of `vmnetwork/<vm>`, hex; the stable key of the attachment. */
  readonly key: string;
  /** Interface name, 14 characters: below IFNAMSIZ and recognisably ours. */
  readonly tap: string;
  readonly guestMac: string;
  /** IFLA_IFALIAS of the tap. An interface of the right name without it is somebody else's and is never touched. */
  readonly alias: string;
}

/** Every managed interface starts with this; the standing nftables guard matches on it. */
export const TAP_PREFIX = 'vmn-';
/** The guest's gateway: the same address and MAC for every VM, answered by the filter itself (RFC 3927 range). */
export const GATEWAY_ADDRESS = '169.254.1.1';
/** MAC of every tap, and so of the gateway. */
export const GATEWAY_MAC = '02:76:6d:6e:00:01';
/** rtm_protocol of the routes we add: how they are recognised as ours (`ip route show proto 118`). */
export const ROUTE_PROTOCOL = 118;
export const TAP_MTU = 1500;
export const DEFAULT_POOL = '100.64.0.0/16';

const ALIAS_PREFIX = 'vmnetwork:';
/** IFALIASZ less the terminating zero (linux/if.h). Longer names are represented by their key. */
const ALIAS_LIMIT = 255;

export function identityOf(vm: string): Identity {
  const key = createHash('sha256').update(`vmnetwork/${vm}`).digest('hex');
  const macTail = [5, 6, 7, 8].map((byte) => key.slice(2 * byte, 2 * byte + 2)).join(':');
  return {
    vm,
    key,
    tap: TAP_PREFIX + key.slice(0, 10),
    guestMac: `02:76:${macTail}`,
    alias: vm.length <= ALIAS_LIMIT - ALIAS_PREFIX.length ? ALIAS_PREFIX + vm : `${ALIAS_PREFIX}#${key}`,
  };
}

/**
 * Whether an interface alias makes the tap of that name one of ours, and for which VM; `vm` is null when the alias
 * holds only the key. Null for an interface that is not ours.
 */
export function ownerOfAlias(alias: string, tap: string): { readonly vm: string | null } | null {
  if (!alias.startsWith(ALIAS_PREFIX)) return null;
  const owner = alias.slice(ALIAS_PREFIX.length);
  // '#' is no character of a VM name.
  if (owner.startsWith('#')) return TAP_PREFIX + owner.slice(1, 11) === tap ? { vm: null } : null;
  return owner !== '' && identityOf(owner).tap === tap ? { vm: owner } : null;
}

/** Whether a name has the shape of the taps we make. */
export function isTapName(name: string): boolean {
  return /^vmn-[0-9a-f]{10}$/.test(name);
}
