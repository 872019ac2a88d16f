/*
 * What the kernel takes from its random number generator, and `explain` from a seed: two runs over one capture then say
 * the same. SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). Nothing depends on its
 * being hard to predict: no guest sees a verdict made with it.
 */

const GAMMA = 0x9e3779b97f4a7c15n;

/** Numbers of 64 bits, the same for the same seed. */
export class SeededNumbers {
  #state: bigint;

  constructor(seed: number) {
    this.#state = BigInt.asUintN(64, BigInt(seed));
  }

  next(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + GAMMA);
    let mixed = this.#state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return mixed ^ (mixed >> 31n);
  }

  /** @param count a multiple of 8 */
  bytes(count: number): Uint8Array {
    const view = new DataView(new ArrayBuffer(count));
    for (let at = 0; at < count; at += 8) view.setBigUint64(at, this.next());
    return new Uint8Array(view.buffer);
  }
}
