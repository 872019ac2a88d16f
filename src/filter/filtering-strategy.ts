import type { PolicyInForce } from './filter-policy.ts';
import type { Verdict } from './verdict.ts';

export type Direction = 'from-vm' | 'to-vm';

/**
 * Several packets in one frame, for somebody else to cut (segmentation offload).
 * - `udp`: datagrams of one conversation; each but the last carries `segmentBytes` of UDP payload
 * - `other`: anything else, such as a TCP stream
 */
export type SuperFrame =
  { readonly kind: 'udp' | 'tcp'; readonly segmentBytes: number } | { readonly kind: 'other' };

/** What is known about a frame besides its bytes. */
export interface Circumstances {
  /** CLOCK_MONOTONIC; what grace, limits and windows are measured by. */
  readonly nowNs: bigint;
  /** Never the same twice, 64 bits: what a frame is drawn by in mode Sampled. */
  readonly nonce: bigint;
  /** A VLAN tag was taken off the frame and stands beside it. */
  readonly vlanInMetadata: boolean;
  /** null: one frame, one packet. */
  readonly superFrame: SuperFrame | null;
  /** Where somebody else will still write a checksum, in bytes from the frame's start; null: nowhere. docs/adr/0009 */
  readonly pendingChecksumAt: number | null;
  /** The filter itself made the frame, as its answer to the guest's ARP request. */
  readonly ownAnswer: boolean;
}

/** A frame as it comes from a wire: nothing beside its bytes, and nothing left to be done to it. */
export const PLAIN: Omit<Circumstances, 'nowNs'> = {
  nonce: 0n,
  vlanInMetadata: false,
  superFrame: null,
  pendingChecksumAt: null,
  ownAnswer: false,
};

/** How closely frames are looked at. Whoever runs a strategy does what its verdict says and nothing else. */
export interface FilteringStrategy {
  /** Never throws, whatever the bytes. `frame`: all of it, from its Ethernet header on. */
  judge(
    direction: Direction,
    policy: PolicyInForce,
    frame: Uint8Array,
    circumstances: Circumstances,
  ): Verdict;
}
