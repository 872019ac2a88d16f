import { STRANGER, type Twist } from '../cast.ts';
import { concat, pattern, u16 } from '../bytes.ts';
import { Ipv4Option, Protocol } from '../ipv4.ts';
import { TcpFlag, tcp } from '../tcp.ts';
import { icmp, IcmpType } from '../icmp.ts';
import { keepAlive } from '../wireguard.ts';
import { udp } from '../udp.ts';
import type { FrameCase } from './frame-case.ts';

/** Builds the frame that would pass, twisted. */
export type Sender = (twist?: Twist) => Uint8Array;

/** Ports and addresses of the datagram that would pass, for packets built from parts. */
export interface Flow {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
}

/** What is refused in an IPv4 header and behind it in both directions alike, but for the reason that ICMP is. */
export function ipv4Damage(send: Sender, flow: Flow, icmpReason = 'PROTOCOL'): FrameCase[] {
  return [
    ...headerDamage(send),
    ...options(send),
    ...fragments(send, flow),
    ...protocols(send, flow, icmpReason),
    ...udpDamage(send, flow),
  ];
}

function headerDamage(send: Sender): FrameCase[] {
  const short = Array.from({ length: 20 }, (_, kept) => kept);
  return [
    ...short.map((kept) => ({
      name: `IPv4 header cut after ${String(kept)} bytes`,
      ids: ['IP-3'],
      frame: send().subarray(0, 14 + kept),
      reason: 'FRAME_TOO_SHORT',
    })),
    ...[0, 3, 5, 6, 15].map((version) => ({
      name: `IP version ${String(version)} under the IPv4 EtherType`,
      frame: send({ ip: { version } }),
      reason: 'IP_VERSION',
    })),
    ...[0, 1, 4].map((headerWords) => ({
      name: `IHL ${String(headerWords)}`,
      ids: ['IP-3'],
      frame: send({ ip: { headerWords } }),
      reason: 'IP_HEADER_LENGTH',
    })),
    {
      name: 'IHL past the end of the frame',
      ids: ['IP-3'],
      frame: send({ ip: { headerWords: 15, totalLength: 28 }, udp: { payload: new Uint8Array() } }),
      reason: 'IP_HEADER_LENGTH',
    },
    ...[0, 1, 19].map((totalLength) => ({
      name: `IPv4 total length ${String(totalLength)}`,
      ids: ['IP-3'],
      frame: send({ ip: { totalLength } }),
      reason: 'IP_TOTAL_LENGTH',
    })),
    ...[61, 1500, 65535].map((totalLength) => ({
      name: `IPv4 total length ${String(totalLength)} in a frame of 60 bytes of payload`,
      ids: ['IP-3'],
      frame: send({ ip: { totalLength } }),
      reason: 'IP_TOTAL_LENGTH',
    })),
    { name: 'IPv4 header checksum off by one', frame: offByOne(send()), reason: 'IP_CHECKSUM' },
    {
      name: 'IPv4 header checksum 0 where it is not',
      frame: send({ ip: { checksum: 0 } }),
      reason: 'IP_CHECKSUM',
    },
    { name: 'TTL 0', frame: send({ ip: { ttl: 0 } }), reason: 'IP_TTL' },
  ];
}

function offByOne(frame: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy[25] = ((copy[25] ?? 0) + 1) & 0xff;
  return copy;
}

function options(send: Sender): FrameCase[] {
  const refused = (name: string, bytes: Uint8Array): FrameCase => ({
    name: `IPv4 option: ${name}`,
    ids: ['SB-3'],
    frame: send({ ip: { options: bytes } }),
    reason: 'IP_OPTIONS',
  });
  return [
    refused('loose source route', Ipv4Option.looseSourceRoute(STRANGER.address)),
    refused('strict source route', Ipv4Option.strictSourceRoute(STRANGER.address, '192.0.2.1')),
    refused('record route', Ipv4Option.recordRoute('0.0.0.0', '0.0.0.0')),
    refused('timestamp', Ipv4Option.timestamp),
    refused('router alert', Ipv4Option.routerAlert),
    refused('security', Ipv4Option.security),
    refused('one word of no-operation', concat(...Array.from({ length: 4 }, () => Ipv4Option.noOperation))),
    refused('forty bytes, IHL 15', concat(...Array.from({ length: 40 }, () => Ipv4Option.noOperation))),
    refused(
      'end of list followed by a source route',
      concat(u16(0), Ipv4Option.looseSourceRoute(STRANGER.address)),
    ),
    refused('of an impossible length', Uint8Array.of(131, 255, 4, 0)),
  ];
}

function fragments(send: Sender, flow: Flow): FrameCase[] {
  const whole = udp({ ...flow, payload: pattern(64), between: flow });
  const fragment = (name: string, ip: Twist['ip']): FrameCase => ({
    name: `fragment: ${name}`,
    ids: ['SB-2', 'IP-5'],
    frame: send({ ip: { dontFragment: false, ...ip } }),
    reason: 'IP_FRAGMENT',
  });
  return [
    fragment('first, whole UDP header', { moreFragments: true, payload: whole.subarray(0, 40) }),
    fragment('tiny first, eight bytes', { moreFragments: true, payload: whole.subarray(0, 8) }),
    fragment('tiny first, ports only cut away', { moreFragments: true, payload: whole.subarray(0, 2) }),
    fragment('middle', { moreFragments: true, fragmentOffset: 3, payload: whole.subarray(24, 48) }),
    fragment('last', { fragmentOffset: 6, payload: whole.subarray(48) }),
    fragment('overlapping the first at offset 1', { fragmentOffset: 1, payload: whole.subarray(8, 40) }),
    fragment('second that looks like a whole datagram', { fragmentOffset: 1, payload: whole }),
    fragment('largest offset', { fragmentOffset: 0x1fff, payload: whole.subarray(0, 8) }),
    fragment('more fragments though it says do not', { moreFragments: true, dontFragment: true }),
    fragment('the reserved flag', { reservedFlag: true }),
  ];
}

function protocols(send: Sender, flow: Flow, icmpReason: string): FrameCase[] {
  const segment = (flags: number): Uint8Array => tcp({ ...flow, flags });
  const other = (
    name: string,
    protocol: number,
    payload: Uint8Array,
    ids: string[] = ['AL-2'],
  ): FrameCase => ({
    name: `protocol: ${name}`,
    ids,
    frame: send({ ip: { protocol, payload } }),
    reason: 'PROTOCOL',
  });
  const control = (name: string, message: Uint8Array): FrameCase => ({
    ...other(name, Protocol.icmp, message, ['SB-7']),
    reason: icmpReason,
  });
  const likeUdp = udp({ ...flow, payload: keepAlive(), between: flow });
  return [
    other('TCP SYN, right address and port', Protocol.tcp, segment(TcpFlag.syn), ['AL-2', 'SB-7']),
    other('TCP ACK, right address and port', Protocol.tcp, segment(TcpFlag.ack), ['AL-2', 'SB-7']),
    other('TCP RST, right address and port', Protocol.tcp, segment(TcpFlag.rst), ['SB-7']),
    control('ICMP echo', icmp(IcmpType.echoRequest, 0, pattern(12))),
    control('ICMP unreachable', icmp(IcmpType.unreachable, 3, pattern(32))),
    control('ICMP redirect', icmp(IcmpType.redirect, 1, pattern(32))),
    other('IGMP', Protocol.igmp, pattern(8)),
    other('IP in IP', Protocol.ipInIp, send().subarray(14)),
    other('IPv6 in IPv4', Protocol.ipv6, concat(Uint8Array.of(0x60), pattern(39))),
    other('GRE', Protocol.gre, concat(u16(0), u16(0x0800), send().subarray(14))),
    other('ESP', Protocol.esp, pattern(40)),
    ...[Protocol.hopByHop, Protocol.sctp, Protocol.udpLite, Protocol.reserved, 16, 18, 17 ^ 0x80].map(
      (number) => other(`number ${String(number)} around a perfect UDP datagram`, number, likeUdp),
    ),
  ];
}

function udpDamage(send: Sender, flow: Flow): FrameCase[] {
  const header = udp(flow);
  const cut = [0, 1, 4, 7].map((kept) => ({
    name: `UDP header cut after ${String(kept)} bytes by the IPv4 total length`,
    ids: ['IP-4'],
    frame: send({ ip: { payload: header.subarray(0, kept) } }),
    reason: 'UDP_LENGTH',
  }));
  const hidden = {
    name: 'UDP header beyond the packet though within the frame',
    ids: ['IP-4'],
    frame: send({ ip: { totalLength: 24 } }),
    reason: 'UDP_LENGTH',
  };
  // The keep-alive of 32 bytes makes 40 right.
  const lengths = [0, 1, 7, 8, 39, 41, 1000, 65535].map((length) => ({
    name: `UDP length ${String(length)} where it is 40`,
    ids: ['IP-4'],
    frame: send({ udp: { length } }),
    reason: 'UDP_LENGTH',
  }));
  return [...cut, hidden, ...lengths];
}
