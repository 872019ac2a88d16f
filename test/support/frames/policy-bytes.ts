import { endianness } from 'node:os';
import { ipv4Bytes, macBytes } from './address.ts';
import { u16 } from './bytes.ts';

/** struct vmn_policy, written out by hand from native/include/vmn/abi.h: a second opinion on src/native/policy-abi.ts. */
export interface PolicyFields {
  abi?: number;
  quarantined?: boolean;
  strict?: boolean;
  audit?: boolean;
  generation?: bigint;
  guestMac: string;
  gatewayMac: string;
  guestAddress: string;
  gatewayAddress: string;
  /** VMN_MODE_…; Filtered unless said otherwise. */
  mode?: number;
  endpoint: Destination;
  previous?: Destination & { untilNs: bigint };
  /** 16 bytes; zeros unless said otherwise. */
  secret?: Uint8Array;
  egressBitsPerSecond?: number;
  packetsPerSecond?: number;
  samplePerMillion?: number;
  maxPacketBytes?: number;
  violation?: { threshold: number; windowMs: number };
  /** Mode Direct: ranges of addresses, both ends included, in order and apart. */
  denied?: readonly { first: string; last: string }[];
}

export interface Destination {
  address: string;
  port: number;
}

export const POLICY_ABI = 3;
export const POLICY_BYTES = 4232;
export const Mode = { filtered: 1, conntrack: 2, sampled: 3, direct: 4 } as const;

export function policyBytes(fields: PolicyFields): Uint8Array {
  const bytes = new Uint8Array(POLICY_BYTES);
  const view = new DataView(bytes.buffer);
  const little = endianness() === 'LE';
  const flags =
    (fields.quarantined === true ? 1 : 0) |
    (fields.strict === true ? 2 : 0) |
    (fields.audit === true ? 4 : 0);
  view.setUint32(0, fields.abi ?? POLICY_ABI, little);
  view.setUint32(4, flags, little);
  view.setBigUint64(8, fields.generation ?? 1n, little);
  bytes.set(macBytes(fields.guestMac), 16);
  bytes.set(macBytes(fields.gatewayMac), 22);
  bytes.set(ipv4Bytes(fields.guestAddress), 28);
  bytes.set(ipv4Bytes(fields.gatewayAddress), 32);
  view.setUint32(36, fields.mode ?? Mode.filtered, little);
  bytes.set(ipv4Bytes(fields.endpoint.address), 40);
  bytes.set(u16(fields.endpoint.port), 44);
  if (fields.previous !== undefined) {
    bytes.set(ipv4Bytes(fields.previous.address), 48);
    bytes.set(u16(fields.previous.port), 52);
    view.setBigUint64(56, fields.previous.untilNs, little);
  }
  if (fields.secret !== undefined) bytes.set(fields.secret, 64);
  view.setBigUint64(80, BigInt(fields.egressBitsPerSecond ?? 0), little);
  view.setBigUint64(88, BigInt(fields.packetsPerSecond ?? 0), little);
  view.setUint32(96, fields.samplePerMillion ?? 0, little);
  view.setUint32(100, fields.maxPacketBytes ?? 0, little);
  view.setUint32(104, fields.violation?.threshold ?? 0, little);
  view.setUint32(108, fields.violation?.windowMs ?? 0, little);
  const denied = fields.mode === Mode.direct ? (fields.denied ?? []) : [];
  for (const [index, { first, last }] of denied.entries()) {
    view.setUint32(128, index + 1, little);
    view.setUint32(136 + 8 * index, hostOrder(first), little);
    view.setUint32(140 + 8 * index, hostOrder(last), little);
  }
  return bytes;
}

function hostOrder(address: string): number {
  return new DataView(Uint8Array.from(ipv4Bytes(address)).buffer).getUint32(0, false);
}
