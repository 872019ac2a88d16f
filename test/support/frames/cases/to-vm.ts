import { BROADCAST_MAC } from '../address.ts';
import { concat, pattern } from '../bytes.ts';
import {
  arpAnswer,
  arpRequest,
  GUEST_PORT,
  OTHER_VM,
  STRANGER,
  toGuest,
  type Cast,
  type Twist,
} from '../cast.ts';
import { EtherType, padded } from '../ethernet.ts';
import { WireGuard, wireGuardShape } from '../wireguard.ts';
import { closedCases } from './closed.ts';
import type { FrameCase } from './frame-case.ts';
import { ipv4Damage, type Flow } from './ipv4-damage.ts';
import { ipv6Kinds } from './ipv6-kinds.ts';
import { linkKinds } from './link-kinds.ts';
import { unjudged } from './super-frames.ts';

/** Frames that somebody on the host side, or beyond it, may send towards a guest. */
export function toVmCases(cast: Cast): FrameCase[] {
  const send = (twist?: Twist): Uint8Array => toGuest(cast, twist);
  const flow: Flow = {
    source: cast.endpoint.address,
    destination: cast.guestAddress,
    sourcePort: cast.endpoint.port,
    destinationPort: GUEST_PORT,
  };
  const everything = [
    { what: 'a datagram that would pass', frame: send() },
    { what: 'an ARP request of the host', frame: fromHost(cast) },
  ];
  return [
    ...allowed(send),
    ...closedCases(everything),
    ...macs(cast, send),
    ...linkKinds(send),
    ...arps(cast),
    ...ipv6Kinds(flow).map(({ name, packet }) => ({
      name: `IPv6: ${name}`,
      ids: ['SB-6'],
      frame: send({ ethernet: { etherType: EtherType.ipv6, payload: packet } }),
      reason: 'IPV6',
    })),
    ...ipv4Damage(send, flow),
    ...strangers(cast, send),
    ...grace(cast),
    ...strict(send),
    unjudged(send),
    {
      name: 'denied in mode Direct: a datagram of a stranger',
      policy: 'direct',
      frame: send({ ip: { source: STRANGER.address } }),
      reason: 'DENIED_NETWORK',
    },
  ];
}

function allowed(send: (twist?: Twist) => Uint8Array): FrameCase[] {
  const pass = (name: string, frame: Uint8Array): FrameCase => ({
    name,
    ids: ['AL-2'],
    frame,
    reason: 'ALLOWED',
  });
  return [
    pass('passes: a keep-alive of the endpoint', send()),
    pass('passes: an empty datagram', send({ udp: { payload: new Uint8Array() } })),
    pass('passes: a full frame of 1514 bytes', send({ udp: { payload: pattern(1472) } })),
    pass('passes: padding to 60 bytes behind the packet', padded(send({ udp: { payload: pattern(3) } }))),
    pass('passes: TTL 1', send({ ip: { ttl: 1 } })),
    pass('passes: to the highest port', send({ udp: { destinationPort: 65535 } })),
  ];
}

function macs(cast: Cast, send: (twist?: Twist) => Uint8Array): FrameCase[] {
  return [
    ...[STRANGER.mac, OTHER_VM.mac, cast.guestMac, BROADCAST_MAC].map((source) => ({
      name: `source MAC ${source}`,
      ids: ['SB-10'],
      frame: send({ ethernet: { source } }),
      reason: 'SOURCE_MAC',
    })),
    ...[STRANGER.mac, OTHER_VM.mac, cast.gatewayMac].map((destination) => ({
      name: `destination MAC ${destination}`,
      ids: ['SB-10'],
      frame: send({ ethernet: { destination } }),
      reason: 'DESTINATION_MAC',
    })),
    ...[BROADCAST_MAC, '01:00:5e:00:00:fb', '33:33:00:00:00:01'].map((destination) => ({
      name: `group MAC ${destination}`,
      ids: ['SB-7'],
      frame: send({ ethernet: { destination } }),
      reason: ['GROUP_MAC', 'DESTINATION_MAC'], // "destination MAC not as pinned" covers both
    })),
    {
      name: 'DHCP server reply, broadcast',
      ids: ['SB-7'],
      frame: send({
        ethernet: { destination: BROADCAST_MAC },
        ip: { source: cast.gatewayAddress, destination: '255.255.255.255' },
        udp: {
          sourcePort: 67,
          destinationPort: 68,
          payload: concat(Uint8Array.of(2, 1, 6, 0), pattern(240)),
        },
      }),
      reason: ['GROUP_MAC', 'DESTINATION_MAC'],
    },
  ];
}

function fromHost(cast: Cast): Uint8Array {
  const sender = {
    senderMac: cast.gatewayMac,
    senderAddress: cast.gatewayAddress,
    targetAddress: cast.guestAddress,
  };
  return arpRequest(cast, sender, { source: cast.gatewayMac });
}

function arps(cast: Cast): FrameCase[] {
  const drop = (
    name: string,
    frame: Uint8Array,
    reason: FrameCase['reason'] = 'ARP_FROM_HOST',
  ): FrameCase => ({
    name: `ARP: ${name}`,
    ids: ['SB-1'],
    frame,
    reason,
  });
  const unicast = { source: cast.gatewayMac, destination: cast.guestMac };
  const asks = {
    senderMac: cast.gatewayMac,
    senderAddress: cast.gatewayAddress,
    targetAddress: cast.guestAddress,
  };
  return [
    drop('the host asks, to the guest alone', arpRequest(cast, asks, unicast)),
    drop('an answer that looks just like ours', arpAnswer(cast)),
    drop('an answer that lies', arpAnswer(cast, { senderMac: STRANGER.mac })),
    drop('cut short', arpAnswer(cast).subarray(0, 30)),
    // By broadcast the pinned destination is wrong as well.
    drop('the host asks, by broadcast', fromHost(cast), ['ARP_FROM_HOST', 'GROUP_MAC', 'DESTINATION_MAC']),
  ];
}

function strangers(cast: Cast, send: (twist?: Twist) => Uint8Array): FrameCase[] {
  const { address, port } = cast.endpoint;
  const from = (source: string): FrameCase => ({
    name: `source address ${source}`,
    ids: ['SB-10'],
    frame: send({ ip: { source } }),
    reason: 'SOURCE_ADDRESS',
  });
  return [
    ...[
      STRANGER.address,
      OTHER_VM.address,
      cast.gatewayAddress,
      cast.previous.address,
      '0.0.0.0',
      '127.0.0.1',
    ].map(from),
    {
      name: 'source 0.0.0.0 port 0, which is how "no previous endpoint" is written',
      ids: ['SB-10'],
      frame: send({ ip: { source: '0.0.0.0' }, udp: { sourcePort: 0 } }),
      reason: 'SOURCE_ADDRESS',
    },
    ...[port - 1, port + 1, 0, 53, ((port & 0xff) << 8) | (port >>> 8)].map((sourcePort) => ({
      name: `source: the endpoint's address, port ${String(sourcePort)}`,
      ids: ['SB-10'],
      frame: send({ udp: { sourcePort } }),
      reason: 'SOURCE_PORT',
    })),
    ...[OTHER_VM.address, STRANGER.address, address, '255.255.255.255', '224.0.0.1', '0.0.0.0'].map(
      (destination) => ({
        name: `destination address ${destination}`,
        ids: ['SB-10'],
        frame: send({ ip: { destination } }),
        reason: 'DESTINATION_ADDRESS',
      }),
    ),
    {
      name: 'destination port 0',
      ids: ['SB-10'],
      frame: send({ udp: { destinationPort: 0 } }),
      reason: 'DESTINATION_PORT',
    },
  ];
}

function grace(cast: Cast): FrameCase[] {
  const { address, port } = cast.previous;
  const old = toGuest(cast, { ip: { source: address }, udp: { sourcePort: port } });
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
      frame: toGuest(cast),
      reason: 'ALLOWED',
    },
    {
      name: 'grace: previous endpoint too late',
      policy: 'grace-over',
      frame: old,
      reason: 'PREVIOUS_EXPIRED',
    },
    {
      name: 'grace: old address with the new port',
      policy: 'grace-running',
      frame: toGuest(cast, { ip: { source: address } }),
      reason: ['SOURCE_PORT', 'SOURCE_ADDRESS'],
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
  return [
    ...Object.entries(WireGuard).map(([name, { type, bytes }]) =>
      say(`WireGuard ${name}`, wireGuardShape(type, bytes), 'ALLOWED'),
    ),
    say('nothing', new Uint8Array(), 'NOT_WIREGUARD'),
    say('text', new TextEncoder().encode('HTTP/1.1 200 OK\r\n\r\n'), 'NOT_WIREGUARD'),
    say('response a byte long', wireGuardShape(2, 93), 'NOT_WIREGUARD'),
  ];
}
