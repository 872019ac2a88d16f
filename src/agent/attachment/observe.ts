import { isVmnError } from '../../lib/errors.ts';
import type { VmnError } from '../../lib/errors.ts';
import { decodePolicy, encodePolicy } from '../../native/policy-abi.ts';
import type { Policy } from '../../native/policy-abi.ts';
import type { HostRoute, Kernel, Link, ReadBack } from '../host/kernel.ts';
import type { TunnelSigns } from '../host/tunnel-signs.ts';
import { isClaimAlive } from '../wiring/closed-tap.ts';
import { besideOf, PinnedPrograms } from '../wiring/beside.ts';
import { isTapName, ownerOfAlias } from '../wiring/identity.ts';
import { pinDirOf } from '../wiring/paths.ts';
import type { AttachmentPaths } from '../wiring/paths.ts';
import type { RecordState, RecordStore } from '../wiring/record.ts';
import { wrongSettings } from '../wiring/settings.ts';
import { attachmentFault, isCurrentProgram } from '../wiring/verify.ts';
import type { ObservedAttachment, ObservedLink } from './observed.ts';

/** What is listed once for all attachments of a pass. */
export interface ObservedHost {
  readonly links: ReadonlyMap<string, Link>;
  readonly records: ReadonlyMap<string, RecordState>;
  /** Set when the state folder itself could not be read: then no record can be trusted to be absent. */
  readonly recordsError: VmnError | null;
  readonly routesByLink: ReadonlyMap<number, readonly string[]>;
  /** Taps that have pins. */
  readonly pins: ReadonlySet<string>;
  readonly programs: PinnedPrograms;
}

/** Lists links, routes, pins and records. Throws when the kernel refuses one of its lists. */
export function observeHost(kernel: Kernel, records: RecordStore, paths: AttachmentPaths): ObservedHost {
  const { records: found, error } = listRecords(records);
  const pins = new Set(kernel.listPins(paths.bpffs));
  return {
    records: found,
    recordsError: error,
    links: new Map(kernel.links().map((link) => [link.name, link])),
    routesByLink: groupByLink(kernel.managedRoutes()),
    pins,
    programs: new PinnedPrograms(kernel, paths, pins),
  };
}

/** Taps of ours and pins, whether or not a record knows them. */
export function existingTaps(host: ObservedHost): Set<string> {
  const taps = new Set<string>();
  for (const link of host.links.values()) {
    if (isTapName(link.name) && ownerOfAlias(link.alias, link.name) !== null) taps.add(link.name);
  }
  for (const pin of host.pins) {
    if (isTapName(pin)) taps.add(pin);
  }
  return taps;
}

/** Reads one attachment back from the kernel. */
export function observeAttachment(
  kernel: Kernel,
  host: ObservedHost,
  paths: AttachmentPaths,
  tap: string,
): ObservedAttachment {
  const record = recordOf(host, tap);
  const link = withOwner(host.links.get(tap) ?? null);
  const pinDir = pinDirOf(paths, tap);
  const filter = kernel.readBack(pinDir);
  const fault = link === null ? null : attachmentFault(filter, link.ifindex);
  const currentProgram = isCurrentProgram(filter, kernel.programTags());
  const sound = link !== null && fault === null && currentProgram;
  return {
    tap,
    record,
    link,
    filter,
    fault,
    beside: besideOf(filter, tap, host.programs),
    currentProgram,
    crossings: host.pins.has(tap) ? crossingsOf(kernel, pinDir, sound) : null,
    tunnel: host.pins.has(tap) ? tunnelOf(kernel, pinDir) : null,
    stagedReplacement: kernel.isReplacing(pinDir),
    pinned: host.pins.has(tap),
    policy: policyOf(filter),
    holders: record.state === 'ok' && record.record.violations?.toEnd === true ? kernel.tapHolders(tap) : [],
    wrongSettings: link === null ? [] : wrongSettings(kernel, tap),
    routes: link === null ? [] : (host.routesByLink.get(link.ifindex) ?? []),
    neighbours: link === null ? [] : kernel.neighbours(link.ifindex),
    claimed: record.state === 'ok' && isClaimAlive(kernel, record.record.claim),
  };
}

export function listRecords(store: RecordStore): {
  records: Map<string, RecordState>;
  error: VmnError | null;
} {
  try {
    return { records: store.list(), error: null };
  } catch (error) {
    if (isVmnError(error)) return { records: new Map(), error };
    throw error;
  }
}

function recordOf(host: ObservedHost, tap: string): RecordState {
  if (host.recordsError !== null) return { state: 'unreadable', error: host.recordsError };
  return host.records.get(tap) ?? { state: 'absent' };
}

function withOwner(link: Link | null): ObservedLink | null {
  if (link === null) return null;
  return { ...link, owner: link.kind === 'tun' ? ownerOfAlias(link.alias, link.name) : null };
}

/** A filter of another build, or one that was meddled with, may lack what tells; a sound one must tell. */
export function crossingsOf(kernel: Kernel, pinDir: string, sound: boolean): number | null {
  try {
    return Number(kernel.violations(pinDir).crossings);
  } catch (error) {
    if (sound || !isVmnError(error)) throw error;
    return null;
  }
}

/** Whatever is told of a tunnel, nothing is enforced by it: not being able to read it is no failure of the attachment. */
export function tunnelOf(kernel: Kernel, pinDir: string): TunnelSigns | null {
  try {
    return kernel.tunnel(pinDir);
  } catch (error) {
    if (isVmnError(error)) return null;
    throw error;
  }
}

/** Bytes that we would not write ourselves (another ABI, set reserved fields) are no policy we know. */
export function policyOf(filter: ReadBack): Policy | null {
  if (filter.policyState !== 'set' || filter.policy === null) return null;
  try {
    const policy = decodePolicy(filter.policy);
    return Buffer.compare(encodePolicy(policy), filter.policy) === 0 ? policy : null;
  } catch {
    return null;
  }
}

export function groupByLink(routes: readonly HostRoute[]): Map<number, string[]> {
  const groups = new Map<number, string[]>();
  for (const { ifindex, destination } of routes) {
    const members = groups.get(ifindex);
    if (members === undefined) groups.set(ifindex, [destination]);
    else members.push(destination);
  }
  return groups;
}
