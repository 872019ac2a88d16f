/**
 * SipHash (J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input PRF", 2012) over whole 64-bit words. Without the
 * key nobody can tell what it gives, however many results they have seen the effects of.
 */
const MASK = 0xffff_ffff_ffff_ffffn;

/** Rounds for each word, and at the end. */
export interface Rounds {
  readonly word: number;
  readonly end: number;
}

/** As hash tables of Linux and others have it, and as both filters use it. */
export const SIPHASH_1_3: Rounds = { word: 1, end: 3 };

/** The one of the paper, with published results. */
export const SIPHASH_2_4: Rounds = { word: 2, end: 4 };

type State = [v0: bigint, v1: bigint, v2: bigint, v3: bigint];

/**
 * 64 bits.
 *
 * @param key 16 bytes
 * @param words each from 0 to 2^64 - 1; their bytes are those of little-endian memory
 */
export function siphash(key: Uint8Array, words: readonly bigint[], rounds: Rounds = SIPHASH_1_3): bigint {
  const [k0, k1] = wordsOf(key);
  const initial: State = [
    k0 ^ 0x736f6d65_70736575n,
    k1 ^ 0x646f7261_6e646f6dn,
    k0 ^ 0x6c796765_6e657261n,
    k1 ^ 0x74656462_79746573n,
  ];
  const lengthInTheHighestByte = (BigInt(words.length * 8) << 56n) & MASK;
  const [v0, v1, v2, v3] = [...words, lengthInTheHighestByte].reduce(
    (state, word) => withWord(state, word, rounds),
    initial,
  );
  return turned([v0, v1, v2 ^ 0xffn, v3], rounds.end).reduce((all, part) => all ^ part);
}

function withWord([v0, v1, v2, v3]: State, word: bigint, rounds: Rounds): State {
  const [after0, ...rest] = turned([v0, v1, v2, v3 ^ word], rounds.word);
  return [after0 ^ word, ...rest];
}

/** So many SipRounds. Sums are modulo 2^64. */
function turned(state: State, rounds: number): State {
  let [v0, v1, v2, v3] = state;
  for (let round = 0; round < rounds; round += 1) {
    v0 = (v0 + v1) & MASK;
    v2 = (v2 + v3) & MASK;
    v1 = rotatedLeft(v1, 13n) ^ v0;
    v3 = rotatedLeft(v3, 16n) ^ v2;
    v0 = rotatedLeft(v0, 32n);
    v2 = (v2 + v1) & MASK;
    v0 = (v0 + v3) & MASK;
    v1 = rotatedLeft(v1, 17n) ^ v2;
    v3 = rotatedLeft(v3, 21n) ^ v0;
    v2 = rotatedLeft(v2, 32n);
  }
  return [v0, v1, v2, v3];
}

function rotatedLeft(word: bigint, bits: bigint): bigint {
  return ((word << bits) & MASK) | (word >> (64n - bits));
}

function wordsOf(key: Uint8Array): [bigint, bigint] {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return [view.getBigUint64(0, true), view.getBigUint64(8, true)];
}
