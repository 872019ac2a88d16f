import type { AddressRange } from '../../api/v1alpha1/denied-networks.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { ensureGuard, removeHostWiring, syncForwarding } from '../host/host-wiring.ts';
import type { HostWiringPorts } from '../host/host-wiring.ts';
import type { Link } from '../host/kernel.ts';
import type { Nft } from '../host/nft.ts';
import type { Site } from '../host/site.ts';
import type { HostView, Wanted } from '../source/wanted.ts';
import { cidrRange, overlaps } from '../wiring/address-pool.ts';
import { directUplinks } from '../wiring/direct-uplinks.ts';
import type { OpenedUplinks } from '../wiring/opened-uplinks.ts';
import { heldSinceNs } from '../found/exposure.ts';
import type { Exposure } from '../found/exposure.ts';
import { bindLinks } from '../found/binding.ts';
import type { BoundLink } from '../found/binding.ts';
import { parsePinName } from '../found/pins.ts';
import type { SiteKeeper } from '../found/site-watch.ts';
import { forgetCards, isInForceFor, passFound, unpatterned } from '../found/pass.ts';
import type { VmDirectory } from '../discovery/directory.ts';
import { notIfBusy } from '../host/lock.ts';
import type { EngineKeeper } from '../userspace/engines.ts';
import { userspaceEngines, withEngine } from '../userspace/subject.ts';
import { addressClashes, desiredAttachments, tapClashes } from './desired.ts';
import { viewOf } from './host-view.ts';
import { existingTaps, observeHost } from './observe.ts';
import { OwnAddresses } from './own-addresses.ts';
import type { Blocked } from './plan.ts';
import { ownTaps, runRounds } from './rounds.ts';
import type { AttachmentResult, RoundMemory, RoundPorts } from './rounds.ts';
import { RouteAnswers } from './route-answers.ts';

/*
 * Theory of operation
 *
 * A pass takes the whole host from whatever it is to what is wanted of it, or as near as errors allow:
 *
 *   1  what is wanted (pure), from the source of the wishes and from what exists
 *   2  the standing guard, before any tap can come up
 *   3  the links of others that are managed, then the attachments on taps of ours, in rounds; see rounds.ts
 *   4  the attachments on userspace engines, which need none of the following; see userspace/plan.ts
 *   5  forwarding of the uplinks that programmed endpoints are reached by, or in mode Direct whatever is not denied
 *   6  when nothing is left at all: guard, forwarding and shared pins are removed
 */

export interface PassPorts extends RoundPorts {
  readonly nft: Nft;
  readonly uplinks: OpenedUplinks;
  /** Of --managed-interfaces. */
  readonly managedPatterns: readonly string[];
  /** The VMs of this host. */
  readonly vms: Pick<VmDirectory, 'list'>;
  readonly sites: SiteKeeper;
  readonly engines: EngineKeeper;
  /** As the source of the wishes knows this host. */
  readonly nodeName: string;
  /** The pins that all attachments share are about to be removed: let go of them. */
  readonly onLastDetached: () => void;
}

/** What passes hand on to the next. */
export interface PassMemory extends RoundMemory {
  readonly exposure: Exposure;
  /** Namespaces, besides our own, in which this agent put the guard in force, and VMs are. */
  readonly guardedSites: Set<string>;
}

export interface HostProblem {
  readonly on: string;
  readonly error: Blocked;
}

export interface PassResult {
  /** What it was asked for. */
  readonly wanted: Wanted;
  readonly attachments: readonly AttachmentResult[];
  /** The standing guard is in force, or nothing needs it. */
  readonly guarded: boolean;
  /** What is wrong with the host, not with one attachment. */
  readonly problems: readonly HostProblem[];
  /** Endpoint addresses that this host has no route to. */
  readonly unreachable: ReadonlySet<string>;
  /** Kept undone by whoever holds the state lock; each by a name. */
  readonly unfinished: readonly string[];
  /** Filters that somebody took away, since this agent started. */
  readonly losses: number;
}

/** `askWishes` is called once, when the host has been looked at. */
export async function reconcile(
  askWishes: (host: HostView) => Wanted,
  memory: PassMemory,
  hostPorts: PassPorts,
): Promise<PassResult> {
  const ports = { ...hostPorts, passBeganNs: hostPorts.clock.monotonicNs() };
  const { kernel, records, paths } = ports;
  const sinceNs = memory.exposure.begin(ports.clock.monotonicNs());
  const problems: HostProblem[] = [];
  const host = observeHost(kernel, records, paths);
  const existing = existingTaps(host);
  const onEngines = withEngine(host.records);
  // Before the VMs are listed: a card that leads to one is none that cannot be filtered.
  if (onEngines.length > 0) await ports.engines.look(onEngines);
  const vms = ports.vms.list();
  const { open, entered: news, left, closed } = ports.sites.of(vms);
  const wanted = askWishes({ ...viewOf(host, existing, ports), closedSites: closed });
  problems.push(...tapClashes(wanted.attachments).map(clashProblem));
  if (host.recordsError !== null) problems.push({ on: paths.stateDir, error: host.recordsError });

  const own = siteFor({ id: null, kernel, nft: ports.nft }, ports.uplinks, ports);
  const known = {
    networks: new Set(wanted.networks.map(({ plan }) => plan.key)),
    complete: wanted.complete,
    records: host.records,
    pool: paths.pool,
  };
  const desired = desiredAttachments({
    ...known,
    attachments: wanted.attachments,
    existing,
    routeTo: (address) => own.routes.to(address),
    own: own.addresses,
  });
  const engineNames = new Set(onEngines.map(({ tap }) => tap));
  const onTaps = new Map([...desired].filter(([tap]) => !engineNames.has(tap)));
  const bind = (site: SitePass, links: readonly Link[], pins: ReadonlySet<string>): BoundLinks =>
    bindLinks({
      ...{ ...known, site: site.id, links, pins, patterns: ports.managedPatterns, cards: wanted.cards, vms },
      clashes: addressClashes(host.records),
      routeTo: (address) => site.routes.to(address),
      own: site.addresses,
      isRunning: ({ pid, startTicks }) => kernel.processStart(pid) === startTicks,
      isInForceFor: isInForceFor(site.ports),
    });
  const bound = new Map<SitePass, BoundLinks>([[own, bind(own, [...host.links.values()], host.pins)]]);
  for (const site of [...open.values(), ...left.values()]) {
    const there = siteFor(site, IN_THE_GUARD, ports, own);
    await attempt(problems, () => bound.set(there, bind(there, site.kernel.links(), host.pins)));
  }
  // Of a namespace that cannot be entered, or is gone, what is pinned is all that can be got hold of.
  const entered = new Set([...bound.keys()].map(({ id }) => id));
  for (const id of new Set([...host.pins].flatMap((pins) => parsePinName(pins)?.site ?? []))) {
    if (entered.has(id)) continue;
    const outOfReach = { ...own, id };
    bound.set(outOfReach, bind(outOfReach, [], host.pins));
  }
  const all = new Map([...bound.values()].flatMap((links) => [...links]));
  const attached = new Set([...desired.keys(), ...all.keys()]);
  memory.retries.keepOnly(attached);
  for (const pins of memory.generations.keys()) if (!attached.has(pins)) memory.generations.delete(pins);
  memory.losses.keepOnly(attached, ports.clock.monotonicNs());
  memory.exposure.keepOnly(all);

  const enforced: EnforcedSite[] = [];
  for (const [site, links] of bound) {
    const isOwn = site === own;
    const isOutOfReach = !isOwn && !open.has(site.id ?? '') && !left.has(site.id ?? '');
    const isNews = news.has(site.id ?? '');
    const seenSinceNs = isNews ? heldSinceNs(site.id, vms, memory.exposure, sinceNs, ports) : sinceNs;
    const rounds = async (guarded: boolean): Promise<AttachmentResult[]> => [
      ...(await passFound(
        { site: site.id, bound: links, guarded, exposure: memory.exposure, sinceNs: seenSinceNs },
        memory,
        site.ports,
      )),
      ...(isOwn ? await runRounds(onTaps, guarded, memory, ports, ownTaps(ports)) : []),
    ];
    const isAny = links.size > 0 || (isOwn && onTaps.size > 0);
    const step = async (): Promise<EnforcedSite> =>
      isOutOfReach
        ? { attachments: await rounds(false), guarded: true, unreachable: [] }
        : enforceSite(site, links, isAny, rounds, problems, memory.guardedSites);
    // What fails of our own namespace fails the pass.
    const done = isOwn ? await step() : await attempt(problems, step);
    if (done !== null) enforced.push(done);
  }
  const served = await runRounds(
    new Map([...desired].filter(([tap]) => engineNames.has(tap))),
    true,
    memory,
    ports,
    userspaceEngines(ports, ports.engines),
  );
  const attachments = [...enforced.flatMap((site) => site.attachments), ...served];
  // Where a namespace failed, whose policy is in force there is not known.
  const isAllSeen = enforced.length === bound.size && open.size + left.size === entered.size - 1;
  const isForgotten = (): Promise<boolean> => forgetCards(wanted, vms, attachments, host.records, ports);
  const unfinished: string[] = [];
  if (isAllSeen && (await attempt(problems, isForgotten)) === false) unfinished.push('records of cards');
  if (attachments.every(isNothing) && (await attempt(problems, () => removeShared(ports))) === false)
    unfinished.push('shared pins');
  for (const id of memory.guardedSites) if (!open.has(id)) memory.guardedSites.delete(id);
  ports.sites.letGo();
  return {
    wanted,
    attachments,
    guarded: enforced.length === bound.size && enforced.every(({ guarded }) => guarded),
    problems,
    unreachable: new Set([
      ...enforced.flatMap(({ unreachable }) => unreachable),
      ...unreachableBy(own, allowedEndpoints(served, ports.clock.monotonicNs())),
    ]),
    unfinished,
    losses: memory.losses.count,
  };
}

type BoundLinks = ReadonlyMap<string, BoundLink>;

/** One network namespace, as a pass works in it. */
interface SitePass {
  /** See Site. */
  readonly id: string | null;
  readonly ports: PassPorts;
  readonly routes: RouteAnswers;
  readonly addresses: OwnAddresses;
  readonly wiring: (links: readonly string[]) => HostWiringPorts;
}

interface EnforcedSite {
  readonly attachments: readonly AttachmentResult[];
  readonly guarded: boolean;
  readonly unreachable: readonly string[];
}

/** Elsewhere than in our own namespace the guard alone tells which uplinks forward because of us: they end with it. */
const IN_THE_GUARD: OpenedUplinks = { read: () => [], write: () => undefined };

function siteFor(
  { id, kernel, nft }: Pick<Site, 'id' | 'kernel' | 'nft'>,
  uplinks: OpenedUplinks,
  hostPorts: PassPorts,
  host?: SitePass,
): SitePass {
  const ports = { ...hostPorts, kernel, nft };
  const { pool } = ports.paths;
  const onChange = (what: string, on: string): void =>
    ports.onChange(what, id === null ? on : `${on} in ${id}`, null);
  const wiring = (links: readonly string[]): HostWiringPorts => {
    return { kernel, nft, uplinks, pool, managed: { patterns: ports.managedPatterns, links }, onChange };
  };
  const addresses = new OwnAddresses(kernel, host === undefined ? [] : [host.addresses]);
  return { id, ports, routes: new RouteAnswers(kernel), addresses, wiring };
}

/** Guard, attachments, forwarding. Where nothing of ours is any more the guard goes, or what it has beside its patterns. */
async function enforceSite(
  { id, ports, routes, wiring: wiringWith }: SitePass,
  bound: BoundLinks,
  isAny: boolean,
  rounds: (guarded: boolean) => Promise<AttachmentResult[]>,
  problems: HostProblem[],
  guardedSites: Set<string>,
): Promise<EnforcedSite> {
  const wiring = wiringWith(unpatterned(bound, ports.managedPatterns));
  const isGuarded = isAny || ports.managedPatterns.length > 0;
  if (isGuarded && id !== null) guardedSites.add(id);
  const guard = isGuarded ? await attempt(problems, () => ensureGuard(wiring)) : null;
  if (isAny) problems.push(...poolProblems(ports));
  const attachments = await rounds(guard !== null);
  const allowed = allowedEndpoints(attachments, ports.clock.monotonicNs());
  const reached = allowed.flatMap((address) => routes.to(address)?.name ?? []);
  const needed = [
    ...new Set([...reached, ...directUplinks(deniedInDirect(attachments), ports.kernel, routes)]),
  ];
  // Another agent may have that namespace for its own.
  const isOurs = id === null || guardedSites.has(id);
  if (isOurs && attachments.every(isNothing)) await attempt(problems, () => removeHostWiring(wiringWith([])));
  else if (guard !== null) await attempt(problems, () => syncForwarding(wiring, guard, needed));
  return {
    attachments,
    guarded: !isGuarded || guard !== null,
    unreachable: unreachableBy({ routes }, allowed),
  };
}

function unreachableBy({ routes }: Pick<SitePass, 'routes'>, addresses: readonly string[]): string[] {
  return addresses.filter((address) => routes.to(address) === null);
}

/** False: somebody holds the state lock, so it is yet to be done. */
async function removeShared(ports: PassPorts): Promise<boolean> {
  ports.onLastDetached();
  // Under the lock: `vmnetctl run` may be about to pin there.
  const remove = (): true => {
    ports.withStateLock(() => ports.kernel.removeSharedPins(ports.paths.bpffs));
    return true;
  };
  return ports.whenStateLockIsFree(remove).catch(notIfBusy);
}

function clashProblem({ tap, vms }: { tap: string; vms: string[] }): HostProblem {
  return {
    on: tap,
    error: {
      code: 'VMN_TAP_NOT_OURS',
      message: `the names of VMs ${vms.join(' and ')} lead to the same tap name; only one that has the tap already is served`,
      remedy: 'Give all but one of these VMs another name.',
    },
  };
}

function isNothing({ observed, verified }: AttachmentResult): boolean {
  if (!verified || observed === null || observed.link !== null || observed.pinned) return false;
  return observed.record.state === 'absent';
}

/** Addresses that some attachment may send to: by the policy that is wanted, and by the one last seen in force. */
function allowedEndpoints(attachments: readonly AttachmentResult[], nowNs: bigint): string[] {
  const policies = attachments.flatMap(({ policy, observed }) => [policy, observed?.policy ?? null]);
  return policies.flatMap((policy) => {
    if (policy === null || policy.flags.quarantined) return [];
    const { endpoint, previous } = policy;
    if (endpoint === null) return [];
    const inGrace = previous !== null && previous.untilNs > nowNs;
    return inGrace ? [endpoint.address, previous.address] : [endpoint.address];
  });
}

/** What each policy of mode Direct denies, of those that are wanted or were last seen in force. */
function deniedInDirect(attachments: readonly AttachmentResult[]): (readonly AddressRange[])[] {
  const policies = attachments.flatMap(({ policy, observed }) => [policy, observed?.policy ?? null]);
  return policies.flatMap((policy) =>
    policy?.denied === undefined || policy.flags.quarantined ? [] : [policy.denied],
  );
}

/** Addresses that the host routes elsewhere would be taken away from there, one by one. */
function poolProblems({ kernel, paths }: PassPorts): HostProblem[] {
  const pool = cidrRange(paths.pool);
  // On links that others made, too.
  const ours = new Set(kernel.managedRoutes().map(({ destination, ifindex }) => `${destination} ${ifindex}`));
  return kernel
    .foreignRoutes()
    .filter(({ destination, ifindex }) => !ours.has(`${destination} ${ifindex}`))
    .filter(({ destination, prefixLength }) => overlaps(pool, cidrRange(`${destination}/${prefixLength}`)))
    .map(({ destination, prefixLength }) => ({
      on: paths.pool,
      error: {
        code: 'VMN_USAGE',
        message: `the pool of guest addresses ${paths.pool} overlaps the host's route ${destination}/${prefixLength}`,
        remedy: 'Give --pool a network that this host does not use otherwise.',
      },
    }));
}

/** Runs one step that concerns the host as a whole; its failure is a problem and not the end of the pass. */
async function attempt<T>(problems: HostProblem[], step: () => T | Promise<T>): Promise<T | null> {
  try {
    return await step();
  } catch (cause) {
    const error = isVmnError(cause)
      ? cause
      : new VmnError('VMN_NFT_FAILED', { attempted: 'wire the host', cause });
    problems.push({ on: 'host', error });
    return null;
  }
}
