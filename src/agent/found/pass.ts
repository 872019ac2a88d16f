import { isVmnError } from '../../lib/errors.ts';
import { policyOf } from '../attachment/observe.ts';
import { runRounds } from '../attachment/rounds.ts';
import type { AttachmentResult, RoundMemory, RoundPorts } from '../attachment/rounds.ts';
import type { HostVm } from '../discovery/directory.ts';
import { notIfBusy } from '../host/lock.ts';
import type { Wanted } from '../source/wanted.ts';
import { cardKeyOf, isCardKey } from '../wiring/card-key.ts';
import type { FoundCard } from '../wiring/card-key.ts';
import { isManaged } from '../wiring/managed.ts';
import { pinDirOf } from '../wiring/paths.ts';
import type { AttachmentRecord, RecordState } from '../wiring/record.ts';
import { attachmentFault } from '../wiring/verify.ts';
import type { BindingInput, BoundLink } from './binding.ts';
import type { Exposure } from './exposure.ts';
import { FoundLinks } from './found-links.ts';

/** What is known of a found link besides what every attachment has. */
export interface FoundFacts {
  /** See Site. */
  readonly site: string | null;
  /** That is bound to it. */
  readonly card: FoundCard | null;
  /** For whose guest the policy was made that is in force there, bound or not; null: nothing passes, or nobody's that is known. */
  readonly inForceFor: FoundCard | null;
  /** See Exposure. */
  readonly exposureMs: number | null;
}

export interface FoundPassInput {
  readonly bound: ReadonlyMap<string, BoundLink>;
  readonly site: string | null;
  readonly guarded: boolean;
  readonly exposure: Exposure;
  /** See Exposure.begin. */
  readonly sinceNs: bigint;
}

/** Takes the found links of one site to what is wanted of them. */
export async function passFound(
  input: FoundPassInput,
  memory: RoundMemory,
  ports: RoundPorts,
): Promise<AttachmentResult[]> {
  const { bound, site, guarded, exposure, sinceNs } = input;
  const desired = new Map([...bound].map(([pins, wish]) => [pins, wish.desired]));
  const links = new FoundLinks(ports, bound, exposure, sinceNs);
  const results = await runRounds(desired, guarded, memory, ports, links);
  const records = recordsOf(ports);
  return results.map((result) => {
    const { observed, tap: pins } = result;
    const guest = observed?.policy ?? null;
    const owner = records.find(
      ({ guestMac, guestAddress }) =>
        guestMac === guest?.guestMac && guestAddress === guest.guestAddress && !guest.flags.quarantined,
    );
    const found: FoundFacts = {
      site,
      card: bound.get(pins)?.card ?? null,
      inForceFor: owner === undefined ? null : { vmId: owner.vm, mac: owner.guestMac },
      exposureMs: exposure.ofLink(pins, ports.clock.monotonicNs()),
    };
    return { ...result, found };
  });
}

/** Names of bound links that no pattern covers: the guard is to know them. Those that have our programs stay in it. */
export function unpatterned(bound: ReadonlyMap<string, BoundLink>, patterns: readonly string[]): string[] {
  const names = [...bound.values()].flatMap(({ link }) => link?.name ?? []);
  return names.filter((name) => !isManaged(name, patterns)).sort();
}

/** Asks the kernel; see BindingInput. */
export function isInForceFor({ kernel, paths }: RoundPorts): BindingInput['isInForceFor'] {
  return (pins, ifindex, { guestMac, guestAddress }) => {
    try {
      const filter = kernel.readBack(pinDirOf(paths, pins));
      const policy = policyOf(filter);
      if (attachmentFault(filter, ifindex) !== null || policy === null) return false;
      return policy.guestMac === guestMac && policy.guestAddress === guestAddress;
    } catch (error) {
      if (isVmnError(error)) return false;
      throw error;
    }
  };
}

/**
 * Removes the records of cards that nothing names, that are not here, and by whose policy nothing passes any more: their
 * addresses may go to others from then on. False: somebody holds the state lock, and there is more to be done. Throws VmnError.
 */
export async function forgetCards(
  wanted: Wanted,
  vms: readonly HostVm[],
  results: readonly AttachmentResult[],
  records: ReadonlyMap<string, RecordState>,
  ports: RoundPorts,
): Promise<boolean> {
  if (!wanted.complete) return true;
  const kept = new Set(wanted.cards.map(cardKeyOf));
  for (const { reported, cards } of vms)
    for (const { mac } of cards) kept.add(cardKeyOf({ vmId: reported.id, mac }));
  for (const { observed, found } of results) {
    // What is in force could not be read: it may be any.
    if (found !== undefined && observed === null) return true;
    for (const card of [found?.card, found?.inForceFor]) if (card != null) kept.add(cardKeyOf(card));
  }
  for (const [key, state] of records) {
    if (!isCardKey(key) || kept.has(key) || state.state !== 'ok') continue;
    const remove = (): true => {
      ports.withStateLock(() => ports.records.remove(key));
      ports.onChange('remove-record', key, state.record.vm);
      return true;
    };
    if (!(await ports.whenStateLockIsFree(remove).catch(notIfBusy))) return false;
  }
  return true;
}

function recordsOf({ records }: RoundPorts): AttachmentRecord[] {
  try {
    return [...records.list()].flatMap(([key, state]) =>
      isCardKey(key) && state.state === 'ok' ? [state.record] : [],
    );
  } catch (error) {
    if (isVmnError(error)) return [];
    throw error;
  }
}
