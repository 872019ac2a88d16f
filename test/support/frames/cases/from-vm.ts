import { BROADCAST_MAC, ZERO_MAC } from '../address.ts';
import { ArpOperation } from '../arp.ts';
import { concat, pattern } from '../bytes.ts';
import { arpRequest, fromGuest, GUEST_PORT, OTHER_VM, STRANGER, type Cast, type Twist } from '../cast.ts';
import { ethernet, EtherType, padded, tagged } from '../ethernet.ts';
import { udp } from '../udp.ts';
import { WireGuard, wireGuardShape } from '../wireguard.ts';
import { closedCases } from './closed.ts';
import type { FrameCase } from './frame-case.ts';
import { ipv4Damage, type Flow } from './ipv4-damage.ts';
import { ipv6Kinds } from './ipv6-kinds.ts';
import { linkKinds } from './link-kinds.ts';
import { unjudged } from './super-frames.ts';

/** Frames a guest may send, root in it or not, and what must become of each. */
export function fromVmCases(cast: Cast): FrameCase[] {
  const send = (twist?: Twist): Uint8Array => fromGuest(cast, twist);
  const flow: Flow = {
    source: cast.guestAddress,
    destination: cast.endpoint.address,
    sourcePort: GUEST_PORT,
    destinationPort: cast.endpoint.port,
  };
  const everything = [
    { what: 'a datagram that would pass', frame: send() },
    { what: 'an ARP request that would be answered', frame: arpRequest(cast) },
    { what: 'a datagram to a stranger', frame: send({ ip: { destination: STRANGER.address } }) },
    { what: 'nothing but an Ethernet header', frame: send().subarray(0, 14) },
  ];
  return [
    ...allowed(cast, send),
    ...closedCases(everything),
    ...macs(cast, send, flow),
    ...linkKinds(send),
    ...arps(cast),
    ...ipv6Kinds(flow).map(({ name, packet }) => ({
      name: `IPv6: ${name}`,
      ids: ['SB-6'],
      frame: send({ ethernet: { etherType: EtherType.ipv6, payload: packet } }),
      reason: 'IPV6',
    })),
    ...ipv4Damage(send, flow, 'ICMP_TO_ENDPOINT'),
    ...sources(cast, send),
    ...destinations(cast, send),
    ...grace(cast),
    ...strict(send),
    ...checksums(send),
    unjudged(send),
    {
      name: 'denied in mode Direct: a datagram to a stranger',
      policy: 'direct',
      frame: send({ ip: { destination: STRANGER.address } }),
      reason: 'DENIED_NETWORK',
    },
  ];
}

function allowed(cast: Cast, send: (twist?: Twist) => Uint8Array): FrameCase[] {
  const pass = (name: string, frame: Uint8Array): FrameCase => ({
    name,
    ids: ['AL-2'],
    frame,
    reason: 'ALLOWED',
  });
  return [
    pass('passes: a keep-alive to the endpoint', send()),
    pass('passes: an empty datagram', send({ udp: { payload: new Uint8Array() } })),
    pass('passes: a full frame of 1514 bytes', send({ udp: { payload: pattern(1472) } })),
    pass('passes: do not fragment', send({ ip: { dontFragment: true } })),
    pass('passes: padding to 60 bytes behind the packet', padded(send({ udp: { payload: pattern(3) } }))),
    pass('passes: no UDP checksum', send({ udp: { checksum: 0 } })),
    pass('passes: type of service set', send({ ip: { typeOfService: 0xb8 } })),
    pass('passes: source port 1', send({ udp: { sourcePort: 1 } })),
    pass('passes: source port 65535', send({ udp: { sourcePort: 65535 } })),
    pass('passes: source port 53', send({ udp: { sourcePort: 53 } })),
    { name: 'answered: ARP request, broadcast', frame: arpRequest(cast), reason: 'ARP_ANSWERED' },
    {
      name: 'answered: ARP request to the gateway alone, as Linux asks again',
      frame: arpRequest(cast, { targetMac: cast.gatewayMac }, { destination: cast.gatewayMac }),
      reason: 'ARP_ANSWERED',
    },
    { name: 'answered: ARP request, padded', frame: padded(arpRequest(cast)), reason: 'ARP_ANSWERED' },
  ];
}

function macs(cast: Cast, send: (twist?: Twist) => Uint8Array, flow: Flow): FrameCase[] {
  const from = (source: string): FrameCase => ({
    name: `source MAC ${source}`,
    ids: ['SB-1'],
    frame: send({ ethernet: { source } }),
    reason: 'SOURCE_MAC',
  });
  const nearly = cast.guestMac.slice(0, -1) + (cast.guestMac.endsWith('0') ? '1' : '0');
  const to = (name: string, destination: string, frame: Twist['ethernet'] = {}): FrameCase => ({
    name: `group MAC: ${name}`,
    ids: ['SB-7'],
    frame: send({ ethernet: { destination, ...frame } }),
    reason: 'GROUP_MAC',
  });
  const dhcp = (sourcePort: number, destinationPort: number, ip: Twist['ip']): Uint8Array =>
    send({
      ethernet: { destination: BROADCAST_MAC },
      ip: { destination: '255.255.255.255', ...ip },
      udp: { sourcePort, destinationPort, payload: concat(Uint8Array.of(2, 1, 6, 0), pattern(240)) },
    });
  const [routerAdvertisement, , neighbourSolicitation] = ipv6Kinds(flow);
  return [
    ...[OTHER_VM.mac, cast.gatewayMac, ZERO_MAC, BROADCAST_MAC, '01:00:5e:00:00:01', nearly].map(from),
    {
      name: 'source MAC spoofed around an honest ARP request',
      ids: ['SB-1'],
      frame: arpRequest(cast, {}, { source: OTHER_VM.mac }),
      reason: 'SOURCE_MAC',
    },
    {
      name: 'group MAC: DHCP discover',
      ids: ['SB-7'],
      frame: dhcp(68, 67, { source: '0.0.0.0' }),
      reason: 'GROUP_MAC',
    },
    { name: 'group MAC: DHCP server reply', ids: ['SB-7'], frame: dhcp(67, 68, {}), reason: 'GROUP_MAC' },
    to('broadcast datagram for the endpoint', BROADCAST_MAC),
    to('multicast DNS', '01:00:5e:00:00:fb', {}),
    to('multicast MAC around a datagram for the endpoint', '01:00:5e:7f:00:01'),
    to('LLDP', '01:80:c2:00:00:0e', { etherType: EtherType.lldp, payload: pattern(20) }),
    to('spanning tree', '01:80:c2:00:00:00', { etherType: 38, payload: pattern(38) }),
    to('IPv6 router advertisement', '33:33:00:00:00:01', {
      etherType: EtherType.ipv6,
      payload: routerAdvertisement?.packet ?? pattern(1),
    }),
    to('IPv6 neighbour solicitation', '33:33:ff:6e:00:01', {
      etherType: EtherType.ipv6,
      payload: neighbourSolicitation?.packet ?? pattern(1),
    }),
    to('ARP to a multicast MAC', '01:00:5e:00:00:01', {
      etherType: EtherType.arp,
      payload: arpRequest(cast).subarray(14),
    }),
    to('IPv6 broadcast', BROADCAST_MAC, { etherType: EtherType.ipv6, payload: pattern(40) }),
    ...[STRANGER.mac, OTHER_VM.mac, cast.guestMac, ZERO_MAC].map((destination) => ({
      name: `destination MAC ${destination}`,
      frame: send({ ethernet: { destination } }),
      reason: 'DESTINATION_MAC',
    })),
    {
      name: 'destination MAC of a stranger around an ARP request',
      frame: arpRequest(cast, {}, { destination: STRANGER.mac }),
      reason: 'DESTINATION_MAC',
    },
    {
      name: 'broadcast, tagged ARP request',
      ids: ['SB-4'],
      frame: tagged(arpRequest(cast), { vlan: 7 }),
      reason: ['VLAN', 'GROUP_MAC'], // the kernel moves the tag out of the frame before a tap's program sees it
    },
  ];
}

function arps(cast: Cast): FrameCase[] {
  const drop = (
    name: string,
    reason: FrameCase['reason'],
    ...twist: Parameters<typeof arpRequest> extends [unknown, ...infer R] ? R : never
  ): FrameCase => ({
    name: `ARP: ${name}`,
    ids: ['SB-1'],
    frame: arpRequest(cast, ...twist),
    reason,
  });
  const { gatewayAddress, gatewayMac, guestAddress, guestMac } = cast;
  const unicast = { destination: gatewayMac };
  return [
    drop('sender address of another VM', 'ARP_SPOOFED', { senderAddress: OTHER_VM.address }),
    drop('sender address of the gateway', 'ARP_SPOOFED', { senderAddress: gatewayAddress }),
    drop('sender address of the endpoint', 'ARP_SPOOFED', { senderAddress: cast.endpoint.address }),
    drop('sender MAC of another VM', 'ARP_SPOOFED', { senderMac: OTHER_VM.mac }),
    drop('sender MAC of the gateway', 'ARP_SPOOFED', { senderMac: gatewayMac }),
    drop('probe, no sender address (RFC 5227)', 'ARP_NOT_GATEWAY', { senderAddress: '0.0.0.0' }),
    drop('gratuitous, for itself', 'ARP_NOT_GATEWAY', { targetAddress: guestAddress }),
    drop(
      'gratuitous, for the gateway',
      'ARP_SPOOFED',
      { senderAddress: gatewayAddress },
      { destination: BROADCAST_MAC },
    ),
    drop('who has a neighbour', 'ARP_NOT_GATEWAY', { targetAddress: OTHER_VM.address }),
    drop('who has the metadata server', 'ARP_NOT_GATEWAY', { targetAddress: '169.254.169.254' }),
    drop('who has the endpoint', 'ARP_NOT_GATEWAY', { targetAddress: cast.endpoint.address }),
    drop('who has 0.0.0.0', 'ARP_NOT_GATEWAY', { targetAddress: '0.0.0.0' }),
    drop('hardware type 6', 'ARP_MALFORMED', { hardwareType: 6 }),
    drop('protocol type IPv6', 'ARP_MALFORMED', { protocolType: 0x86dd }),
    drop('hardware length 8', 'ARP_MALFORMED', { hardwareLength: 8 }),
    drop('hardware length 0', 'ARP_MALFORMED', { hardwareLength: 0 }),
    drop('protocol length 16', 'ARP_MALFORMED', { protocolLength: 16 }),
    // Operations that are neither question nor forgery: "else drop", the reason is not specified.
    drop(
      'reply nobody asked for',
      ['ARP_MALFORMED', 'ARP_SPOOFED', 'ARP_NOT_GATEWAY'],
      {
        operation: ArpOperation.reply,
        targetMac: gatewayMac,
      },
      unicast,
    ),
    drop('broadcast reply that claims the gateway', 'ARP_SPOOFED|ARP_MALFORMED'.split('|'), {
      operation: ArpOperation.reply,
      senderAddress: gatewayAddress,
      targetMac: BROADCAST_MAC,
    }),
    drop('gratuitous reply for itself', ['ARP_MALFORMED', 'ARP_NOT_GATEWAY'], {
      operation: ArpOperation.reply,
      targetMac: guestMac,
      targetAddress: guestAddress,
    }),
    ...[0, ArpOperation.reverseRequest, ArpOperation.inverseRequest, 0x0100, 0xffff].map((operation) =>
      drop(`operation ${String(operation)}`, 'ARP_MALFORMED', { operation }),
    ),
    ...[0, 1, 8, 20, 27].map((kept) => ({
      name: `ARP: cut after ${String(kept)} bytes`,
      ids: ['SB-1'],
      frame: arpRequest(cast).subarray(0, 14 + kept),
      reason: ['ARP_MALFORMED', 'FRAME_TOO_SHORT'],
    })),
  ];
}

function sources(cast: Cast, send: (twist?: Twist) => Uint8Array): FrameCase[] {
  const others = [
    OTHER_VM.address,
    STRANGER.address,
    cast.gatewayAddress,
    cast.endpoint.address,
    '0.0.0.0',
    '127.0.0.1',
    '255.255.255.255',
    cast.guestAddress.split('.').reverse().join('.'),
  ];
  return [
    ...others.map((source) => ({
      name: `source address ${source}`,
      ids: ['SB-1'],
      frame: send({ ip: { source } }),
      reason: 'SOURCE_ADDRESS',
    })),
    { name: 'source port 0', frame: send({ udp: { sourcePort: 0 } }), reason: 'SOURCE_PORT' },
  ];
}

function destinations(cast: Cast, send: (twist?: Twist) => Uint8Array): FrameCase[] {
  const { address, port } = cast.endpoint;
  const to = (name: string, destination: string, destinationPort: number): FrameCase => ({
    name: `destination: ${name}`,
    ids: ['AL-2'],
    frame: send({ ip: { destination }, udp: { destinationPort } }),
    reason: 'DESTINATION_ADDRESS',
  });
  const [a = '', b = '', c = '', d = ''] = address.split('.');
  return [
    to('a stranger at the right port', STRANGER.address, port),
    to('the next address at the right port', [a, b, c, String(Number(d) ^ 1)].join('.'), port),
    to('the first byte differs', [String(Number(a) ^ 0x80), b, c, d].join('.'), port),
    to('the address byte-swapped', [d, c, b, a].join('.'), port),
    to('DNS of a stranger', '198.51.100.53', 53),
    to('metadata service', '169.254.169.254', 80),
    to('the gateway at the right port', cast.gatewayAddress, port),
    to('another VM', OTHER_VM.address, port),
    to('itself', cast.guestAddress, port),
    to('loopback', '127.0.0.1', port),
    to('limited broadcast', '255.255.255.255', port),
    to('multicast in a unicast frame', '224.0.0.251', 5353),
    to('0.0.0.0 port 0, which is how "no previous endpoint" is written', '0.0.0.0', 0),
    to('the previous endpoint when there is none', cast.previous.address, cast.previous.port),
    ...[port - 1, port + 1, 0, 53, ((port & 0xff) << 8) | (port >>> 8), port ^ 0x8000].map(
      (destinationPort) => ({
        name: `destination: the endpoint at port ${String(destinationPort)}`,
        ids: ['AL-2'],
        frame: send({ udp: { destinationPort } }),
        reason: 'DESTINATION_PORT',
      }),
    ),
  ];
}

function grace(cast: Cast): FrameCase[] {
  const { address, port } = cast.previous;
  const old = fromGuest(cast, { ip: { destination: address }, udp: { destinationPort: port } });
  const mixed = [
    { ip: {}, udp: { destinationPort: port } },
    { ip: { destination: address }, udp: { destinationPort: cast.endpoint.port } },
  ].map((twist) => fromGuest(cast, twist));
  return [
    {
      name: 'grace: previous endpoint in time',
      policy: 'grace-running',
      frame: old,
      reason: 'ALLOWED_PREVIOUS',
    },
    {
      name: 'grace: new endpoint meanwhile',
      policy: 'grace-running',
      frame: fromGuest(cast),
      reason: 'ALLOWED',
    },
    {
      name: 'grace: previous endpoint too late',
      policy: 'grace-over',
      frame: old,
      reason: 'PREVIOUS_EXPIRED',
    },
    {
      name: 'grace: new endpoint afterwards',
      policy: 'grace-over',
      frame: fromGuest(cast),
      reason: 'ALLOWED',
    },
    ...mixed.map((frame, index): FrameCase => ({
      name: `grace: ${index === 0 ? 'new address with the old port' : 'old address with the new port'}`,
      ids: ['AL-2'],
      policy: 'grace-running',
      frame,
      reason: ['DESTINATION_PORT', 'DESTINATION_ADDRESS'],
    })),
    {
      name: 'grace: 0.0.0.0 port 0 after a real previous endpoint',
      policy: 'grace-over',
      frame: fromGuest(cast, { ip: { destination: '0.0.0.0' }, udp: { destinationPort: 0 } }),
      reason: 'DESTINATION_ADDRESS',
    },
  ];
}

function strict(send: (twist?: Twist) => Uint8Array): FrameCase[] {
  const say = (name: string, payload: Uint8Array, reason: string): FrameCase => ({
    name: `strict: ${name}`,
    ids: ['SB-8'],
    policy: 'strict',
    frame: send({ udp: { payload } }),
    reason,
  });
  const right = Object.entries(WireGuard).map(([name, { type, bytes }]) =>
    say(`WireGuard ${name}`, wireGuardShape(type, bytes), 'ALLOWED'),
  );
  return [
    ...right,
    say('nothing', new Uint8Array(), 'NOT_WIREGUARD'),
    say('text', new TextEncoder().encode('GET / HTTP/1.1\r\n\r\n'), 'NOT_WIREGUARD'),
    say('a DNS question', udp({ sourcePort: 0, destinationPort: 0, payload: pattern(24) }), 'NOT_WIREGUARD'),
    say('reserved byte set', wireGuardShape(1, 148, [0, 0, 1]), 'NOT_WIREGUARD'),
    say('initiation a byte short', wireGuardShape(1, 147), 'NOT_WIREGUARD'),
    say('transport of 33 bytes', wireGuardShape(4, 33), 'NOT_WIREGUARD'),
    {
      name: 'strict: trailing bytes behind the IPv4 packet do not make a shape',
      ids: ['SB-8'],
      policy: 'strict',
      frame: concat(send({ udp: { payload: wireGuardShape(4, 31) } }), Uint8Array.of(0)),
      reason: 'NOT_WIREGUARD',
    },
    {
      name: 'strict: an ordinary Ethernet payload of the endpoint is still judged',
      policy: 'strict',
      frame: ethernet({
        destination: STRANGER.mac,
        source: OTHER_VM.mac,
        etherType: EtherType.ipv4,
        payload: pattern(60),
      }),
      reason: 'SOURCE_MAC',
    },
  ];
}

/** A guest may have the host write a checksum into the frame after it was judged: anywhere, if nobody looks. */
function checksums(send: (twist?: Twist) => Uint8Array): FrameCase[] {
  const at = (what: string, start: number, offset: number, reason = 'CHECKSUM_OFFLOAD'): FrameCase => ({
    name: `checksum left to the host: ${what}`,
    ids: ['SB-5'],
    frame: send(),
    checksum: { start, offset },
    reason,
  });
  return [
    at('where UDP has it, as every Linux guest does', 34, 6, 'ALLOWED'),
    // The kernel itself refuses what starts before the twentieth byte.
    at('into the fragment field', 20, 0),
    at('into TTL and protocol', 20, 2),
    at('into the IPv4 header checksum', 20, 4),
    at('into the source address', 20, 6),
    at('into the destination address, first half', 20, 10),
    at('into the destination address, second half', 20, 12),
    at('into the source port', 34, 0),
    at('into the destination port', 34, 2),
    at('into half of port and half of length', 34, 3),
    at('into the UDP length', 34, 4),
    at('a byte before the UDP checksum', 34, 5),
    at('a byte behind the UDP checksum', 34, 7),
    at('into the WireGuard type', 42, 0),
    at('into the end of the frame', 42, 30),
  ];
}
