import { ownerOfAlias } from '../wiring/identity.ts';
import type { HostLink } from './directory.ts';
import type { Link, TunFile } from './machine.ts';
import type { Namespaces } from './namespaces.ts';

/** A tap wherever it is: inode of its network namespace and ifindex. */
export type TapKey = `${number}/${number}`;

/** A tap that a process holds, its queues taken together. */
export interface HeldTap {
  readonly kind: TunFile['kind'];
  readonly name: string;
  /** Descriptors in the process. */
  readonly fds: readonly number[];
  /** Null: it was not found. `reason` says why. */
  readonly link: HostLink | null;
  readonly key: TapKey | null;
  readonly reason: string | null;
  /** We made it. */
  readonly ours: boolean;
}

/** The taps behind descriptors of a process in that network namespace, each with its interface. */
export function tapsOf(
  processNetns: number | null,
  files: readonly TunFile[],
  namespaces: Namespaces,
): HeldTap[] {
  const byTap = new Map<string, TunFile[]>();
  for (const file of files) {
    const key = `${file.kind} ${file.netns} ${file.name}`;
    byTap.set(key, [...(byTap.get(key) ?? []), file]);
  }
  return [...byTap.values()].flatMap((queues) => {
    const [file] = queues;
    if (file === undefined) return [];
    const { kind, name } = file;
    return [{ kind, name, fds: queues.map(({ fd }) => fd), ...placeOf(processNetns, file, namespaces) }];
  });
}

export function tapKey(netns: number, ifindex: number): TapKey {
  return `${netns}/${ifindex}`;
}

export function netnsOf(key: TapKey): number {
  return Number.parseInt(key, 10);
}

export function isOurs({ alias, name }: Link): boolean {
  return ownerOfAlias(alias, name) !== null;
}

function placeOf(
  processNetns: number | null,
  { name, netns }: TunFile,
  namespaces: Namespaces,
): Pick<HeldTap, 'link' | 'key' | 'reason' | 'ours'> {
  const { own } = namespaces;
  // Where the kernel does not tell: where the process is, or where we are, if only one of them has it.
  const places = netns !== 0 ? [netns] : [...new Set([processNetns ?? own, own])];
  const found = places.flatMap((inode) => {
    const link = namespaces.find(inode, name);
    return link === null ? [] : [{ inode, link }];
  });
  const [only, another] = found;
  if (only === undefined || another !== undefined) {
    const problem = places.flatMap((inode) => namespaces.problemOf(inode) ?? []).at(0);
    const reason = problem ?? `the interface ${name} of its tap was not found`;
    return { link: null, key: null, reason, ours: false };
  }
  const { inode, link } = only;
  return {
    link: { netns: inode === own ? null : `net:[${inode}]`, ifindex: link.ifindex, name },
    key: tapKey(inode, link.ifindex),
    reason: null,
    ours: isOurs(link),
  };
}
