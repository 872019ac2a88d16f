import type { NftFamily } from '../host/nft.ts';
import { isPattern, OWN_PATTERN, withoutCovered } from './managed.ts';
import type { ManagedInterfaces } from './managed.ts';

/*
 * The standing guard: three nftables tables of ours. They stand behind the filter and hold even where the filter is
 * absent; they know interfaces by name, so they hold from an interface's first packet on.
 *
 * `inet vmnetwork`, for what the host routes or takes in:
 *
 *   from_vm       what comes in from a managed tap without the filter's mark is dropped: a tap without a program is closed
 *   to_host       a guest never reaches the host itself
 *   from_host     the host never talks to a guest; its own IPv6 chatter on a new interface is no exception
 *   forwarded     an uplink that forwards only because of us forwards nothing else
 *   from_managed  no guest to guest; nothing that would leave untranslated, or that a rule of somebody else sends
 *                 elsewhere than the filter judged
 *   to_managed    only answers go to a guest, and only to an address that we gave
 *   translated    what the filter marked leaves with the host's address
 *
 * `bridge vmnetwork`: nothing passes a bridge from or to a managed tap, marked or not. A VM that may talk does so over a
 * tap that is in no bridge. `to_host` and `from_host` are for frames between a bridge and its neighbours, such as LACP and
 * 802.1X, which pass no other hook; LLDP and spanning tree from a guest pass none at all.
 *
 * `arp vmnetwork`: the host neither hears nor sends ARP on a managed tap; the filter answers the guest.
 *
 * A tap is managed by a pattern, which is a rule each, or as a bound link, which is an element of a set: patterns in sets
 * are not understood by nft before 1.0.3, which would take them for names.
 *
 * What no table of these families sees is said in docs/found-vms.md.
 */

export const TABLE = 'vmnetwork';
export const FAMILIES: readonly NftFamily[] = ['inet', 'bridge', 'arp'];

/** VMN_MARK_ALLOWED of native/include/vmn/abi.h. */
export const MARK_ALLOWED = 0x00100000;

/** Before all others: before connection tracking, before a bridge hands frames to the rules for routed packets. */
const FIRST = -310;

/** What the guard of one network namespace should be. */
export interface GuardTable {
  /** CIDR of the guest addresses. */
  readonly pool: string;
  /** Uplinks that forward only because we switched it on. The kernel's copy is the only record of it. */
  readonly openedUplinks: readonly string[];
  /**
   * Taps besides our own. `patterns` come from --managed-interfaces, and from the guard that is found in force: an agent
   * adds to them, it takes none away (host/host-wiring.ts does that). `links` are computed anew in each pass from the found
   * links of this namespace that have our pins: the names they have now. A name must be in the guard before its link is
   * taken out of its bridge or wired, and may leave it only when the link is gone: whoever has the name then is cut off
   * until it does.
   */
  readonly managed: ManagedInterfaces;
}

/** The tables as libnftables lists them, in the order of FAMILIES. Pure. */
export function renderGuard(wanted: GuardTable): unknown[] {
  const patterns = withoutCovered([OWN_PATTERN, ...wanted.managed.patterns]);
  const links = distinct(wanted.managed.links);
  const taps = [...patterns, `@${LINKS}`];
  return [...inetTable(wanted, taps, links), ...bridgeTable(taps, links), ...arpTable(taps, links)];
}

const LINKS = 'bound_links';
const UPLINKS = 'opened_uplinks';

/**
 * What tables say of themselves, each for all of them: a part of them may have been flushed. `patterns` are without that of
 * our own taps, and without whatever could not be one: these tables are adopted as they are found.
 */
export function namesIn(objects: readonly unknown[]): Pick<GuardTable, 'openedUplinks' | 'managed'> {
  const own = objects.filter(isObject);
  const patterns = own.flatMap(({ rule: found }) =>
    isObject(found) && found['chain'] === 'to_host' ? patternOf(found) : [],
  );
  return {
    openedUplinks: elementsOf(own, UPLINKS),
    managed: {
      patterns: distinct(patterns.filter((name) => name !== OWN_PATTERN && isPattern(name))),
      links: elementsOf(own, LINKS),
    },
  };
}

function inetTable(
  { pool, openedUplinks }: GuardTable,
  taps: readonly string[],
  links: readonly string[],
): unknown[] {
  const { table, names, base, chain, rule } = objectsOf('inet');
  const unmarked = match('!=', { '&': [{ meta: { key: 'mark' } }, MARK_ALLOWED] }, MARK_ALLOWED);
  const marked = match('==', { '&': [{ meta: { key: 'mark' } }, MARK_ALLOWED] }, MARK_ALLOWED);
  // Conntrack that takes no part in a packet (a checksum it disagrees with, say) leaves it without translation.
  const untranslatable = match('in', { ct: { key: 'state' } }, ['invalid', 'related', 'untracked']);
  const redirected = match('in', { ct: { key: 'status' } }, 'dnat');
  const notAnAnswer = match('!=', { ct: { key: 'state' } }, 'established');
  const ipv6 = match('==', { meta: { key: 'nfproto' } }, 'ipv6');
  const guests = addressesOf(pool);
  const jump = (target: string): unknown => ({ jump: { target } });
  return [
    table,
    names(UPLINKS, [...openedUplinks].sort()),
    names(LINKS, links),
    base('from_vm', 'filter', 'prerouting', FIRST),
    base('to_host', 'filter', 'input', -10),
    base('from_host', 'filter', 'output', -10),
    chain('from_managed'),
    chain('to_managed'),
    base('forwarded', 'filter', 'forward', -10),
    base('translated', 'nat', 'postrouting', 100),
    ...taps.map((tap) => rule('from_vm', [from(tap), unmarked, DROP])),
    ...taps.map((tap) => rule('to_host', [from(tap), DROP])),
    ...taps.map((tap) => rule('from_host', [to(tap), DROP])),
    ...taps.map((tap) => rule('from_managed', [to(tap), DROP])),
    rule('from_managed', [untranslatable, DROP]),
    rule('from_managed', [redirected, DROP]),
    rule('to_managed', [notAnAnswer, DROP]),
    // An answer of before the guard, or to whoever had this name before.
    rule('to_managed', [ipv6, DROP]),
    rule('to_managed', [match('!=', { payload: { protocol: 'ip', field: 'daddr' } }, guests), DROP]),
    rule('to_managed', [{ accept: null }]),
    ...taps.map((tap) => rule('forwarded', [from(tap), jump('from_managed')])),
    ...taps.map((tap) => rule('forwarded', [to(tap), jump('to_managed')])),
    rule('forwarded', [from(`@${UPLINKS}`), DROP]),
    ...taps.map((tap) => rule('translated', [to(tap), { return: null }])),
    rule('translated', [
      match('==', { payload: { protocol: 'ip', field: 'saddr' } }, guests),
      marked,
      { masquerade: null },
    ]),
  ];
}

function bridgeTable(taps: readonly string[], links: readonly string[]): unknown[] {
  const { table, names, base, rule } = objectsOf('bridge');
  return [
    table,
    names(LINKS, links),
    base('from_vm', 'filter', 'prerouting', FIRST),
    base('to_host', 'filter', 'input', FIRST),
    base('from_host', 'filter', 'output', FIRST),
    base('to_vm', 'filter', 'postrouting', FIRST),
    ...taps.map((tap) => rule('from_vm', [from(tap), DROP])),
    ...taps.map((tap) => rule('to_host', [from(tap), DROP])),
    ...taps.map((tap) => rule('from_host', [to(tap), DROP])),
    ...taps.map((tap) => rule('to_vm', [to(tap), DROP])),
  ];
}

function arpTable(taps: readonly string[], links: readonly string[]): unknown[] {
  const { table, names, base, rule } = objectsOf('arp');
  return [
    table,
    names(LINKS, links),
    base('to_host', 'filter', 'input', FIRST),
    base('from_host', 'filter', 'output', FIRST),
    ...taps.map((tap) => rule('to_host', [from(tap), DROP])),
    ...taps.map((tap) => rule('from_host', [to(tap), DROP])),
  ];
}

const DROP = { drop: null };

/** Makers of what a table of ours in that family consists of. */
function objectsOf(family: NftFamily) {
  const own = { family, table: TABLE };
  return {
    table: { table: { family, name: TABLE } },
    /** A set of exact names. */
    names: (name: string, elements: readonly string[]): unknown => ({
      set: { ...own, name, type: 'ifname', ...(elements.length === 0 ? {} : { elem: elements }) },
    }),
    base: (name: string, type: string, hook: string, prio: number): unknown => ({
      chain: { ...own, name, type, hook, prio, policy: 'accept' },
    }),
    chain: (name: string): unknown => ({ chain: { ...own, name } }),
    rule: (chain: string, expr: readonly unknown[]): unknown => ({ rule: { ...own, chain, expr } }),
  };
}

function from(name: string): unknown {
  return match('==', { meta: { key: 'iifname' } }, name);
}

function to(name: string): unknown {
  return match('==', { meta: { key: 'oifname' } }, name);
}

function match(op: string, left: unknown, right: unknown): unknown {
  return { match: { op, left, right } };
}

function addressesOf(pool: string): unknown {
  const [addr = '', len = '32'] = pool.split('/');
  return len === '32' ? addr : { prefix: { addr, len: Number(len) } };
}

function patternOf({ expr }: Record<string, unknown>): string[] {
  const [first] = Array.isArray(expr) ? (expr as unknown[]) : [];
  const right = isObject(first) && isObject(first['match']) ? first['match']['right'] : undefined;
  return typeof right === 'string' && !right.startsWith('@') ? [right] : [];
}

function elementsOf(objects: readonly Record<string, unknown>[], name: string): string[] {
  const found = objects.flatMap(({ set }) =>
    isObject(set) && set['name'] === name && Array.isArray(set['elem']) ? (set['elem'] as unknown[]) : [],
  );
  return distinct(found.filter((element) => typeof element === 'string'));
}

function distinct(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
