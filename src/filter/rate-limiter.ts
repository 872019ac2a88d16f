import type { FilterPolicy } from './filter-policy.ts';

/** What a bucket holds: this long at its rate. Over 10 s it is half a percent. */
const BURST_NS = 50_000_000n;
const BILLION = 1_000_000_000n;

/** A policy that says more means this: with more, the arithmetic of the C filter would not fit 64 bits. */
const MOST_BITS_PER_SECOND = 100_000_000_000;
const MOST_PACKETS_PER_SECOND = 1_000_000_000;

/** What a frame is charged: its packets as they leave, Ethernet headers included. */
export interface Charge {
  readonly bits: number;
  readonly packets: number;
}

/**
 * How much a VM may send: a bucket of bits and one of packets, filled by the clock. A frame passes while there is anything
 * in both, and then pays in full, into debt if need be: so a bucket smaller than a frame works too, and over time exactly
 * the rate goes through. A frame that is refused pays nothing.
 */
export class RateLimiter {
  readonly #bits = new Bucket();
  readonly #packets = new Bucket();
  /** When a limit was last asked; null: never yet, so the buckets have had all the time to fill. */
  #lastNs: bigint | null = null;

  /** null: the frame may go, and was charged. A clock that goes back adds nothing. */
  admit(limits: FilterPolicy['limits'], nowNs: bigint, charge: Charge): 'BitRate' | 'PacketRate' | null {
    if (limits.egressBitsPerSecond === 0 && limits.packetsPerSecond === 0) return null;
    const elapsedNs = this.#elapsed(nowNs);
    const bits = this.#bits.at(Math.min(limits.egressBitsPerSecond, MOST_BITS_PER_SECOND), elapsedNs);
    const packets = this.#packets.at(Math.min(limits.packetsPerSecond, MOST_PACKETS_PER_SECOND), elapsedNs);
    if (bits?.isEmpty === true) return 'BitRate';
    if (packets?.isEmpty === true) return 'PacketRate';
    bits?.pay(charge.bits);
    packets?.pay(charge.packets);
    return null;
  }

  #elapsed(nowNs: bigint): bigint | null {
    const lastNs = this.#lastNs;
    if (lastNs !== null && nowNs <= lastNs) return 0n;
    this.#lastNs = nowNs;
    return lastNs === null ? null : nowNs - lastNs;
  }
}

/** Its level counts billionths of what it measures: filling is then exact, a rate times nanoseconds. */
class Bucket {
  /** Negative: in debt. */
  #level = 0n;

  /** The bucket after more time at a rate, null for a rate of 0, which limits nothing. `elapsedNs` null: all the time. */
  at(perSecond: number, elapsedNs: bigint | null): this | null {
    if (perSecond === 0) return null;
    const rate = BigInt(perSecond);
    const full = rate * BURST_NS;
    const filled = elapsedNs === null ? full : this.#level + elapsedNs * rate;
    this.#level = filled < full ? filled : full;
    return this;
  }

  get isEmpty(): boolean {
    return this.#level <= 0n;
  }

  pay(amount: number): void {
    this.#level -= BigInt(amount) * BILLION;
  }
}
