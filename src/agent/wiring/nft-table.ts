import { isDeepStrictEqual } from 'node:util';
import { VmnError } from '../../lib/errors.ts';
import type { Nft } from '../host/nft.ts';
import { TAP_PREFIX } from './identity.ts';

/*
 * The standing guard: one nftables table of ours, `inet vmnetwork`. It stands behind the filter and holds even where
 * the filter is absent:
 *
 *   from_vm     what comes in from a managed tap without the filter's mark is dropped: a tap without a program is closed
 *   to_host     a guest never reaches the host itself
 *   from_host   the host never talks to a guest
 *   forwarded   no guest to guest; nothing that would leave untranslated, or that a rule of somebody else sends
 *               elsewhere than the filter judged; only answers go to a guest; an uplink that forwards only because of us
 *               forwards nothing else
 *   translated  what the filter marked leaves with the host's address
 *
 * The table is replaced as a whole in one transaction, and only when what the kernel holds differs. Tables of others
 * are neither read nor written.
 */

export const TABLE = 'vmnetwork';

/** VMN_MARK_ALLOWED of native/include/vmn/abi.h. */
export const MARK_ALLOWED = 0x00100000;

export interface GuardTable {
  /** CIDR of the guest addresses. */
  readonly pool: string;
  /** Uplinks that forward only because we switched it on. The kernel's copy is the only record of it. */
  readonly openedUplinks: readonly string[];
}

/** What the kernel holds; null: no table. */
export interface GuardReadBack {
  readonly openedUplinks: readonly string[];
  /** The objects without what the kernel adds (handles, version). */
  readonly objects: readonly unknown[];
}

/** The table as libnftables lists it: what is applied and what a read-back is compared with. Pure. */
export function renderGuard({ pool, openedUplinks }: GuardTable): unknown[] {
  const [addr = '', len = '32'] = pool.split('/');
  const fromTap = match('==', { meta: { key: 'iifname' } }, `${TAP_PREFIX}*`);
  const toTap = match('==', { meta: { key: 'oifname' } }, `${TAP_PREFIX}*`);
  const notToTap = match('!=', { meta: { key: 'oifname' } }, `${TAP_PREFIX}*`);
  const unmarked = match('!=', { '&': [{ meta: { key: 'mark' } }, MARK_ALLOWED] }, MARK_ALLOWED);
  const marked = match('==', { '&': [{ meta: { key: 'mark' } }, MARK_ALLOWED] }, MARK_ALLOWED);
  // Conntrack that takes no part in a packet (a checksum it disagrees with, say) leaves it without translation.
  const untranslatable = match('in', { ct: { key: 'state' } }, ['invalid', 'related', 'untracked']);
  const redirected = match('in', { ct: { key: 'status' } }, 'dnat');
  const notAnAnswer = match('!=', { ct: { key: 'state' } }, 'established');
  const fromOpened = match('==', { meta: { key: 'iifname' } }, '@opened_uplinks');
  const fromPool = match(
    '==',
    { payload: { protocol: 'ip', field: 'saddr' } },
    len === '32' ? addr : { prefix: { addr, len: Number(len) } },
  );
  const own = { family: 'inet', table: TABLE };
  const elements = [...openedUplinks].sort();
  return [
    { table: { family: 'inet', name: TABLE } },
    {
      set: {
        ...own,
        name: 'opened_uplinks',
        type: 'ifname',
        ...(elements.length === 0 ? {} : { elem: elements }),
      },
    },
    chain('from_vm', 'filter', 'prerouting', -310),
    chain('to_host', 'filter', 'input', -10),
    chain('from_host', 'filter', 'output', -10),
    chain('forwarded', 'filter', 'forward', -10),
    chain('translated', 'nat', 'postrouting', 100),
    rule('from_vm', [fromTap, unmarked, DROP]),
    rule('to_host', [fromTap, DROP]),
    rule('from_host', [toTap, DROP]),
    rule('forwarded', [fromTap, toTap, DROP]),
    rule('forwarded', [fromTap, untranslatable, DROP]),
    rule('forwarded', [fromTap, redirected, DROP]),
    rule('forwarded', [toTap, notAnAnswer, DROP]),
    rule('forwarded', [fromOpened, notToTap, DROP]),
    rule('translated', [fromPool, marked, notToTap, { masquerade: null }]),
  ];
}

/** Reads our table back. */
export async function readGuard(nft: Nft): Promise<GuardReadBack | null> {
  const listed = await nft.listTable(TABLE);
  if (listed === null) return null;
  const objects = listed.filter((item) => !isObject(item) || !('metainfo' in item)).map(normalise);
  return { objects, openedUplinks: openedUplinksOf(objects) };
}

/** Whether the kernel holds exactly this table. */
export function isGuardInForce(found: GuardReadBack | null, wanted: GuardTable): boolean {
  return found !== null && isDeepStrictEqual(found.objects, renderGuard(wanted));
}

/**
 * Replaces the table in one transaction and returns what the kernel then holds. Throws VMN_READ_BACK when that is not
 * what was written.
 */
export async function applyGuard(nft: Nft, wanted: GuardTable): Promise<GuardReadBack> {
  await nft.apply([
    // `add` so that `delete` finds a table; both within the transaction.
    { add: { table: { family: 'inet', name: TABLE } } },
    { delete: { table: { family: 'inet', name: TABLE } } },
    ...renderGuard(wanted).map((object) => ({ add: object })),
  ]);
  const found = await readGuard(nft);
  if (found !== null && isGuardInForce(found, wanted)) return found;
  throw new VmnError('VMN_READ_BACK', {
    attempted: 'put the standing guard in force',
    on: `table inet ${TABLE}`,
  });
}

/** Removes our table. Succeeds when there is none. */
export async function removeGuard(nft: Nft): Promise<void> {
  await nft.apply([
    { add: { table: { family: 'inet', name: TABLE } } },
    { delete: { table: { family: 'inet', name: TABLE } } },
  ]);
}

const DROP = { drop: null };

function chain(name: string, type: string, hook: string, prio: number): unknown {
  return { chain: { family: 'inet', table: TABLE, name, type, hook, prio, policy: 'accept' } };
}

function rule(chainName: string, expr: readonly unknown[]): unknown {
  return { rule: { family: 'inet', table: TABLE, chain: chainName, expr } };
}

function match(op: string, left: unknown, right: unknown): unknown {
  return { match: { op, left, right } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Without handles, and with set elements in order. */
function normalise(item: unknown): unknown {
  if (!isObject(item)) return item;
  return Object.fromEntries(
    Object.entries(item).map(([kind, body]) => {
      if (!isObject(body)) return [kind, body];
      const { handle: _handle, ...rest } = body;
      if (Array.isArray(rest['elem'])) rest['elem'] = (rest['elem'] as unknown[]).map(String).sort();
      return [kind, rest];
    }),
  );
}

function openedUplinksOf(objects: readonly unknown[]): string[] {
  return objects.flatMap((item) => {
    if (!isObject(item) || !isObject(item['set']) || item['set']['name'] !== 'opened_uplinks') return [];
    const elements = item['set']['elem'];
    return Array.isArray(elements) ? elements.filter((name) => typeof name === 'string') : [];
  });
}
