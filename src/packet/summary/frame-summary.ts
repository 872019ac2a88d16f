import { FrameView } from './frame-view.ts';
import { protocolName, summariseTransport } from './transport-summary.ts';

/*
 * A frame in one line for people. Independent of the filter on purpose: it must say something true of frames that the
 * filter refuses to parse, and it decides nothing. Never throws, whatever the bytes.
 */

const ETHERNET_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IPV6 = 0x86dd;
const VLAN_ETHERTYPES: Readonly<Record<number, string>> = { 0x8100: 'VLAN', 0x88a8: 'QinQ', 0x9100: 'QinQ' };

/** Below this the field is a length (IEEE 802.3). */
const FIRST_ETHERTYPE = 0x0600;

const ETHERTYPES: Readonly<Record<number, string>> = {
  0x0842: 'Wake-on-LAN',
  0x8035: 'RARP',
  0x8847: 'MPLS',
  0x8848: 'MPLS',
  0x8863: 'PPPoE discovery',
  0x8864: 'PPPoE session',
  0x888e: '802.1X',
  0x88cc: 'LLDP',
  0x88e5: 'MACsec',
  0x88f7: 'PTP',
};

/**
 * One line, printable ASCII.
 * @param frame the bytes at hand, Ethernet header first
 * @param frameBytes length on the wire when `frame` is only its head
 */
export function summariseFrame(frame: Uint8Array, frameBytes: number = frame.length): string {
  const view = new FrameView(frame, frameBytes);
  if (!view.has(ETHERNET_BYTES)) return `${view.frameBytes} bytes, too short for Ethernet`;
  return payload(view, ETHERNET_BYTES, view.u16(12));
}

/** `02:76:… > ff:ff:…`, for reports on frames whose fault is in the addresses; null when there are none. */
export function frameMacs(frame: Uint8Array): { source: string; destination: string } | null {
  if (frame.length < 12) return null;
  const view = new FrameView(frame);
  return { source: view.mac(6), destination: view.mac(0) };
}

/** @param at offset behind the EtherType */
function payload(view: FrameView, at: number, etherType: number, depth = 0): string {
  const tag = VLAN_ETHERTYPES[etherType];
  if (tag !== undefined) {
    if (!view.has(at + 4)) return `${tag}, cut short`;
    const inner = depth < 2 ? payload(view, at + 4, view.u16(at + 2), depth + 1) : 'more tags';
    return `${tag} ${view.u16(at) & 0xfff}, ${inner}`;
  }
  if (etherType === ETHERTYPE_IPV4) return ipv4(view, at);
  if (etherType === ETHERTYPE_ARP) return arp(view, at);
  if (etherType === ETHERTYPE_IPV6) return ipv6(view, at);
  const bytes = view.frameBytes - at;
  if (etherType < FIRST_ETHERTYPE) return `802.3 length ${etherType}, ${bytes} bytes`;
  const hex = `EtherType 0x${etherType.toString(16).padStart(4, '0')}`;
  const name = ETHERTYPES[etherType];
  return `${name === undefined ? hex : `${name} (${hex})`}, ${bytes} bytes`;
}

function arp(view: FrameView, at: number): string {
  const ethernetIpv4 =
    view.u16(at) === 1 && view.u16(at + 2) === ETHERTYPE_IPV4 && view.u16(at + 4) === 0x0604;
  if (!view.has(at + 28) || !ethernetIpv4) return 'ARP malformed';
  const operation = view.u16(at + 6);
  const sender = { mac: view.mac(at + 8), address: view.ipv4(at + 14) };
  const target = view.ipv4(at + 24);
  if (operation === 1 && target === sender.address) return `ARP announce ${target} is at ${sender.mac}`;
  if (operation === 1) return `ARP who has ${target}, asks ${sender.address} at ${sender.mac}`;
  if (operation === 2) return `ARP ${sender.address} is at ${sender.mac}`;
  return `ARP operation ${operation}`;
}

function ipv4(view: FrameView, at: number): string {
  const left = view.frameBytes - at;
  if (left < 20) return `IPv4 cut short, ${left} bytes`;
  if (!view.has(at + 20)) return 'IPv4, capture cut short';
  const version = view.u8(at) >> 4;
  if (version !== 4) return `IPv4 with version ${version}`;
  const headerBytes = 4 * (view.u8(at) & 0xf);
  if (headerBytes < 20) return `IPv4 with a header of ${headerBytes} bytes`;
  const from = view.ipv4(at + 12);
  const to = view.ipv4(at + 16);
  const totalBytes = view.u16(at + 2);
  if (totalBytes < headerBytes || totalBytes > left) {
    return `IPv4 ${from} > ${to} total length ${totalBytes} of ${left} bytes`;
  }
  const protocol = view.u8(at + 9);
  const flags = view.u16(at + 6);
  const offset = 8 * (flags & 0x1fff);
  if (offset > 0 || (flags & 0x2000) !== 0) {
    const last = (flags & 0x2000) === 0 ? 'last ' : '';
    return `IPv4 ${from} > ${to} ${last}fragment at ${offset} ${protocolName(protocol)}`;
  }
  const options = headerBytes > 20 ? `with ${headerBytes - 20} bytes of options ` : '';
  const place = { protocol, from, to, at: at + headerBytes, bytes: totalBytes - headerBytes };
  return `IPv4 ${options}${summariseTransport(view, place)}`;
}

function ipv6(view: FrameView, at: number): string {
  if (!view.has(at + 40)) return `IPv6 cut short, ${view.frameBytes - at} bytes`;
  const place = {
    protocol: view.u8(at + 6),
    from: view.ipv6(at + 8),
    to: view.ipv6(at + 24),
    at: at + 40,
    bytes: Math.min(view.u16(at + 4), view.frameBytes - at - 40),
  };
  return `IPv6 ${summariseTransport(view, place)}`;
}
