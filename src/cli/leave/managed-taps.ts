import { isOwn } from '../../agent/found/binding.ts';
import { pinNameOf } from '../../agent/found/pins.ts';
import type { Kernel, Link, ReadBack } from '../../agent/host/kernel.ts';
import { ownerOfAlias } from '../../agent/wiring/identity.ts';
import { isManaged, isTap, type ManagedInterfaces } from '../../agent/wiring/managed.ts';
import { type AttachmentPaths, pinDirOf } from '../../agent/wiring/paths.ts';
import type { RecordStore } from '../../agent/wiring/record.ts';
import { attachmentFault } from '../../agent/wiring/verify.ts';
import { isVmnError } from '../../lib/errors.ts';
import { decodePolicy } from '../../native/policy-abi.ts';

/**
 * - `closed`: both programs are in their places and pass nothing
 * - `filtered`: they are, and pass what their policy says
 * - `unfiltered`: one of them is missing, or which policy it judges by cannot be told; at most the guard closes it
 * - `gone`: pins are left, and no interface
 */
export type TapState = 'closed' | 'filtered' | 'unfiltered' | 'gone';

/** A tap that is ours to close, or what is left of one. */
export interface ManagedTap {
  /** The interface; of one that cannot be seen from here, the name of its pins. */
  readonly tap: string;
  /** Null: not known. */
  readonly vm: string | null;
  readonly pins: string;
  readonly pinDir: string;
  /** We made it. */
  readonly own: boolean;
  /** In this network namespace; null: it is in another one, or gone. */
  readonly link: Link | null;
  readonly state: TapState;
}

type ListKernel = Pick<Kernel, 'links' | 'listPins' | 'readBack'>;

/** What is managed on this host, by the kernel alone: taps of ours, what has filters, what the guard closes by name. */
export function listManaged(
  kernel: ListKernel,
  records: Pick<RecordStore, 'list'>,
  paths: AttachmentPaths,
  guarded: ManagedInterfaces,
): ManagedTap[] {
  const pins = new Set(kernel.listPins(paths.bpffs));
  const guests = guestsOf(records);
  const found = new Map<string, ManagedTap>();
  const note = (name: string, own: boolean, link: Link | null): void => {
    const pinDir = pinDirOf(paths, name);
    const filter = read(kernel, pinDir);
    const vm = own ? (guests.byName.get(name) ?? ownerOf(link)) : guests.of(filter);
    const state = stateOf(filter, link, pins.has(name));
    found.set(name, { tap: link?.name ?? name, vm, pins: name, pinDir, own, link, state });
  };
  for (const link of kernel.links()) {
    if (!isTap(link)) continue;
    if (isOwn(link, pins)) note(link.name, true, link);
    else if (isOurs(link, kernel, pins, paths, guarded)) note(pinNameOf(null, link.ifindex), false, link);
  }
  for (const name of pins) if (!found.has(name)) note(name, !name.startsWith('if-'), null);
  return [...found.values()].sort((a, b) => (a.pins < b.pins ? -1 : 1));
}

/** One that others made: its name says so, or our programs are on it. A number alone may be another's by now. */
function isOurs(
  { name, ifindex }: Link,
  kernel: ListKernel,
  pins: ReadonlySet<string>,
  paths: AttachmentPaths,
  { patterns, links }: ManagedInterfaces,
): boolean {
  if (isManaged(name, patterns) || links.includes(name)) return true;
  const pin = pinNameOf(null, ifindex);
  const filter = pins.has(pin) ? read(kernel, pinDirOf(paths, pin)) : null;
  return [filter?.fromVm, filter?.toVm].some((hook) => hook?.ifindex === ifindex);
}

/** Null: it cannot be read. */
function read(kernel: ListKernel, pinDir: string): ReadBack | null {
  try {
    return kernel.readBack(pinDir);
  } catch (error) {
    if (isVmnError(error)) return null;
    throw error;
  }
}

function stateOf(filter: ReadBack | null, link: Link | null, pinned: boolean): TapState {
  if (filter === null) return pinned || link !== null ? 'unfiltered' : 'gone';
  const { fromVm, toVm, policyState } = filter;
  if (link === null) {
    // Whether ours is the first program there cannot be told from another network namespace.
    const hooks = [fromVm, toVm].filter((hook) => hook !== null && hook.ifindex > 0).length;
    if (hooks === 0) return 'gone';
    if (hooks === 1) return 'unfiltered';
  } else if (attachmentFault(filter, link.ifindex) !== null) return 'unfiltered';
  return policyState === 'empty' ? 'closed' : policyState === 'set' ? 'filtered' : 'unfiltered';
}

function ownerOf(link: Link | null): string | null {
  return link === null ? null : (ownerOfAlias(link.alias, link.name)?.vm ?? null);
}

interface Guests {
  readonly byName: ReadonlyMap<string, string>;
  /** Whose policy is in force: no two guests of a host have one address. */
  readonly of: (filter: ReadBack | null) => string | null;
}

function guestsOf(records: Pick<RecordStore, 'list'>): Guests {
  const known = [...records.list().values()].flatMap((state) => (state.state === 'ok' ? [state.record] : []));
  return {
    byName: new Map(known.map(({ tap, vm }) => [tap, vm])),
    of: (filter) => {
      const policy = policyIn(filter);
      const guest = known.find(
        ({ guestAddress, guestMac }) => guestAddress === policy?.guestAddress && guestMac === policy.guestMac,
      );
      return guest?.vm ?? null;
    },
  };
}

function policyIn(filter: ReadBack | null): ReturnType<typeof decodePolicy> | null {
  try {
    return filter?.policy == null ? null : decodePolicy(filter.policy);
  } catch {
    return null;
  }
}
