/**
 * `struct vmn_policy` of native/include/vmn/abi.h in TypeScript: the 128 bytes that the filter judges by. A test compares
 * every offset here with the compiler's. Numbers are in host byte order, addresses and ports as they stand in a frame.
 */
import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { isIPv4 } from 'node:net';

export const POLICY_BYTES = 128;
export const POLICY_ABI = 1;
export const REASON_SLOTS = 64;
export const MODE_FILTERED = 1;
export const FLAG_QUARANTINED = 1;
export const FLAG_STRICT_WIREGUARD = 2;

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
  reserved: 64,
} as const;

/** Offsets in `struct vmn_endpoint`. */
export const ENDPOINT_LAYOUT = { address_be: 0, port_be: 4 } as const;

export interface PolicyEndpoint {
  address: string;
  port: number;
}

export interface Policy {
  flags: { quarantined: boolean; strictWireGuard: boolean };
  generation: bigint;
  guestMac: string;
  gatewayMac: string;
  guestAddress: string;
  gatewayAddress: string;
  mode: 'Filtered';
  endpoint: PolicyEndpoint;
  /** Refused from `untilNs` on (CLOCK_MONOTONIC, as process.hrtime.bigint()). */
  previous: (PolicyEndpoint & { untilNs: bigint }) | null;
}

const LITTLE = endianness() === 'LE';

/** @throws TypeError when a value does not fit: a policy never holds something else than what was asked for. */
export function encodePolicy(policy: Policy): Uint8Array {
  const bytes = new Uint8Array(POLICY_BYTES);
  const view = new DataView(bytes.buffer);
  const at = POLICY_LAYOUT;
  const flags =
    (policy.flags.quarantined ? FLAG_QUARANTINED : 0) |
    (policy.flags.strictWireGuard ? FLAG_STRICT_WIREGUARD : 0);

  view.setUint32(at.abi, POLICY_ABI, LITTLE);
  view.setUint32(at.flags, flags, LITTLE);
  view.setBigUint64(at.generation, u64(policy.generation, 'generation'), LITTLE);
  bytes.set(macBytes(policy.guestMac), at.guest_mac);
  bytes.set(macBytes(policy.gatewayMac), at.gateway_mac);
  bytes.set(addressBytes(policy.guestAddress), at.guest_address_be);
  bytes.set(addressBytes(policy.gatewayAddress), at.gateway_address_be);
  view.setUint32(at.mode, modeNumber(policy.mode), LITTLE);
  putEndpoint(bytes, view, at.endpoint, policy.endpoint);
  if (policy.previous !== null) {
    putEndpoint(bytes, view, at.previous, policy.previous);
    view.setBigUint64(at.previous_until_ns, u64(policy.previous.untilNs, 'previous.untilNs'), LITTLE);
  }
  return bytes;
}

/** @throws TypeError for bytes that this version would not have written. */
export function decodePolicy(bytes: Uint8Array): Policy {
  const view = policyView(bytes);
  const at = POLICY_LAYOUT;
  const flags = view.getUint32(at.flags, LITTLE);

  expect(view.getUint32(at.abi, LITTLE) === POLICY_ABI, 'an ABI number of another version');
  expect(view.getUint32(at.mode, LITTLE) === MODE_FILTERED, 'an unknown mode');
  expect((flags & ~(FLAG_QUARANTINED | FLAG_STRICT_WIREGUARD)) === 0, 'unknown flags');
  expect(
    bytes.subarray(at.reserved).every((byte) => byte === 0),
    'reserved bytes that are not zero',
  );
  const previous = endpointAt(bytes, view, at.previous);
  return {
    flags: {
      quarantined: (flags & FLAG_QUARANTINED) !== 0,
      strictWireGuard: (flags & FLAG_STRICT_WIREGUARD) !== 0,
    },
    generation: view.getBigUint64(at.generation, LITTLE),
    guestMac: macText(bytes, at.guest_mac),
    gatewayMac: macText(bytes, at.gateway_mac),
    guestAddress: addressText(bytes, at.guest_address_be),
    gatewayAddress: addressText(bytes, at.gateway_address_be),
    mode: 'Filtered',
    endpoint: endpointAt(bytes, view, at.endpoint),
    previous:
      previous.port === 0 ? null : { ...previous, untilNs: view.getBigUint64(at.previous_until_ns, LITTLE) },
  };
}

/** SHA-256 of the 128 bytes, hex: what status shows of the policy in force. */
export function policyHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
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

function endpointAt(bytes: Uint8Array, view: DataView, offset: number): PolicyEndpoint {
  return {
    address: addressText(bytes, offset + ENDPOINT_LAYOUT.address_be),
    port: view.getUint16(offset + ENDPOINT_LAYOUT.port_be, false),
  };
}

function modeNumber(mode: Policy['mode']): number {
  switch (mode) {
    case 'Filtered':
      return MODE_FILTERED;
  }
}

function u64(value: bigint, name: string): bigint {
  if (value < 0n || value >= 1n << 64n)
    throw new TypeError(`${name} is not an unsigned 64-bit number: ${value}`);
  return value;
}

function macBytes(mac: string): number[] {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac))
    throw new TypeError(`not a MAC address: ${JSON.stringify(mac)}`);
  return mac.split(':').map((part) => Number.parseInt(part, 16));
}

function macText(bytes: Uint8Array, offset: number): string {
  return Array.from(bytes.subarray(offset, offset + 6), (byte) => byte.toString(16).padStart(2, '0')).join(
    ':',
  );
}

function addressBytes(address: string): number[] {
  if (!isIPv4(address)) throw new TypeError(`not an IPv4 address: ${JSON.stringify(address)}`);
  return address.split('.').map(Number);
}

function addressText(bytes: Uint8Array, offset: number): string {
  return bytes.subarray(offset, offset + 4).join('.');
}

function expect(condition: boolean, found: string): asserts condition {
  if (!condition) throw new TypeError(`not a policy of this version: ${found}`);
}
