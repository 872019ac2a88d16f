/**
 * The flows of mode Conntrack: which conversations have been judged already.
 *
 * A flow is (remote address, remote port, guest port); the guest's own address is pinned and the protocol is UDP. What is
 * kept of it is a fingerprint under the policy's secret, over the policy's generation too: after a change of policy no old
 * fingerprint can be found again, so old flows end with the very write that changes the policy.
 *
 * The table is bounded like a processor's cache: a flow has its set, and within the set the least recently used goes out.
 * A flow that went out is judged anew. A guest can only push out its own.
 */
import type { Ipv4Address } from '../packet/ipv4-address.ts';
import type { Endpoint } from './endpoint.ts';
import type { FilterPolicy } from './filter-policy.ts';
import { siphash } from './siphash.ts';

export const FLOW_SETS = 64;
export const FLOW_WAYS = 8;

/** 64 bits; never 0, which stands for a free place in C. */
export function fingerprintOf(policy: FilterPolicy, remote: Endpoint, guestPort: number): bigint {
  const ends = BigInt(asInMemory(remote.address)) | (BigInt(remote.port) << 32n) | (BigInt(guestPort) << 48n);
  return siphash(policy.secret, [ends, policy.generation]) || 1n;
}

/** The number that a little-endian machine reads where the address stands in the frame. */
function asInMemory(address: Ipv4Address): number {
  return new DataView(address.serialise().buffer).getUint32(0, true);
}

export class FlowTable {
  /** Each with the most recently used first. */
  readonly #sets: bigint[][] = Array.from({ length: FLOW_SETS }, () => []);

  /** Whether the flow is known; it is then the most recently used of its set. */
  knows(fingerprint: bigint): boolean {
    const set = this.#setOf(fingerprint);
    const place = set.indexOf(fingerprint);
    if (place === -1) return false;
    set.splice(place, 1);
    set.unshift(fingerprint);
    return true;
  }

  /** Of a flow that is not known: it comes first, and a full set forgets its last. */
  remember(fingerprint: bigint): void {
    const set = this.#setOf(fingerprint);
    set.unshift(fingerprint);
    set.splice(FLOW_WAYS);
  }

  /** How many flows are known, of every generation; at most FLOW_SETS * FLOW_WAYS. */
  get size(): number {
    return this.#sets.reduce((sum, set) => sum + set.length, 0);
  }

  #setOf(fingerprint: bigint): bigint[] {
    const set = this.#sets[Number(fingerprint % BigInt(FLOW_SETS))];
    if (set === undefined) throw new RangeError(`not a fingerprint: ${fingerprint}`);
    return set;
  }
}
