/** The one filter, compiled for the host: the same C text that runs in the kernel (native/include/vmn). No privileges. */
import { addon } from './addon.ts';
import type { Direction } from './filter-engine.ts';
import { POLICY_BYTES } from './policy-abi.ts';

export type { Direction } from './filter-engine.ts';

/** What is known about a frame besides its bytes. */
export interface FrameMeta {
  /** CLOCK_MONOTONIC; matters for a previous endpoint, limits and violations. 0 unless given. */
  nowNs?: bigint;
  /** Another one for each frame; matters in mode Sampled. 0 unless given. */
  nonce?: bigint;
  /** Where the host will still write a checksum, as an offset in the frame; 0: nowhere. */
  pendingChecksumOffset?: number;
  /** A VLAN tag was taken off the frame and stands beside it. */
  vlanInMetadata?: boolean;
  /** Several packets in one frame: a UDP datagram or TCP segment to be cut, or anything else (segmentation offload). */
  superFrame?: 'none' | 'udp' | 'tcp' | 'other';
  /** Payload of each packet that a super-frame becomes. */
  segmentBytes?: number;
  /** Marked as the filter's own ARP answer. */
  ownAnswer?: boolean;
}

/** What a filter remembers of one VM from frame to frame: flows, limits, violations. */
export type FilterState = BigUint64Array<ArrayBuffer>;

/** A filter that has seen nothing yet. */
export function createFilterState(): FilterState {
  return new BigUint64Array(addon().filterStateBytes() / BigUint64Array.BYTES_PER_ELEMENT);
}

export interface Judgement {
  /** Number of the reason; src/filter/drop-reason.ts names it. */
  reason: number;
  /** The reason would drop the frame, and it passes because the policy only audits. */
  audited: boolean;
  /** With this frame the violations of the VM reached the policy's threshold. */
  violations: boolean;
}

const AUDITED = 0x100;
const VIOLATIONS = 0x200;

/**
 * Judges one frame as part of what the VM did before. `state` null: no memory, so no flow is known and no limit or
 * threshold reached. `policy` null: nothing passes.
 */
export function judgeWith(
  state: FilterState | null,
  direction: Direction,
  policy: Uint8Array | null,
  frame: Uint8Array,
  meta: FrameMeta = {},
): Judgement {
  if (policy !== null && policy.byteLength !== POLICY_BYTES) {
    throw new TypeError(`a policy has ${POLICY_BYTES} bytes, not ${policy.byteLength}`);
  }
  const answer = addon().judge(
    direction === 'from-vm',
    policy,
    state,
    frame,
    meta.nowNs ?? 0n,
    meta.nonce ?? 0n,
    meta.pendingChecksumOffset ?? 0,
    SUPER_FRAME_KINDS[meta.superFrame ?? 'none'],
    meta.segmentBytes ?? 0,
    meta.vlanInMetadata ?? false,
    meta.ownAnswer ?? false,
  );
  return {
    reason: answer & 0xff,
    audited: (answer & AUDITED) !== 0,
    violations: (answer & VIOLATIONS) !== 0,
  };
}

const SUPER_FRAME_KINDS = { none: 0, udp: 1, other: 2, tcp: 3 } as const;

/** Judges one frame by itself; the number of the reason. */
export function judge(
  direction: Direction,
  policy: Uint8Array | null,
  frame: Uint8Array,
  meta: FrameMeta = {},
): number {
  return judgeWith(null, direction, policy, frame, meta).reason;
}

export interface ParsedArp {
  /** 1 request, 2 reply */
  operation: number;
  senderMac: string;
  senderAddress: string;
  targetMac: string;
  targetAddress: string;
}

export interface ParsedIpv4 {
  headerBytes: number;
  totalBytes: number;
  dontFragment: boolean;
  moreFragments: boolean;
  /** In bytes. Not 0: a later fragment, which has no ports. */
  fragmentOffset: number;
  ttl: number;
  protocol: number;
  source: string;
  destination: string;
  /** Offset in the frame. */
  payloadOffset: number;
}

export interface ParsedTransport {
  sourcePort: number;
  destinationPort: number;
  /** Offset in the frame. */
  payloadOffset: number;
}

/** Offsets count from the frame's first byte; nothing is copied. */
export interface ParsedFrame {
  destination: string;
  source: string;
  /** As it stands in the frame: 0x8100 for a tagged one, an 802.3 length below 0x0600. */
  etherType: number;
  kind: 'IPv4' | 'ARP' | 'IPv6' | 'VLAN' | '802.3' | 'unknown';
  payloadOffset: number;
  arp?: ParsedArp;
  ipv4?: ParsedIpv4;
  udp?: ParsedTransport & { udpBytes: number };
  tcp?: ParsedTransport;
}

/** Why a frame cannot be read on; `frame` holds the headers before that, when there are any. */
export interface ParseFailure {
  /** For example `FrameTooShort`, `IpHeaderLength`: the names of vmn/parse.h. */
  failure: string;
  frame?: ParsedFrame;
}

/** Reads the headers of a frame, as the filter does before it judges. A bad frame is a value, never a throw. */
export function parseFrame(frame: Uint8Array): ParsedFrame | ParseFailure {
  const { failure, destination, source, etherType, payloadOffset, vlan, arp, ipv4, transport } =
    addon().parseFrame(frame);
  if (destination === undefined || source === undefined || etherType === undefined) {
    return { failure: failure ?? 'FrameTooShort' };
  }
  const parsed: ParsedFrame = {
    destination,
    source,
    etherType,
    kind: kindOf(etherType, vlan ?? false),
    payloadOffset: payloadOffset ?? 0,
  };
  if (arp !== undefined) parsed.arp = arp;
  if (ipv4 !== undefined) {
    const { fragmentField, ...rest } = ipv4;
    parsed.ipv4 = {
      ...rest,
      dontFragment: (fragmentField & 0x4000) !== 0,
      moreFragments: (fragmentField & 0x2000) !== 0,
      fragmentOffset: (fragmentField & 0x1fff) * 8,
    };
  }
  if (transport !== undefined && ipv4 !== undefined) {
    const { udpBytes, ...rest } = transport;
    if (ipv4.protocol === UDP) parsed.udp = { ...rest, udpBytes };
    else parsed.tcp = rest;
  }
  return failure === undefined ? parsed : { failure, frame: parsed };
}

const UDP = 17;

function kindOf(etherType: number, vlan: boolean): ParsedFrame['kind'] {
  if (vlan) return 'VLAN';
  if (etherType < 0x0600) return '802.3';
  return KINDS[etherType] ?? 'unknown';
}

const KINDS: Readonly<Record<number, ParsedFrame['kind']>> = {
  0x0800: 'IPv4',
  0x0806: 'ARP',
  0x86dd: 'IPv6',
};
