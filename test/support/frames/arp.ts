import { ipv4Bytes, macBytes } from './address.ts';
import { concat, u16, u8 } from './bytes.ts';

export const ArpOperation = { request: 1, reply: 2, reverseRequest: 3, inverseRequest: 8 } as const;

export interface ArpFields {
  operation?: number;
  hardwareType?: number;
  protocolType?: number;
  hardwareLength?: number;
  protocolLength?: number;
  senderMac: string;
  senderAddress: string;
  targetMac: string;
  targetAddress: string;
}

/** An ARP packet for IPv4 over Ethernet, RFC 826, 28 bytes. */
export function arp(fields: ArpFields): Uint8Array {
  return concat(
    u16(fields.hardwareType ?? 1),
    u16(fields.protocolType ?? 0x0800),
    u8(fields.hardwareLength ?? 6),
    u8(fields.protocolLength ?? 4),
    u16(fields.operation ?? ArpOperation.request),
    macBytes(fields.senderMac),
    ipv4Bytes(fields.senderAddress),
    macBytes(fields.targetMac),
    ipv4Bytes(fields.targetAddress),
  );
}
