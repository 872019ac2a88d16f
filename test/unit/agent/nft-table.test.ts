import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { FAMILIES, MARK_ALLOWED, renderGuard } from '../../../src/agent/wiring/guard-rules.ts';
import type { GuardTable } from '../../../src/agent/wiring/guard-rules.ts';
import { applyGuard, isGuardInForce, readGuard, removeGuard } from '../../../src/agent/wiring/nft-table.ts';
import { ModelNft } from './support/model-host.ts';
import { ModelKernel } from './support/model-kernel.ts';

const GUARD: GuardTable = {
  pool: '100.64.0.0/16',
  openedUplinks: ['eth1', 'eth0'],
  managed: { patterns: ['vnet*', 'tap7', 'vmn-0*'], links: ['macvtap0', 'alpine'] },
};

interface Item {
  readonly rule?: { family: string; chain: string; expr: { match?: { right: unknown } }[] };
}

/** Names in the first match of each rule of a chain. */
function namesAt(objects: readonly unknown[], family: string, chain: string): unknown[] {
  return (objects as Item[]).flatMap(({ rule }) =>
    rule?.family === family && rule.chain === chain ? [rule.expr[0]?.match?.right] : [],
  );
}

describe('the standing guard', () => {
  test('its mark is the one of the filter', () => {
    const header = readFileSync(new URL('../../../native/include/vmn/abi.h', import.meta.url), 'utf8');
    const mark = /#define VMN_MARK_ALLOWED (0x[0-9a-f]+)u/.exec(header)?.[1];
    expect(MARK_ALLOWED).toBe(Number(mark));
  });

  test('what was applied is read back as in force, with its names in order', async () => {
    const nft = new ModelNft(new ModelKernel());
    expect(await readGuard(nft)).toBeNull();
    const found = await applyGuard(nft, GUARD);
    expect(found.openedUplinks).toEqual(['eth0', 'eth1']);
    // Those that vmn-* covers are not there.
    expect(found.managed).toEqual({ patterns: ['tap7', 'vnet*'], links: ['alpine', 'macvtap0'] });
    expect(isGuardInForce(await readGuard(nft), GUARD)).toBe(true);
    expect(isGuardInForce(found, { ...found, pool: GUARD.pool })).toBe(true);
    await removeGuard(nft);
    expect(await readGuard(nft)).toBeNull();
    await removeGuard(nft);
  });

  test.each([
    ['inet', ['from_vm', 'to_host', 'from_host', 'from_managed', 'forwarded', 'translated']],
    ['bridge', ['from_vm', 'to_host', 'from_host', 'to_vm']],
    ['arp', ['to_host', 'from_host']],
  ])('in %s each pattern and the bound links have a rule in every chain', (family, chains) => {
    const objects = renderGuard(GUARD);
    for (const chain of chains)
      expect(namesAt(objects, family, chain)).toEqual(
        expect.arrayContaining(['tap7', 'vmn-*', 'vnet*', '@bound_links']),
      );
  });

  test('any rule missing, added or changed, in any of the tables, is not in force', async () => {
    const nft = new ModelNft(new ModelKernel());
    await applyGuard(nft, GUARD);
    const whole = nft.table ?? [];
    for (const [index] of whole.entries()) {
      nft.table = whole.filter((_, other) => other !== index);
      expect(isGuardInForce(await readGuard(nft), GUARD)).toBe(false);
    }
    for (const family of FAMILIES) {
      nft.table = [
        ...whole,
        { rule: { family, table: 'vmnetwork', chain: 'to_host', expr: [{ accept: null }] } },
      ];
      expect(isGuardInForce(await readGuard(nft), GUARD)).toBe(false);
      // One table of the three is gone; what it was for is still known of the others.
      nft.table = whole.filter((item) => !JSON.stringify(item).includes(`"family":"${family}"`));
      const rest = await readGuard(nft);
      expect([isGuardInForce(rest, GUARD), rest?.managed.patterns]).toEqual([false, ['tap7', 'vnet*']]);
    }
    nft.table = whole;
    const found = await readGuard(nft);
    const differing: Partial<GuardTable>[] = [
      { pool: '100.65.0.0/16' },
      { openedUplinks: [] },
      { managed: { ...GUARD.managed, patterns: ['vnet*'] } },
      { managed: { ...GUARD.managed, links: ['alpine'] } },
    ];
    for (const change of differing) expect(isGuardInForce(found, { ...GUARD, ...change })).toBe(false);
    expect(isGuardInForce(null, GUARD)).toBe(false);
  });

  test('a pattern that nobody may give is not adopted from a table', async () => {
    const nft = new ModelNft(new ModelKernel());
    await applyGuard(nft, GUARD);
    const expr = [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'eth0' } }, { drop: null }];
    nft.table?.push({ rule: { family: 'inet', table: 'vmnetwork', chain: 'to_host', expr } });
    expect((await readGuard(nft))?.managed.patterns).toEqual(['tap7', 'vnet*']);
  });

  test('a kernel that holds something else after the write is an error', async () => {
    const nft = new ModelNft(new ModelKernel());
    const apply = nft.apply.bind(nft);
    nft.apply = async (commands) => {
      await apply(commands);
      nft.table = nft.table?.slice(1) ?? null;
    };
    await expect(applyGuard(nft, GUARD)).rejects.toMatchObject({ code: 'VMN_READ_BACK' });
  });

  test('all of it is one transaction, and no table but ours is named', async () => {
    const nft = new ModelNft(new ModelKernel());
    const seen: unknown[][] = [];
    const apply = nft.apply.bind(nft);
    nft.apply = (commands) => {
      seen.push([...commands]);
      return apply(commands);
    };
    await applyGuard(nft, GUARD);
    expect(seen).toHaveLength(1);
    type Body = { table?: string; name?: string; family: string };
    for (const command of seen[0] as Record<string, Record<string, Body>>[]) {
      const [[kind, body]] = Object.values(command).flatMap((object) => Object.entries(object)) as [
        [string, Body],
      ];
      expect(FAMILIES).toContain(body.family);
      expect(kind === 'table' ? body.name : body.table).toBe('vmnetwork');
    }
  });
});
