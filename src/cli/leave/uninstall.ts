import { act } from '../../agent/attachment/act.ts';
import { ensureGuard, syncForwarding } from '../../agent/host/host-wiring.ts';
import type { Kernel } from '../../agent/host/kernel.ts';
import type { Nft } from '../../agent/host/nft.ts';
import { cidrRange, contains } from '../../agent/wiring/address-pool.ts';
import { isClaimAlive } from '../../agent/wiring/closed-tap.ts';
import { isManaged, isTap } from '../../agent/wiring/managed.ts';
import { readGuard } from '../../agent/wiring/nft-table.ts';
import type { OpenedUplinks } from '../../agent/wiring/opened-uplinks.ts';
import type { AttachmentPaths } from '../../agent/wiring/paths.ts';
import type { RecordStore } from '../../agent/wiring/record.ts';
import { isVmnError, VmnError } from '../../lib/errors.ts';
import { takeGuardAway } from '../guard/standing-guard.ts';
import type { EnginesHere } from './engines.ts';
import { type TapInUse, useOf } from './in-use.ts';
import { listManaged, type ManagedTap } from './managed-taps.ts';

/*
 * Theory of operation
 *
 * Everything of ours leaves the host, and no VM that runs is opened by it. So a tap that a VM has is a reason to do nothing at
 * all; or, with `leaveClosed`, it keeps its filter, its record and the guard, and all else goes. The order, and what a SIGKILL
 * after each step leaves:
 *
 *   0  userspace engines that no VM has: ended; their records go with 4
 *   1  taps of ours that nobody has: emptied, taken hold of, deleted; then pins and record, see act.ts
 *                                       the others as they were
 *   2  pins of interfaces that are gone
 *   3  taps of others that nobody has: held, unwired, their pins removed
 *                                       they are closed by the guard, if they match its patterns; no VM has them
 *   4  records of VMs that are not here  addresses may go to others, as all guests that had one are gone
 *   5  the uplinks forward no more because of us
 *   6  the guard                         nothing relies on it: there is neither a tap that a VM has nor a filter
 *   7  the pins that all filters shared, and files
 *
 * Done again it goes on where it was cut off.
 */

export interface UninstallPorts {
  readonly kernel: Kernel;
  readonly nft: Nft;
  readonly records: RecordStore;
  readonly uplinks: OpenedUplinks;
  /** Removes pins of a filter that is attached, which detaches it. */
  detach(pinDir: string): void;
  /** Removes a file that an agent may have left; whether there was one. */
  removeFile(path: string): boolean;
}

export interface Uninstalled {
  /** False: taps are in use, and nothing was changed. */
  readonly done: boolean;
  readonly removed: readonly { readonly what: string; readonly on: string }[];
  /** Taps that VMs have. With `done` they were left closed. */
  readonly inUse: readonly TapInUse[];
}

export interface UninstallOptions {
  readonly leaveClosed: boolean;
  /** Of VMs that have no tap; absent: there are none. */
  readonly engines?: EnginesHere;
  /** Of an agent: removed when nothing is left, and with `leaveClosed` those that closed VMs do without. */
  readonly files: { readonly always: readonly string[]; readonly atLast: readonly string[] };
}

/** Under the locks of an agent and the state lock. Throws VmnError; what was done until then stands. */
export async function uninstall(
  ports: UninstallPorts,
  paths: AttachmentPaths,
  { leaveClosed, files, engines = NO_ENGINES }: UninstallOptions,
): Promise<Uninstalled> {
  const { kernel, records, nft } = ports;
  // Throws if it is damaged, before anything is changed.
  ports.uplinks.read();
  const guarded = (await readGuard(nft))?.managed ?? { patterns: [], links: [] };
  const states = records.list();
  const managed = listManaged(kernel, { list: () => states }, paths, guarded);
  const uses = (by: 'carrier' | 'hold'): TapInUse[] => [
    ...managed.flatMap((tap) => {
      const use = useOf(tap, states.get(tap.pins), kernel, by);
      return use === null ? [] : [{ ...use, closed: tap.state === 'closed' }];
    }),
    ...claimed(ports, managed).filter(({ pins }) => !engines.inUse.some((use) => use.pins === pins)),
    ...engines.inUse,
  ];
  const isRefused = (taps: readonly TapInUse[]): boolean =>
    taps.length > 0 && !(leaveClosed && taps.every(({ closed }) => closed));
  // To hold a tap is seen on the host, so it is not done where the answer is no anyway.
  let inUse = uses('carrier');
  if (!isRefused(inUse)) inUse = uses('hold');
  if (isRefused(inUse)) return { done: false, removed: [], inUse };

  const removed: { what: string; on: string }[] = [];
  const used = new Set(inUse.map(({ pins }) => pins));
  const idle = managed.filter(({ pins }) => !used.has(pins));
  const tell = (what: string, on: string): void => void removed.push({ what, on });
  removed.push(...(await engines.endIdle()));
  for (const tap of idle) if (tap.own) tearDown(tap, ports, paths, tell);
  for (const { own, state, pins, pinDir } of idle) {
    if (own || state !== 'gone') continue;
    kernel.removePins(pinDir);
    tell('pins', pins);
  }
  for (const tap of idle) if (!tap.own && tap.link !== null) letGo(tap, ports, paths, tell);
  for (const key of records.list().keys()) {
    // The guests on taps of others cannot be told from each other once nothing passes.
    if (used.has(key) || (!key.startsWith('vmn-') && inUse.length > 0)) continue;
    records.remove(key);
    tell('record', key);
  }
  await unwire(ports, paths, inUse.length > 0, tell);
  for (const path of [...files.always, ...(inUse.length > 0 ? [] : files.atLast)])
    if (ports.removeFile(path)) tell('file', path);
  return { done: true, removed, inUse };
}

const NO_ENGINES: EnginesHere = { inUse: [], endIdle: () => Promise.resolve([]) };

type Tell = (what: string, on: string) => void;

/** VMs that are about to start on a tap that somebody removed. */
function claimed({ kernel, records }: UninstallPorts, managed: readonly ManagedTap[]): TapInUse[] {
  const known = new Set(managed.map(({ pins }) => pins));
  return [...records.list()].flatMap(([key, state]) => {
    if (known.has(key) || state.state !== 'ok' || !isClaimAlive(kernel, state.record.claim)) return [];
    const { vm, claim } = state.record;
    const pids = claim === null ? [] : [claim.pid];
    return [{ tap: key, vm, pins: key, closed: false, pids, why: 'is about to be used' }];
  });
}

function tearDown(tap: ManagedTap, ports: UninstallPorts, paths: AttachmentPaths, tell: Tell): void {
  const place = { pinDir: tap.pinDir, tap: tap.pins, record: tap.pins };
  const endings = { begin: neverBegun, progressOf: neverBegun };
  const outcome = act({ kind: 'tear-down' }, place, { ...ports, withStateLock: here, endings }, paths);
  if (outcome === 'in-use') throw taken(tap.tap);
  tell('tap', tap.tap);
}

/** A tap of somebody else's stays. It is held meanwhile, so that no VM takes it before it is seen to be open. */
function letGo(tap: ManagedTap, ports: UninstallPorts, paths: AttachmentPaths, tell: Tell): void {
  const { link, pinDir, state } = tap;
  if (link === null) return;
  const { kernel } = ports;
  const fd = takeHold(link.name, kernel);
  try {
    const pool = cidrRange(paths.pool);
    for (const { address } of kernel.neighbours(link.ifindex))
      if (contains(pool, address)) kernel.deleteNeighbour(link.ifindex, address);
    for (const { ifindex, destination } of kernel.managedRoutes())
      if (ifindex === link.ifindex) kernel.deleteRoute(destination, ifindex);
    ports.detach(pinDir);
  } finally {
    if (fd !== null) kernel.closeTap(fd);
  }
  if (state !== 'unfiltered') tell('filter', tap.tap);
}

/** Null: it has several queues, of which nobody can hold all. */
function takeHold(tap: string, kernel: Kernel): number | null {
  try {
    return kernel.openTap(tap);
  } catch (error) {
    if (!isVmnError(error)) throw error;
    const isHeld = isVmnError(error, 'VMN_TAP_IN_USE') || kernel.linkByName(tap)?.carrier !== false;
    if (isHeld) throw taken(tap);
    return null;
  }
}

/** Forwarding, guard and shared pins; the latter two stay with taps that are left. */
async function unwire(
  { kernel, nft, uplinks }: UninstallPorts,
  { pool, bpffs }: AttachmentPaths,
  isLeft: boolean,
  tell: Tell,
): Promise<void> {
  const ports = { kernel, nft, uplinks, pool, bpffs };
  const found = await readGuard(nft);
  for (const uplink of new Set([...(found?.openedUplinks ?? []), ...uplinks.read()]))
    tell('forwarding', uplink);
  if (isLeft) {
    const managed = found?.managed ?? { patterns: [], links: [] };
    const wiring = { ...ports, managed, onChange: () => undefined };
    return syncForwarding(wiring, await ensureGuard(wiring), []);
  }
  // The guard may be all that closes a VM that was started since.
  const { patterns, links } = found?.managed ?? { patterns: [], links: [] };
  const started = kernel
    .links()
    .find(
      (link) => isTap(link) && link.carrier && (isManaged(link.name, patterns) || links.includes(link.name)),
    );
  if (started !== undefined) throw taken(started.name);
  if (await takeGuardAway(ports, true)) tell('guard', 'nftables');
  kernel.removeSharedPins(bpffs);
}

/** Between the look and the act. Nothing of it was changed but that it may be closed. */
function taken(tap: string): VmnError {
  return new VmnError('VMN_TAP_IN_USE', {
    attempted: 'uninstall',
    on: tap,
    remedy: 'A VM took it meanwhile. End that VM and run this again: it goes on where it stopped.',
  });
}

const here = <T>(body: () => T): T => body();

function neverBegun(): never {
  throw new TypeError('a tear-down ends no VM');
}
