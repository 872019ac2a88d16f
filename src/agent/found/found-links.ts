import type { ActPlace } from '../attachment/act.ts';
import { crossingsOf, groupByLink, listRecords, policyOf, tunnelOf } from '../attachment/observe.ts';
import type { DesiredAttachment } from '../attachment/desired.ts';
import type { ObservedAttachment } from '../attachment/observed.ts';
import { withoutFormer } from '../attachment/former-filters.ts';
import type { Plan, PlanContext } from '../attachment/plan.ts';
import type { RoundPorts, RoundSubject } from '../attachment/rounds.ts';
import type { Link } from '../host/kernel.ts';
import { besideOf, PinnedPrograms } from '../wiring/beside.ts';
import { cidrRange, contains } from '../wiring/address-pool.ts';
import { cardKeyOf } from '../wiring/card-key.ts';
import { pinDirOf } from '../wiring/paths.ts';
import type { RecordState } from '../wiring/record.ts';
import { wrongSettings } from '../wiring/settings.ts';
import { attachmentFault, isCurrentProgram } from '../wiring/verify.ts';
import type { BoundLink } from './binding.ts';
import { isOwn } from './binding.ts';
import type { Exposure } from './exposure.ts';
import { parsePinName } from './pins.ts';
import { planFound } from './plan.ts';

/** What is listed once for all links of a round. */
export interface ObservedSite {
  readonly links: ReadonlyMap<number, Link>;
  readonly records: ReadonlyMap<string, RecordState> | null;
  /** Why there are no records. */
  readonly recordsFault: RecordState;
  readonly routesByLink: ReadonlyMap<number, readonly string[]>;
  readonly pins: ReadonlySet<string>;
  readonly programs: PinnedPrograms;
}

/** By that name at that number there was another, or it was renamed since the directory looked: the next pass will know. */
const CHANGED: DesiredAttachment = {
  want: 'deny',
  vm: null,
  network: null,
  reason: 'the interface changed while it was looked at',
};

/** The programs that came with this interface judge by a policy for the guest of the record. */
function isInForce({ fault, policy, record }: ObservedAttachment): boolean {
  if (fault !== null || policy === null || record.state !== 'ok') return false;
  const { guestMac, guestAddress } = record.record;
  return policy.guestMac === guestMac && policy.guestAddress === guestAddress;
}

/** The links of one network namespace that somebody else made, as rounds are made over them. */
export class FoundLinks implements RoundSubject<ObservedSite> {
  readonly #ports: RoundPorts;
  readonly #bound: ReadonlyMap<string, BoundLink>;
  readonly #exposure: Exposure;
  readonly #sinceNs: bigint;

  /** `sinceNs`: see Exposure.begin. */
  constructor(ports: RoundPorts, bound: ReadonlyMap<string, BoundLink>, exposure: Exposure, sinceNs: bigint) {
    this.#ports = ports;
    this.#bound = bound;
    this.#exposure = exposure;
    this.#sinceNs = sinceNs;
  }

  observeHost(): ObservedSite {
    const { kernel, records, paths } = this.#ports;
    const { records: found, error } = listRecords(records);
    const pins = new Set(kernel.listPins(paths.bpffs));
    return {
      links: new Map(kernel.links().map((link) => [link.ifindex, link])),
      records: error === null ? found : null,
      recordsFault: error === null ? { state: 'absent' } : { state: 'unreadable', error },
      routesByLink: groupByLink(kernel.managedRoutes()),
      pins,
      programs: new PinnedPrograms(kernel, paths, pins),
    };
  }

  observe(pins: string, host: ObservedSite): ObservedAttachment {
    const { kernel, paths } = this.#ports;
    const pinDir = pinDirOf(paths, pins);
    const link = this.#linkOf(pins, host);
    const filter = kernel.readBack(pinDir);
    const fault = link === null ? null : attachmentFault(filter, link.ifindex);
    const currentProgram = isCurrentProgram(filter, kernel.programTags());
    const pinned = host.pins.has(pins);
    this.#measure(pins, link, fault);
    const record = this.#recordOf(pins, host);
    const isToEnd = link !== null && record.state === 'ok' && record.record.violations?.toEnd === true;
    return {
      tap: link?.name ?? this.#bound.get(pins)?.link?.name ?? '',
      record,
      link: link === null ? null : { ...link, owner: { vm: this.#bound.get(pins)?.card?.vmId ?? null } },
      filter,
      fault,
      beside: besideOf(filter, pins, host.programs),
      currentProgram,
      crossings: pinned
        ? crossingsOf(kernel, pinDir, link !== null && fault === null && currentProgram)
        : null,
      tunnel: pinned ? tunnelOf(kernel, pinDir) : null,
      stagedReplacement: kernel.isReplacing(pinDir),
      pinned,
      policy: policyOf(filter),
      holders: isToEnd ? kernel.tapHolders(link.name) : [],
      wrongSettings: link === null ? [] : wrongSettings(kernel, link.name),
      routes: link === null ? [] : (host.routesByLink.get(link.ifindex) ?? []),
      neighbours: link === null ? [] : this.#neighbours(link.ifindex),
      claimed: link !== null && this.#bound.get(pins)?.card !== null,
    };
  }

  plan(pins: string, desired: DesiredAttachment, observed: ObservedAttachment, context: PlanContext): Plan {
    const { card = null, link = null } = this.#bound.get(pins) ?? {};
    const changed = observed.link !== null && observed.link.name !== link?.name && !isInForce(observed);
    return withoutFormer(
      planFound({ desired: changed ? CHANGED : desired, card }, observed, context),
      observed,
    );
  }

  place(pins: string, { tap }: ObservedAttachment): ActPlace {
    const card = this.#bound.get(pins)?.card ?? null;
    return {
      pinDir: pinDirOf(this.#ports.paths, pins),
      tap,
      record: card === null ? '' : cardKeyOf(card),
    };
  }

  /** The interface that these pins are for: none if what has the number now is no tap, or one of ours. */
  #linkOf(pins: string, host: ObservedSite): Link | null {
    const parsed = parsePinName(pins);
    if (parsed === null || parsed.aside || this.#bound.get(pins)?.link == null) return null;
    const link = host.links.get(parsed.ifindex);
    return link === undefined || isOwn(link, host.pins) ? null : link;
  }

  #recordOf(pins: string, { records, recordsFault }: ObservedSite): RecordState {
    const card = this.#bound.get(pins)?.card ?? null;
    if (records === null) return recordsFault;
    return (card === null ? undefined : records.get(cardKeyOf(card))) ?? { state: 'absent' };
  }

  /** Those that lead to guests: others are none of ours. */
  #neighbours(ifindex: number): { address: string; mac: string }[] {
    const { kernel, paths } = this.#ports;
    const pool = cidrRange(paths.pool);
    return kernel.neighbours(ifindex).filter(({ address }) => contains(pool, address));
  }

  #measure(pins: string, link: Link | null, fault: string | null): void {
    if (link === null) return;
    if (fault !== null && !link.up) this.#exposure.born(pins);
    else this.#exposure.looked(pins, fault !== null, this.#sinceNs, this.#ports.clock.monotonicNs());
  }
}
