import type { FrameView } from './frame-view.ts';
import { wireGuardMessage } from './wireguard-message.ts';

/** Where a transport header lies and between whom: `from` and `to` are printable addresses without port. */
export interface TransportPlace {
  readonly protocol: number;
  readonly from: string;
  readonly to: string;
  /** Offset of the transport header in the frame. */
  readonly at: number;
  /** Bytes from the transport header to the end of the packet, as the IP header tells. */
  readonly bytes: number;
}

const PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'IPv6 hop-by-hop options',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IP in IP',
  41: 'IPv6 in IP',
  43: 'IPv6 routing header',
  44: 'IPv6 fragment',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  60: 'IPv6 destination options',
  89: 'OSPF',
  112: 'VRRP',
  132: 'SCTP',
  136: 'UDP-Lite',
};

export function protocolName(protocol: number): string {
  if (protocol === 6) return 'TCP';
  if (protocol === 17) return 'UDP';
  return PROTOCOLS[protocol] ?? `protocol ${protocol}`;
}

const ICMP: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'unreachable',
  5: 'redirect',
  8: 'echo request',
  11: 'time exceeded',
};

const ICMPV6: Readonly<Record<number, string>> = {
  1: 'unreachable',
  2: 'packet too big',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbour solicitation',
  136: 'neighbour advertisement',
  137: 'redirect',
  143: 'multicast listener report',
};

/** UDP services whose name says more than their number when a guest tries them. */
const UDP_SERVICES: Readonly<Record<number, string>> = {
  53: 'DNS',
  67: 'DHCP',
  68: 'DHCP',
  123: 'NTP',
  546: 'DHCPv6',
  547: 'DHCPv6',
  1900: 'SSDP',
  5353: 'mDNS',
  5355: 'LLMNR',
};

const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] as const;

function host(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function udp(view: FrameView, place: TransportPlace): string {
  const { at } = place;
  const between = `${host(place.from, view.u16(at))} > ${host(place.to, view.u16(at + 2))}`;
  const length = view.u16(at + 4);
  if (length < 8 || length > place.bytes)
    return `${between} UDP, length field ${length} of ${place.bytes} bytes`;
  const payload = length - 8;
  const head = view.bytes.subarray(at + 8, at + 12);
  const what =
    wireGuardMessage(head, payload) ?? UDP_SERVICES[view.u16(at + 2)] ?? UDP_SERVICES[view.u16(at)] ?? null;
  return `${between} UDP ${payload} bytes${what === null ? '' : ` ${what}`}`;
}

function tcp(view: FrameView, place: TransportPlace): string {
  const { at } = place;
  const between = `${host(place.from, view.u16(at))} > ${host(place.to, view.u16(at + 2))}`;
  const payload = Math.max(0, place.bytes - 4 * (view.u8(at + 12) >> 4));
  const flags = TCP_FLAGS.filter((_, bit) => (view.u8(at + 13) & (1 << bit)) !== 0);
  return `${between} TCP ${payload} bytes ${flags.join(',') || 'no flags'}`;
}

/** `100.64.0.5:41000 > 203.0.113.10:51900 UDP 148 bytes WireGuard handshake initiation`. Never throws. */
export function summariseTransport(view: FrameView, place: TransportPlace): string {
  const between = `${place.from} > ${place.to}`;
  const name = protocolName(place.protocol);
  if (place.protocol === 17 && place.bytes >= 8 && view.has(place.at + 8)) return udp(view, place);
  if (place.protocol === 6 && place.bytes >= 20 && view.has(place.at + 14)) return tcp(view, place);
  const types = place.protocol === 1 ? ICMP : place.protocol === 58 ? ICMPV6 : null;
  if (types && place.bytes >= 4 && view.has(place.at + 2)) {
    const type = view.u8(place.at);
    return `${between} ${name} ${types[type] ?? `type ${type} code ${view.u8(place.at + 1)}`}`;
  }
  return `${between} ${name} ${place.bytes} bytes`;
}
