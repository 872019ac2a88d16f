import { beforeEach, describe, expect, test } from '@jest/globals';
import { KeptSums } from '../../../../src/agent/metrics/kept-sums.ts';
import type { Counts } from '../../../../src/agent/metrics/kept-sums.ts';

const of = (counts: Readonly<Record<string, bigint>>): Counts => new Map(Object.entries(counts));

describe('sums over filters', () => {
  let sums: KeptSums;
  beforeEach(() => {
    sums = new KeptSums(of({ a: 100n }));
    sums.seen('one', of({ a: 1n, b: 2n }));
    sums.seen('two', of({ a: 10n }));
  });
  const total = () => Object.fromEntries(sums.total());

  test('are those of all, and of the ones that were before', () => {
    expect(total()).toEqual({ a: 111n, b: 2n });
    sums.seen('one', of({ a: 5n, b: 2n, c: 1n }));
    expect(total()).toEqual({ a: 115n, b: 2n, c: 1n });
    expect([sums.gone, sums.revision]).toEqual([of({ a: 100n }), 0]);
  });

  test('keep what a filter counted that is gone', () => {
    sums.left('one');
    sums.left('never there');
    expect(total()).toEqual({ a: 111n, b: 2n });
    expect([sums.gone, sums.revision]).toEqual([of({ a: 101n, b: 2n }), 1]);
    sums.keepOnly(new Set());
    expect(total()).toEqual({ a: 111n, b: 2n });
    expect(sums.gone).toEqual(of({ a: 111n, b: 2n }));
  });

  test('take a filter whose counts fell for another one', () => {
    sums.seen('one', of({ a: 1n, b: 1n }));
    expect(total()).toEqual({ a: 112n, b: 3n });
    sums.seen('two', of({ b: 1n }));
    expect(total()).toEqual({ a: 112n, b: 4n });
  });

  test('count one that goes on under another name once', () => {
    sums.forget('one');
    sums.seen('one-aside', of({ a: 1n, b: 2n }));
    expect(total()).toEqual({ a: 111n, b: 2n });
  });
});
