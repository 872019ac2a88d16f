import { beforeEach, describe, expect, test } from '@jest/globals';
import { sparingNft } from '../../../src/agent/host/nft.ts';
import type { Nft } from '../../../src/agent/host/nft.ts';
import { VmnError } from '../../../src/lib/errors.ts';

describe('looking at nftables', () => {
  let nowMs: number;
  let generation: number;
  /** How often the program was asked for each table. */
  let looks: Record<string, number>;
  /** Called while it looks. */
  let meanwhile: () => void;
  const tables: Record<string, unknown[] | null> = {};
  const program: Nft = {
    listTable: async (name, family) => {
      looks[`${family} ${name}`] = (looks[`${family} ${name}`] ?? 0) + 1;
      await Promise.resolve();
      meanwhile();
      return tables[`${family} ${name}`] ?? null;
    },
    apply: async () => {
      await Promise.resolve();
      generation += 1;
    },
  };
  const ask = (): number => generation;
  const nftWith = (how: () => number): Nft => sparingNft(program, how, { monotonicMs: () => nowMs });
  beforeEach(() => {
    nowMs = 0;
    generation = 7;
    looks = {};
    meanwhile = () => undefined;
    tables['inet x'] = ['as it is'];
  });

  test('is done once for each table of a generation, and again in the next one, whoever made it', async () => {
    const nft = nftWith(ask);
    for (let time = 0; time < 3; time += 1) {
      expect(await nft.listTable('x', 'inet')).toEqual(['as it is']);
      expect(await nft.listTable('x', 'bridge')).toBeNull();
    }
    expect(looks).toEqual({ 'inet x': 1, 'bridge x': 1 });
    tables['inet x'] = null;
    generation += 1;
    expect(await nft.listTable('x', 'inet')).toBeNull();
    await nft.apply([]);
    tables['inet x'] = ['made anew'];
    expect(await nft.listTable('x', 'inet')).toEqual(['made anew']);
    expect(looks).toEqual({ 'inet x': 3, 'bridge x': 1 });
  });

  test('is done again when the rule set changed meanwhile: what was seen may be of before or after', async () => {
    const nft = nftWith(ask);
    meanwhile = () => {
      generation += 1;
      meanwhile = () => undefined;
    };
    await nft.listTable('x', 'inet');
    tables['inet x'] = ['another'];
    expect(await nft.listTable('x', 'inet')).toEqual(['another']);
    await nft.listTable('x', 'inet');
    expect(looks).toEqual({ 'inet x': 2 });
  });

  test('is done again after a while, so that each resync reads what is there', async () => {
    const nft = nftWith(ask);
    await nft.listTable('x', 'inet');
    nowMs = 19_999;
    await nft.listTable('x', 'inet');
    expect(looks).toEqual({ 'inet x': 1 });
    // That it was found the same in between makes it no younger.
    nowMs = 20_000;
    await nft.listTable('x', 'inet');
    expect(looks).toEqual({ 'inet x': 2 });
  });

  test('is done each time where the kernel does not tell the generation', async () => {
    const nft = nftWith(() => {
      throw new VmnError('VMN_NETLINK', { attempted: 'test' });
    });
    await nft.listTable('x', 'inet');
    await nft.listTable('x', 'inet');
    expect(looks).toEqual({ 'inet x': 2 });
  });

  test('that failed is not remembered', async () => {
    const nft = nftWith(ask);
    await nft.listTable('x', 'inet');
    generation += 1;
    meanwhile = () => {
      throw new VmnError('VMN_NFT_FAILED', { attempted: 'test' });
    };
    await expect(nft.listTable('x', 'inet')).rejects.toMatchObject({ code: 'VMN_NFT_FAILED' });
    meanwhile = () => undefined;
    await nft.listTable('x', 'inet');
    expect(looks).toEqual({ 'inet x': 3 });
  });
});
