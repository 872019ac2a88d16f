import { isDeepStrictEqual } from 'node:util';
import { VmnError } from '../../lib/errors.ts';
import type { Nft } from '../host/nft.ts';
import { FAMILIES, namesIn, renderGuard, TABLE } from './guard-rules.ts';
import type { GuardTable } from './guard-rules.ts';

/*
 * The standing guard in the kernel; what it consists of and why is in guard-rules.ts. Its tables are replaced as a whole,
 * all in one transaction, and only when what the kernel holds differs. Tables of others are neither read nor written.
 */

/** What the kernel holds; null: none of the tables. */
export interface GuardReadBack extends Pick<GuardTable, 'openedUplinks' | 'managed'> {
  /** The objects of all tables without what the kernel adds (handles, version). */
  readonly objects: readonly unknown[];
}

/** Reads our tables back. */
export async function readGuard(nft: Nft): Promise<GuardReadBack | null> {
  const listed = await Promise.all(FAMILIES.map((family) => nft.listTable(TABLE, family)));
  if (listed.every((table) => table === null)) return null;
  const objects = listed
    .flatMap((table) => table ?? [])
    .filter((item) => !isObject(item) || !('metainfo' in item))
    .map(normalise);
  return { objects, ...namesIn(objects) };
}

/** Whether the kernel holds exactly these tables. */
export function isGuardInForce(found: GuardReadBack | null, wanted: GuardTable): boolean {
  return found !== null && isDeepStrictEqual(found.objects, renderGuard(wanted));
}

/**
 * Replaces the tables in one transaction and returns what the kernel then holds. Throws VMN_READ_BACK when that is not
 * what was written.
 */
export async function applyGuard(nft: Nft, wanted: GuardTable): Promise<GuardReadBack> {
  await nft.apply([...REMOVAL, ...renderGuard(wanted).map((object) => ({ add: object }))]);
  const found = await readGuard(nft);
  if (found !== null && isGuardInForce(found, wanted)) return found;
  throw new VmnError('VMN_READ_BACK', {
    attempted: 'put the standing guard in force',
    on: `nftables table ${TABLE} in ${FAMILIES.join(', ')}`,
  });
}

/** Removes our tables. Succeeds when there are none. */
export async function removeGuard(nft: Nft): Promise<void> {
  await nft.apply(REMOVAL);
}

/** `add` so that `delete` finds a table; both within the transaction. */
const REMOVAL = FAMILIES.flatMap((family) => {
  const table = { table: { family, name: TABLE } };
  return [{ add: table }, { delete: table }];
});

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
