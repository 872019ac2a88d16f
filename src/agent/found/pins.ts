/**
 * Name of the pins of a link that somebody else made: by the network namespace that it is in and its number there, so that a
 * new name changes nothing. `site`: see Site; our own namespace is 0.
 */
export function pinNameOf(site: string | null, ifindex: number): string {
  return `if-${site === null ? '0' : inodeOf(site)}-${ifindex}`;
}

export interface FoundPins {
  readonly site: string | null;
  readonly ifindex: number;
  /** Their programs are on something that left the namespace; see Kernel.setPinsAside. */
  readonly aside: boolean;
}

/** The inverse; null for the pins of anything else. */
export function parsePinName(name: string): FoundPins | null {
  const [, inode = '', ifindex = '', aside] = /^if-(\d+)-([1-9]\d*)(_aside_[0-9a-f]+)?$/.exec(name) ?? [];
  if (ifindex === '') return null;
  const site = inode === '0' ? null : `net:[${inode}]`;
  return { site, ifindex: Number(ifindex), aside: aside !== undefined };
}

function inodeOf(site: string): string {
  const inode = /^net:\[(\d+)\]$/.exec(site)?.[1];
  if (inode === undefined) throw new TypeError(`not a network namespace: ${site}`);
  return inode;
}
