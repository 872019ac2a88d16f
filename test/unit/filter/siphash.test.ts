import { describe, expect, test } from '@jest/globals';
import { siphash, SIPHASH_1_3, SIPHASH_2_4 } from '../../../src/filter/siphash.ts';

/** As in the paper: the key is 00 01 … 0f, the message 00 01 02 …. */
const KEY = Uint8Array.from({ length: 16 }, (_, index) => index);
const WORDS = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n, 0x1716151413121110n];

describe('SipHash', () => {
  // github.com/veorq/SipHash, vectors.h: vectors_sip64 of 0, 8, 16 and 24 bytes.
  test.each([
    [0, 0x726fdb47dd0e0e31n],
    [1, 0x93f5f5799a932462n],
    [2, 0x3f2acc7f57c29bdbn],
    [3, 0xb8ad50c6f649af94n],
  ])('2-4 of %i words, as published', (count, expected) => {
    expect(siphash(KEY, WORDS.slice(0, count), SIPHASH_2_4)).toBe(expected);
  });

  // CPython 3.11 and later hash bytes by SipHash-1-3, with a key of zeros under PYTHONHASHSEED=0:
  // hex(hash(bytes(range(n))) & (2**64 - 1))
  test.each([
    [1, 0xead411e67ebe2eean],
    [2, 0x8972188433a5c5b7n],
  ])('1-3 of %i words with a key of zeros, as Python has it', (count, expected) => {
    expect(siphash(new Uint8Array(16), WORDS.slice(0, count), SIPHASH_1_3)).toBe(expected);
    expect(siphash(new Uint8Array(16), WORDS.slice(0, count))).toBe(expected);
  });

  // Made by an independent reading of the paper in Python (c = 1, d = 3).
  test.each([
    [0, 0xabac0158050fc4dcn],
    [1, 0x369095118d299a8en],
    [2, 0xcc4fdd1a7d908b66n],
  ])('1-3 of %i words with the key of the paper', (count, expected) => {
    expect(siphash(KEY, WORDS.slice(0, count))).toBe(expected);
  });

  test('words of all bits, and a key in the middle of other bytes', () => {
    const around = new Uint8Array(32).fill(0xaa);
    around.set(KEY, 5);
    const word = 2n ** 64n - 1n;
    const hash = siphash(around.subarray(5, 21), [word, word]);
    expect(hash).toBe(siphash(KEY, [word, word]));
    expect(hash >> 64n).toBe(0n);
  });

  test('every bit of key and message matters', () => {
    const of = siphash(KEY, [1n]);
    for (let bit = 0; bit < 128; bit += 1) {
      const key = KEY.with(bit >> 3, (KEY[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
      expect(siphash(key, [1n])).not.toBe(of);
      if (bit < 64) expect(siphash(KEY, [1n ^ (1n << BigInt(bit))])).not.toBe(of);
    }
  });
});
