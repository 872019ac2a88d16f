/**
 * Links, routes and neighbours of the main thread's network namespace, by rtnetlink. Interfaces are changed and deleted
 * by ifindex, never by name: a name may be somebody else's by the time we act.
 */
import { isVmnError } from '../lib/errors.ts';
import { addon, type Closable, type NativeLink, type NativeNeighbour, type NativeWay } from './addon.ts';
import { attempt, type Attempt, failedWith } from './native-failure.ts';

/** rtm_protocol of the routes that we add: how they are recognised as ours. */
export const ROUTE_PROTOCOL = 118;

const SCOPE_LINK = 253;

export interface Link extends NativeLink {
  /** Lower case, or empty when it has none of six bytes. */
  mac: string;
  /** Free text set by whoever made it; ours says `vmnetwork:…`. */
  alias: string;
  /** Switched on by the administrator. */
  up: boolean;
  /** A tap has carrier while somebody holds it open. */
  carrier: boolean;
  /** Ifindex of the bridge, bond or whatever it is a part of; 0: of none. */
  master: number;
  /** `tun` for taps, `veth`, …; empty for hardware. */
  kind: string;
}

export interface Route {
  destination: string;
  prefixLength: number;
  ifindex: number;
}

export type Neighbour = NativeNeighbour;

export interface Way {
  ifindex: number;
  name: string;
  /** Next hop; absent when the address is on the link. */
  gateway?: string;
  /** The address the host would send from. */
  source?: string;
  /** The address is no other single host's: one of this host's own, broadcast or multicast. */
  local: boolean;
}

export function links(): Link[] {
  return attempt(netlink('list interfaces'), () => addon().links());
}

export function linkByName(name: string): Link | null {
  // ERANGE: longer than any name can be.
  return nullOn(['ENODEV', 'ERANGE'], () =>
    attempt(netlink('look up the interface', name), () => addon().linkByName(name)),
  );
}

export interface LinkChange {
  mac?: string;
  alias?: string;
  up?: boolean;
  mtu?: number;
  /** Null: it leaves the bridge, or whatever it is a part of. */
  master?: null;
}

/** Changes what is given and leaves the rest. */
export function setLink(ifindex: number, change: LinkChange): void {
  attempt(netlink(`set ${Object.keys(change).join(', ')} of the interface`, `ifindex ${ifindex}`), () => {
    const { mac = null, alias = null, mtu = 0, up = null } = change;
    addon().setLink(ifindex, mac, alias, mtu, up, change.master === null);
  });
}

/** Its being gone already is success. */
export function deleteLink(ifindex: number): void {
  nullOn(['ENODEV'], () => {
    attempt(netlink('delete the interface', `ifindex ${ifindex}`), () => {
      addon().deleteLink(ifindex);
    });
  });
}

/** Unicast IPv4 routes of the main table that carry this protocol. */
export function routes({ protocol }: { protocol: number }): Route[] {
  return attempt(netlink('list routes'), () => addon().routes(protocol)).map(
    ({ destination, prefixLength, ifindex }) => ({ destination, prefixLength, ifindex }),
  );
}

/** On-link route of our protocol. Throws when the table has a route to this destination, whoever made it. */
export function addRoute(route: Route): void {
  attempt(netlink('add the route', routeText(route)), () => {
    addon().addRoute(route.destination, route.prefixLength, route.ifindex, ROUTE_PROTOCOL, SCOPE_LINK);
  });
}

/** Deletes it if it is ours; its being gone already is success. */
export function deleteRoute(route: Route): void {
  nullOn(['ESRCH', 'ENODEV'], () => {
    attempt(netlink('delete the route', routeText(route)), () => {
      addon().deleteRoute(route.destination, route.prefixLength, route.ifindex, ROUTE_PROTOCOL, SCOPE_LINK);
    });
  });
}

/** The way this host would take to an address now; null when there is none. */
export function routeTo(address: string): Way | null {
  return nullOn<NativeWay>(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL'], () =>
    attempt(netlink('look up the route', address, { EACCES: {} }), () => addon().routeTo(address)),
  );
}

/** IPv4 neighbours of one interface. */
export function neighbours(ifindex: number): Neighbour[] {
  return attempt(netlink('list neighbours', `ifindex ${ifindex}`), () => addon().neighbours(ifindex));
}

/** A permanent entry: the kernel never asks on the wire for this address. */
export function setNeighbour(neighbour: { ifindex: number; address: string; mac: string }): void {
  attempt(netlink('set the neighbour', `${neighbour.address} on ifindex ${neighbour.ifindex}`), () => {
    addon().setNeighbour(neighbour.ifindex, neighbour.address, neighbour.mac);
  });
}

/** Its being gone already is success. */
export function deleteNeighbour(neighbour: { ifindex: number; address: string }): void {
  nullOn(['ENOENT', 'ENODEV'], () => {
    attempt(netlink('delete the neighbour', `${neighbour.address} on ifindex ${neighbour.ifindex}`), () => {
      addon().deleteNeighbour(neighbour.ifindex, neighbour.address);
    });
  });
}

/**
 * Calls back when links, their IPv4 settings (forwarding, reverse path check) or traffic control, IPv4 routes or routing rules changed, when
 * an IPv4 neighbour went, or when any of it may be so (the kernel's queue overflowed): look again. Several changes may give one call.
 * Keeps the process alive until closed.
 */
export function watchLinks(callback: () => void): Closable {
  return attempt(netlink('watch interfaces'), () => addon().watchLinks(callback));
}

function netlink(attempted: string, on?: string, means: Attempt['means'] = {}): Attempt {
  const privilege = { code: 'VMN_CAPABILITY', remedy: 'Run as root or with CAP_NET_ADMIN.' } as const;
  return {
    code: 'VMN_NETLINK',
    attempted,
    ...(on === undefined ? {} : { on }),
    means: { EPERM: privilege, ...means },
  };
}

function nullOn<T>(codes: readonly string[], call: () => T): T | null {
  try {
    return call();
  } catch (error) {
    if (isVmnError(error) && failedWith(error.cause, ...codes)) return null;
    throw error;
  }
}

function routeText({ destination, prefixLength, ifindex }: Route): string {
  return `${destination}/${prefixLength} on ifindex ${ifindex}`;
}
