import { ipv6Bytes, macBytes } from '../address.ts';
import { concat, pattern, u16, u32, u8 } from '../bytes.ts';
import { extension, fragmentHeader, icmpv6, Icmpv6Type, ipv6, NextHeader } from '../ipv6.ts';
import { keepAlive } from '../wireguard.ts';
import { udp } from '../udp.ts';
import type { Flow } from './ipv4-damage.ts';

const HOST = 'fe80::7676:6dff:fe6e:1';
const GUEST = 'fe80::76:aaff:febb:ccdd';

/** IPv6 packets of every kind a guest or a host may try, named. */
export function ipv6Kinds({ sourcePort, destinationPort }: Flow): { name: string; packet: Uint8Array }[] {
  const between = { source: GUEST, destination: HOST };
  const message = (type: number, rest: Uint8Array): Uint8Array =>
    ipv6({ ...between, nextHeader: NextHeader.icmpv6, payload: icmpv6(type, rest, between) });
  const linkLayer = concat(u8(1), u8(1), macBytes('02:76:aa:bb:cc:dd'));
  const prefix = concat(
    Uint8Array.of(3, 4, 64, 0xc0),
    u32(86400),
    u32(14400),
    u32(0),
    ipv6Bytes('2001:db8::'),
  );
  const datagram = udp({ sourcePort, destinationPort, payload: keepAlive(), checksum: 0xbeef });
  const global = { source: '2001:db8::7', destination: '2001:db8::10' };
  const plain = (nextHeader: number, payload: Uint8Array): Uint8Array =>
    ipv6({ ...global, nextHeader, payload });
  return [
    {
      name: 'router advertisement',
      packet: message(
        Icmpv6Type.routerAdvertisement,
        concat(u8(64), u8(0), u16(1800), u32(0), u32(0), linkLayer, prefix),
      ),
    },
    {
      name: 'router solicitation',
      packet: message(Icmpv6Type.routerSolicitation, concat(u32(0), linkLayer)),
    },
    {
      name: 'neighbour solicitation',
      packet: message(Icmpv6Type.neighbourSolicitation, concat(u32(0), ipv6Bytes(HOST), linkLayer)),
    },
    {
      name: 'neighbour advertisement',
      packet: message(
        Icmpv6Type.neighbourAdvertisement,
        concat(u32(0xe0000000), ipv6Bytes(GUEST), linkLayer),
      ),
    },
    { name: 'echo request', packet: message(Icmpv6Type.echoRequest, pattern(12)) },
    { name: 'UDP', packet: plain(NextHeader.udp, datagram) },
    { name: 'hop-by-hop options', packet: plain(NextHeader.hopByHop, extension(NextHeader.udp, datagram)) },
    {
      name: 'destination options',
      packet: plain(NextHeader.destinationOptions, extension(NextHeader.udp, datagram)),
    },
    { name: 'routing header', packet: plain(NextHeader.routing, extension(NextHeader.udp, datagram)) },
    {
      name: 'fragment header',
      packet: plain(NextHeader.fragment, fragmentHeader(NextHeader.udp, 0, true, datagram.subarray(0, 16))),
    },
    { name: 'no next header', packet: plain(NextHeader.none, new Uint8Array()) },
    {
      name: 'IPv4-mapped addresses',
      packet: ipv6({
        source: '::ffff:6440:7',
        destination: '::ffff:cb00:710a',
        nextHeader: NextHeader.udp,
        payload: datagram,
      }),
    },
    { name: 'header cut short', packet: plain(NextHeader.udp, datagram).subarray(0, 24) },
    { name: 'no header at all', packet: new Uint8Array() },
  ];
}
