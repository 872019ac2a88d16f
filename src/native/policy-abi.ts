/**
 * `struct vmn_policy` of native/include/vmn/abi.h in TypeScript: the bytes that the filter judges by. A test compares
 * every offset here with the compiler's. Numbers are in host byte order, addresses and ports as they stand in a frame.
 */
import { createHash, randomBytes } from 'node:crypto';
import { endianness } from 'node:os';
import { DENIED_BYTES, putRanges, RANGE_BYTES, rangesAt } from './policy-ranges.ts';
import type { AddressRange } from './policy-ranges.ts';
import { addressBytes, addressText, macBytes, macText, U32, u64, whole } from './policy-fields.ts';

export { MAX_DENIED } from './policy-ranges.ts';
export type { AddressRange } from './policy-ranges.ts';

export const POLICY_BYTES = 136 + DENIED_BYTES;
export const POLICY_ABI = 3;
export const SECRET_BYTES = 16;
export const FLAG_QUARANTINED = 1;
export const FLAG_STRICT_WIREGUARD = 2;
export const FLAG_AUDIT = 4;
/** Numbers of the modes. */
export const MODES = { Filtered: 1, Conntrack: 2, Sampled: 3, Direct: 4 } as const;
/** With more the filter takes the policy for one of another version, and drops. */
export const MAX_BITS_PER_SECOND = 100_000_000_000;
export const MAX_PACKETS_PER_SECOND = 1_000_000_000;
export const MILLION = 1_000_000;

/** Offsets in bytes. */
export const POLICY_LAYOUT = {
  abi: 0,
  flags: 4,
  generation: 8,
  guest_mac: 16,
  gateway_mac: 22,
  guest_address_be: 28,
  gateway_address_be: 32,
  mode: 36,
  endpoint: 40,
  previous: 48,
  previous_until_ns: 56,
  secret: 64,
  egress_bits_per_second: 80,
  packets_per_second: 88,
  sample_per_million: 96,
  max_packet_bytes: 100,
  violation_threshold: 104,
  violation_window_ms: 108,
  reserved: 112,
  denied_count: 128,
  denied: 136,
} as const;

/** Offsets in `struct vmn_endpoint`. */
export const ENDPOINT_LAYOUT = { address_be: 0, port_be: 4 } as const;

export interface PolicyEndpoint {
  address: string;
  port: number;
}

export interface Policy {
  /** `audit`: whom the guest talks to is counted, not enforced; who it is, is. */
  flags: { quarantined: boolean; strictWireGuard: boolean; audit: boolean };
  generation: bigint;
  guestMac: string;
  gatewayMac: string;
  guestAddress: string;
  gatewayAddress: string;
  mode: keyof typeof MODES;
  /** Null in mode Direct, and only there. */
  endpoint: PolicyEndpoint | null;
  /** Refused from `untilNs` on (CLOCK_MONOTONIC, as process.hrtime.bigint()). */
  previous: (PolicyEndpoint & { untilNs: bigint }) | null;
  /** 16 bytes that no guest can know, fresh with every policy that is written (randomSecret); shown to nobody. */
  secret: Uint8Array;
  /** Of what the VM sends, in whole numbers; 0: no limit. Bits count the Ethernet header. */
  limits: { egressBitsPerSecond: number; packetsPerSecond: number };
  /** Mode Sampled: so many of a million frames are judged in full. 0 in every other mode. */
  samplePerMillion: number;
  /** IPv4 total length of one packet; 0: no limit. */
  maxPacketBytes: number;
  /** So many violations within the window are an event of their own; threshold 0: never. */
  violation: { threshold: number; windowMs: number };
  /** Mode Direct: whom no guest may talk to, one range or more, in order and apart. Absent in every other mode. */
  denied?: readonly AddressRange[];
}

const LITTLE = endianness() === 'LE';
const ZEROS = Buffer.alloc(POLICY_BYTES);

export function randomSecret(): Uint8Array {
  return Uint8Array.from(randomBytes(SECRET_BYTES));
}

/** @throws TypeError when a value does not fit: a policy never holds something else than what was asked for. */
export function encodePolicy(policy: Policy): Uint8Array {
  const bytes = new Uint8Array(POLICY_BYTES);
  const view = new DataView(bytes.buffer);
  const at = POLICY_LAYOUT;

  view.setUint32(at.abi, POLICY_ABI, LITTLE);
  view.setUint32(at.flags, flagBits(policy.flags), LITTLE);
  view.setBigUint64(at.generation, u64(policy.generation, 'generation'), LITTLE);
  bytes.set(macBytes(policy.guestMac), at.guest_mac);
  bytes.set(macBytes(policy.gatewayMac), at.gateway_mac);
  bytes.set(addressBytes(policy.guestAddress), at.guest_address_be);
  bytes.set(addressBytes(policy.gatewayAddress), at.gateway_address_be);
  view.setUint32(at.mode, MODES[policy.mode], LITTLE);
  putMode(bytes, view, policy);
  if (policy.previous !== null) {
    putEndpoint(bytes, view, at.previous, policy.previous);
    view.setBigUint64(at.previous_until_ns, u64(policy.previous.untilNs, 'previous.untilNs'), LITTLE);
  }
  bytes.set(secretBytes(policy.secret), at.secret);
  putNumbers(view, policy);
  return bytes;
}

/** Whom the guest talks to: one endpoint, or in mode Direct anybody whom nothing denies. */
function putMode(bytes: Uint8Array, view: DataView, policy: Policy): void {
  const { mode, endpoint, previous, denied, flags } = policy;
  if (mode !== 'Direct') {
    if (endpoint === null) throw new TypeError(`mode ${mode} needs an endpoint`);
    if (denied !== undefined) throw new TypeError(`mode ${mode} has no denied ranges`);
    putEndpoint(bytes, view, POLICY_LAYOUT.endpoint, endpoint);
    return;
  }
  if (endpoint !== null || previous !== null) throw new TypeError('mode Direct has no endpoint');
  if (flags.audit) throw new TypeError('mode Direct cannot audit');
  if (denied === undefined) throw new TypeError('mode Direct needs denied ranges');
  view.setUint32(POLICY_LAYOUT.denied_count, denied.length, LITTLE);
  putRanges(view, POLICY_LAYOUT.denied, denied);
}

function putNumbers(view: DataView, policy: Policy): void {
  const at = POLICY_LAYOUT;
  const { limits, violation } = policy;
  const bits = whole(limits.egressBitsPerSecond, MAX_BITS_PER_SECOND, 'limits.egressBitsPerSecond');
  const packets = whole(limits.packetsPerSecond, MAX_PACKETS_PER_SECOND, 'limits.packetsPerSecond');
  const sampled = policy.mode === 'Sampled' ? MILLION : 0;

  view.setBigUint64(at.egress_bits_per_second, BigInt(bits), LITTLE);
  view.setBigUint64(at.packets_per_second, BigInt(packets), LITTLE);
  view.setUint32(at.sample_per_million, whole(policy.samplePerMillion, sampled, 'samplePerMillion'), LITTLE);
  view.setUint32(at.max_packet_bytes, whole(policy.maxPacketBytes, 0xffff, 'maxPacketBytes'), LITTLE);
  view.setUint32(at.violation_threshold, whole(violation.threshold, U32, 'violation.threshold'), LITTLE);
  view.setUint32(at.violation_window_ms, whole(violation.windowMs, U32, 'violation.windowMs'), LITTLE);
  if (violation.threshold > 0 && violation.windowMs === 0) {
    throw new TypeError('violation.threshold needs a violation.windowMs that is not 0');
  }
}

/** @throws TypeError for bytes that this version would not have written. */
export function decodePolicy(bytes: Uint8Array): Policy {
  const view = policyView(bytes);
  const at = POLICY_LAYOUT;

  expect(view.getUint32(at.abi, LITTLE) === POLICY_ABI, 'an ABI number of another version');
  const count = view.getUint32(at.denied_count, LITTLE);
  const used = at.denied + deniedBytes(count);
  const isZero = (from: number, to: number): boolean => ZEROS.compare(bytes, from, to, 0, to - from) === 0;
  expect(
    isZero(at.reserved, at.denied_count) &&
      isZero(at.denied_count + 4, at.denied) &&
      isZero(used, POLICY_BYTES),
    'reserved bytes that are not zero',
  );
  const mode = modeOf(view.getUint32(at.mode, LITTLE));
  const endpoint = endpointAt(bytes, view, at.endpoint);
  const previous = endpointAt(bytes, view, at.previous);
  const policy: Policy = {
    flags: flagsOf(view.getUint32(at.flags, LITTLE)),
    generation: view.getBigUint64(at.generation, LITTLE),
    guestMac: macText(bytes, at.guest_mac),
    gatewayMac: macText(bytes, at.gateway_mac),
    guestAddress: addressText(bytes, at.guest_address_be),
    gatewayAddress: addressText(bytes, at.gateway_address_be),
    mode,
    endpoint: mode === 'Direct' && isNobody(endpoint) ? null : endpoint,
    previous:
      previous.port === 0 ? null : { ...previous, untilNs: view.getBigUint64(at.previous_until_ns, LITTLE) },
    secret: bytes.slice(at.secret, at.secret + SECRET_BYTES),
    limits: {
      egressBitsPerSecond: Number(view.getBigUint64(at.egress_bits_per_second, LITTLE)),
      packetsPerSecond: Number(view.getBigUint64(at.packets_per_second, LITTLE)),
    },
    samplePerMillion: view.getUint32(at.sample_per_million, LITTLE),
    maxPacketBytes: view.getUint32(at.max_packet_bytes, LITTLE),
    violation: {
      threshold: view.getUint32(at.violation_threshold, LITTLE),
      windowMs: view.getUint32(at.violation_window_ms, LITTLE),
    },
    ...(mode === 'Direct' || count > 0 ? { denied: rangesAt(view, at.denied, count) } : {}),
  };
  expectWritable(policy);
  return policy;
}

/** The numbers have bounds that only the encoder knows: what it refuses it did not write. */
function expectWritable(policy: Policy): void {
  const bytes = new Uint8Array(POLICY_BYTES);
  const view = new DataView(bytes.buffer);
  try {
    putNumbers(view, policy);
    // An endpoint of zeros is nobody's: it says what a policy without one would, and is read as it stands.
    if (policy.mode === 'Direct' || policy.denied !== undefined) putMode(bytes, view, policy);
  } catch (error) {
    expect(false, error instanceof Error ? error.message : String(error));
  }
}

/** SHA-256 of the bytes with zeros for the secret, hex: what status shows of the policy in force. */
export function policyHash(bytes: Uint8Array): string {
  const shown = Uint8Array.from(bytes);
  shown.fill(0, POLICY_LAYOUT.secret, POLICY_LAYOUT.secret + SECRET_BYTES);
  return createHash('sha256').update(shown).digest('hex');
}

/** @throws TypeError for anything that has not the size of a policy. */
export function checkedPolicy(policy: Uint8Array | null): Uint8Array | null {
  if (policy !== null && policy.byteLength !== POLICY_BYTES) {
    throw new TypeError(`a policy has ${POLICY_BYTES} bytes, not ${policy.byteLength}`);
  }
  return policy;
}

function policyView(bytes: Uint8Array): DataView {
  expect(bytes.byteLength === POLICY_BYTES, `${bytes.byteLength} bytes`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function putEndpoint(bytes: Uint8Array, view: DataView, offset: number, endpoint: PolicyEndpoint): void {
  if (!Number.isInteger(endpoint.port) || endpoint.port < 1 || endpoint.port > 65535) {
    throw new TypeError(`not a port: ${endpoint.port}`);
  }
  bytes.set(addressBytes(endpoint.address), offset + ENDPOINT_LAYOUT.address_be);
  view.setUint16(offset + ENDPOINT_LAYOUT.port_be, endpoint.port, false);
}

function deniedBytes(count: number): number {
  expect(count * RANGE_BYTES <= DENIED_BYTES, `${count} denied ranges`);
  return count * RANGE_BYTES;
}

function isNobody({ address, port }: PolicyEndpoint): boolean {
  return address === '0.0.0.0' && port === 0;
}

function endpointAt(bytes: Uint8Array, view: DataView, offset: number): PolicyEndpoint {
  return {
    address: addressText(bytes, offset + ENDPOINT_LAYOUT.address_be),
    port: view.getUint16(offset + ENDPOINT_LAYOUT.port_be, false),
  };
}

function flagBits({ quarantined, strictWireGuard, audit }: Policy['flags']): number {
  return (
    (quarantined ? FLAG_QUARANTINED : 0) |
    (strictWireGuard ? FLAG_STRICT_WIREGUARD : 0) |
    (audit ? FLAG_AUDIT : 0)
  );
}

function flagsOf(bits: number): Policy['flags'] {
  expect((bits & ~(FLAG_QUARANTINED | FLAG_STRICT_WIREGUARD | FLAG_AUDIT)) === 0, 'unknown flags');
  return {
    quarantined: (bits & FLAG_QUARANTINED) !== 0,
    strictWireGuard: (bits & FLAG_STRICT_WIREGUARD) !== 0,
    audit: (bits & FLAG_AUDIT) !== 0,
  };
}

function modeOf(number: number): Policy['mode'] {
  for (const [mode, its] of Object.entries(MODES)) if (its === number) return mode as Policy['mode'];
  throw new TypeError('not a policy of this version: an unknown mode');
}

function secretBytes(secret: Uint8Array): Uint8Array {
  if (secret.byteLength !== SECRET_BYTES) {
    throw new TypeError(`a secret has ${SECRET_BYTES} bytes, not ${secret.byteLength}`);
  }
  return secret;
}

function expect(condition: boolean, found: string): asserts condition {
  if (!condition) throw new TypeError(`not a policy of this version: ${found}`);
}
