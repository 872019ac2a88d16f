/**
 * What is spoken on the control socket of vmn-nat: native/include/vmn/nat_control.h in TypeScript. Little-endian, as every
 * machine that the engine is built for. A test compares the offsets with the compiler's, and the lists with the header.
 */
import { siphash } from '../filter/siphash.ts';
import { counterLines, eventLossIn, REASON_SLOTS } from './counters.ts';
import type { CounterLine, CounterSlot, EventLoss } from './counters.ts';
import { checkedPolicy, SECRET_BYTES } from './policy-abi.ts';

export const CONTROL_MAGIC = 0x4e4d56;
export const CONTROL_VERSION = 1;

export const OPERATIONS = {
  status: 1,
  setPolicy: 2,
  readPolicy: 3,
  counters: 4,
  quarantine: 5,
  deny: 6,
  subscribe: 7,
  event: 8,
  quit: 9,
} as const;

/** Why a request is refused, by the number in the answer. */
export const REFUSALS = [
  'ok',
  'it does not know the operation',
  'the request has not the size of its operation',
  'the policy is not the one that was hashed',
  'the policy is of another version or makes no sense',
  'mode Direct needs an engine in the kernel',
  'there is no policy',
] as const;

/** Names of the engine's own counts, by their numbers. */
export const ENGINE_COUNTS = [
  'sent',
  'received',
  'delivered',
  'not_carried',
  'send_full',
  'send_too_big',
  'send_failed',
  'refused',
  'unreachable',
  'backing_off',
  'open_failed',
  'flows_opened',
  'flows_pushed_out',
  'receive_failed',
  'guest_busy',
  'guest_discarded',
  'guest_entered',
  'guest_left',
  'frame_cut',
  'stream_broken',
  'segmenting_ended',
  'control_refused',
  'control_pushed_out',
] as const;

export type EngineCount = (typeof ENGINE_COUNTS)[number];

/** Offsets in `struct vmn_nat_head`. */
export const HEAD_LAYOUT = {
  magic: 0,
  version: 4,
  operation: 6,
  sequence: 8,
  status: 12,
  body_bytes: 16,
} as const;
export const HEAD_BYTES = 20;

/** Offsets in `struct vmn_nat_status`. */
export const STATUS_LAYOUT = {
  policy_abi: 0,
  flags: 4,
  generation: 8,
  policy_hash: 16,
  judged: 24,
  crossings: 40,
  flows: 48,
  pid: 52,
} as const;
export const STATUS_BYTES = 56;

const COUNTER_BYTES = 16;
export const ENGINE_COUNTS_OFFSET = 4 * REASON_SLOTS * COUNTER_BYTES;
export const COUNTERS_BYTES = ENGINE_COUNTS_OFFSET + 32 * 8;
/** No answer has more. */
export const LARGEST_BODY_BYTES = COUNTERS_BYTES;

export interface Head {
  readonly operation: number;
  readonly sequence: number;
  readonly status: number;
  readonly bodyBytes: number;
}

/** What the engine says of itself, as of this moment. */
export interface NatStatus {
  policyAbi: number;
  /** False: nobody has decided yet, and nothing passes. */
  hasPolicy: boolean;
  guestConnected: boolean;
  /** Runs of datagrams go to the kernel in one piece. */
  segments: boolean;
  /** Of the policy in force; 0 without one. */
  generation: bigint;
  /** natPolicyHash of the policy in force; 0 without one. */
  policyHash: bigint;
  /** Frames that were judged by the policy in force. */
  judged: { fromVm: bigint; toVm: bigint };
  /** How often the violations reached their threshold, since the engine started. */
  crossings: bigint;
  flows: number;
  pid: number;
}

export interface NatCounters {
  /** As of the eBPF filter: since the engine started, only what is not zero. */
  frames: CounterLine[];
  eventLoss: EventLoss;
  engine: Readonly<Record<EngineCount, bigint>>;
}

export function encodeRequest(operation: number, sequence: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + body.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEAD_LAYOUT.magic, CONTROL_MAGIC, true);
  view.setUint16(HEAD_LAYOUT.version, CONTROL_VERSION, true);
  view.setUint16(HEAD_LAYOUT.operation, operation, true);
  view.setUint32(HEAD_LAYOUT.sequence, sequence, true);
  view.setUint32(HEAD_LAYOUT.body_bytes, body.byteLength, true);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

/** null for bytes that no engine of this version says. */
export function decodeHead(bytes: Uint8Array): Head | null {
  const view = viewOf(bytes);
  if (view.getUint32(HEAD_LAYOUT.magic, true) !== CONTROL_MAGIC) return null;
  if (view.getUint16(HEAD_LAYOUT.version, true) !== CONTROL_VERSION) return null;
  const bodyBytes = view.getUint32(HEAD_LAYOUT.body_bytes, true);
  if (bodyBytes > LARGEST_BODY_BYTES) return null;
  return {
    operation: view.getUint16(HEAD_LAYOUT.operation, true),
    sequence: view.getUint32(HEAD_LAYOUT.sequence, true),
    status: view.getUint16(HEAD_LAYOUT.status, true),
    bodyBytes,
  };
}

/** The body of a request for this policy. */
export function encodeSetPolicy(policy: Uint8Array): Uint8Array {
  const body = new Uint8Array(8 + policy.byteLength);
  viewOf(body).setBigUint64(0, natPolicyHash(policy), true);
  body.set(policy, 8);
  return body;
}

/** SipHash-1-3 without a key, secret included: what the engine echoes of the policy in force. */
export function natPolicyHash(policy: Uint8Array): bigint {
  checkedPolicy(policy);
  const view = viewOf(policy);
  const words = Array.from({ length: policy.byteLength / 8 }, (_, at) => view.getBigUint64(8 * at, true));
  return siphash(new Uint8Array(SECRET_BYTES), words);
}

/** null for another size. */
export function decodeStatus(body: Uint8Array): NatStatus | null {
  if (body.byteLength !== STATUS_BYTES) return null;
  const view = viewOf(body);
  const at = STATUS_LAYOUT;
  const flags = view.getUint32(at.flags, true);
  return {
    policyAbi: view.getUint32(at.policy_abi, true),
    hasPolicy: (flags & 1) !== 0,
    guestConnected: (flags & 2) !== 0,
    segments: (flags & 4) !== 0,
    generation: view.getBigUint64(at.generation, true),
    policyHash: view.getBigUint64(at.policy_hash, true),
    judged: { fromVm: view.getBigUint64(at.judged, true), toVm: view.getBigUint64(at.judged + 8, true) },
    crossings: view.getBigUint64(at.crossings, true),
    flows: view.getUint32(at.flows, true),
    pid: view.getUint32(at.pid, true),
  };
}

/** null for another size. */
export function decodeCounters(body: Uint8Array): NatCounters | null {
  if (body.byteLength !== COUNTERS_BYTES) return null;
  const view = viewOf(body);
  const slots = Array.from({ length: 4 * REASON_SLOTS }, (_, slot): CounterSlot => {
    const at = slot * COUNTER_BYTES;
    return [slot, view.getBigUint64(at, true), view.getBigUint64(at + 8, true)];
  }).filter(([, packets]) => packets > 0n);
  const engine = ENGINE_COUNTS.map((name, number): [EngineCount, bigint] => [
    name,
    view.getBigUint64(ENGINE_COUNTS_OFFSET + 8 * number, true),
  ]);
  return {
    frames: counterLines(slots),
    eventLoss: eventLossIn(slots),
    engine: Object.fromEntries(engine) as Record<EngineCount, bigint>,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
