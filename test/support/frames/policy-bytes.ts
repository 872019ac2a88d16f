import { endianness } from 'node:os';
import { ipv4Bytes, macBytes } from './address.ts';
import { u16 } from './bytes.ts';

/** struct vmn_policy, written out by hand from native/include/vmn/abi.h: a second opinion on src/native/policy-abi.ts. */
export interface PolicyFields {
  abi?: number;
  quarantined?: boolean;
  strict?: boolean;
  generation?: bigint;
  guestMac: string;
  gatewayMac: string;
  guestAddress: string;
  gatewayAddress: string;
  mode?: number;
  endpoint: Destination;
  previous?: Destination & { untilNs: bigint };
}

export interface Destination {
  address: string;
  port: number;
}

export const POLICY_BYTES = 128;

export function policyBytes(fields: PolicyFields): Uint8Array {
  const bytes = new Uint8Array(POLICY_BYTES);
  const view = new DataView(bytes.buffer);
  const little = endianness() === 'LE';
  view.setUint32(0, fields.abi ?? 1, little);
  view.setUint32(4, (fields.quarantined === true ? 1 : 0) | (fields.strict === true ? 2 : 0), little);
  view.setBigUint64(8, fields.generation ?? 1n, little);
  bytes.set(macBytes(fields.guestMac), 16);
  bytes.set(macBytes(fields.gatewayMac), 22);
  bytes.set(ipv4Bytes(fields.guestAddress), 28);
  bytes.set(ipv4Bytes(fields.gatewayAddress), 32);
  view.setUint32(36, fields.mode ?? 1, little);
  bytes.set(ipv4Bytes(fields.endpoint.address), 40);
  bytes.set(u16(fields.endpoint.port), 44);
  if (fields.previous !== undefined) {
    bytes.set(ipv4Bytes(fields.previous.address), 48);
    bytes.set(u16(fields.previous.port), 52);
    view.setBigUint64(56, fields.previous.untilNs, little);
  }
  return bytes;
}
