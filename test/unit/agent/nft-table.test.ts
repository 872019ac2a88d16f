import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import {
  applyGuard,
  isGuardInForce,
  MARK_ALLOWED,
  readGuard,
  removeGuard,
  renderGuard,
} from '../../../src/agent/wiring/nft-table.ts';
import { ModelNft } from './support/model-host.ts';
import { ModelKernel } from './support/model-kernel.ts';

const GUARD = { pool: '100.64.0.0/16', openedUplinks: ['eth1', 'eth0'] };

describe('the standing guard', () => {
  test('its mark is the one of the filter', () => {
    const header = readFileSync(new URL('../../../native/include/vmn/abi.h', import.meta.url), 'utf8');
    const mark = /#define VMN_MARK_ALLOWED (0x[0-9a-f]+)u/.exec(header)?.[1];
    expect(MARK_ALLOWED).toBe(Number(mark));
  });

  test('what was applied is read back as in force, with its uplinks in order', async () => {
    const nft = new ModelNft(new ModelKernel());
    expect(await readGuard(nft)).toBeNull();
    const found = await applyGuard(nft, GUARD);
    expect(found.openedUplinks).toEqual(['eth0', 'eth1']);
    expect(isGuardInForce(await readGuard(nft), GUARD)).toBe(true);
    await removeGuard(nft);
    expect(await readGuard(nft)).toBeNull();
    await removeGuard(nft);
  });

  test('any rule missing, added or changed is not in force', async () => {
    const nft = new ModelNft(new ModelKernel());
    await applyGuard(nft, GUARD);
    const whole = nft.table ?? [];
    for (const [index] of whole.entries()) {
      nft.table = whole.filter((_, other) => other !== index);
      expect(isGuardInForce(await readGuard(nft), GUARD)).toBe(false);
    }
    nft.table = [
      ...whole,
      { rule: { family: 'inet', table: 'vmnetwork', chain: 'to_host', expr: [{ accept: null }] } },
    ];
    expect(isGuardInForce(await readGuard(nft), GUARD)).toBe(false);
    nft.table = whole;
    expect(isGuardInForce(await readGuard(nft), { ...GUARD, pool: '100.65.0.0/16' })).toBe(false);
    expect(isGuardInForce(await readGuard(nft), { ...GUARD, openedUplinks: [] })).toBe(false);
    expect(isGuardInForce(null, GUARD)).toBe(false);
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

  test('every object is in our table and no other is named', () => {
    for (const object of renderGuard(GUARD)) {
      const [[kind, body]] = Object.entries(
        object as Record<string, { table?: string; name?: string; family: string }>,
      ) as [[string, { table?: string; name?: string; family: string }]];
      expect(body.family).toBe('inet');
      expect(kind === 'table' ? body.name : body.table).toBe('vmnetwork');
    }
  });
});
