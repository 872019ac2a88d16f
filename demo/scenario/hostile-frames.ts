import {
  arp,
  ArpOperation,
  BROADCAST_MAC,
  concat,
  ethernet,
  EtherType,
  icmpv6,
  Icmpv6Type,
  extension,
  ipv4,
  Ipv4Option,
  ipv6,
  NextHeader,
  Protocol,
  tagged,
  udp,
  WireGuard,
  wireGuardShape,
  ZERO_MAC,
  type EthernetFields,
  type Ipv4Fields,
  type UdpFields,
} from '../../test/support/frames/index.ts';
import type { Attacker, Attempt } from './attempt.ts';
import type { FarEndName } from './far-end.ts';
import { raw } from './guest-script.ts';
import { PLACES } from './places.ts';

const STRANGER_MAC = '02:76:de:ad:be:ef';
const SOURCE_PORT = 51820;

/** Frames that no ordinary program sends, written to the network card by root. */
export function hostileFrames(attacker: Attacker): Attempt[] {
  const forge = new Forge(attacker);
  return [...spoofed(forge, attacker), ...malformed(forge), ...otherLinks(forge), ...manyReceivers(forge)];
}

/** A handshake for the endpoint, right but for what an attempt changes. */
class Forge {
  readonly attacker: Attacker;

  constructor(attacker: Attacker) {
    this.attacker = attacker;
  }

  link(fields: Partial<EthernetFields>): Uint8Array {
    const { mac, gatewayMac } = this.attacker;
    return ethernet({ destination: gatewayMac, source: mac, etherType: EtherType.ipv4, ...fields });
  }

  datagram(ip: Partial<Ipv4Fields> = {}, link: Partial<EthernetFields> = {}): Uint8Array {
    const { address, endpoint } = this.attacker;
    const addresses = { source: address, destination: endpoint.address };
    const packet = ipv4({ ...addresses, protocol: Protocol.udp, payload: this.udp(), ...ip });
    return this.link({ payload: packet, ...link });
  }

  udp(fields: Partial<UdpFields> = {}): Uint8Array {
    const payload = wireGuardShape(WireGuard.initiation.type, WireGuard.initiation.bytes);
    return udp({ sourcePort: SOURCE_PORT, destinationPort: this.attacker.endpoint.port, payload, ...fields });
  }

  /** The same datagram, with another UDP header or payload. */
  lying(fields: Partial<UdpFields>): Uint8Array {
    return this.datagram({ payload: this.udp(fields) });
  }
}

function spoofed(forge: Forge, { mac, address, gatewayMac, gatewayAddress, otherVm }: Attacker): Attempt[] {
  const claim = (
    operation: number,
    senderAddress: string,
    targetAddress: string,
    to = BROADCAST_MAC,
  ): Uint8Array => {
    const payload = arp({ operation, senderMac: mac, senderAddress, targetMac: ZERO_MAC, targetAddress });
    return forge.link({ destination: to, etherType: EtherType.arp, payload });
  };
  const { request, reply } = ArpOperation;
  const cut = forge.link({
    destination: BROADCAST_MAC,
    etherType: EtherType.arp,
    payload: new Uint8Array(20),
  });
  const impostor = [
    claim(reply, gatewayAddress, otherVm),
    claim(reply, gatewayAddress, gatewayAddress, gatewayMac),
  ];
  const spoofing = attemptsOf('Spoofing');
  return [
    spoofing(
      'source address of the other VM',
      [forge.datagram({ source: otherVm })],
      'SourceAddress',
      'consumer',
    ),
    spoofing(
      'source address of the internet',
      [forge.datagram({ source: PLACES.internet })],
      'SourceAddress',
      'consumer',
    ),
    spoofing(
      'source MAC of a stranger',
      [forge.datagram({}, { source: STRANGER_MAC })],
      'SourceMac',
      'consumer',
    ),
    spoofing('source MAC of the gateway', [forge.datagram({}, { source: gatewayMac })], 'SourceMac'),
    spoofing(
      'destination MAC of a stranger',
      [forge.datagram({}, { destination: STRANGER_MAC })],
      'DestinationMac',
    ),
    spoofing('ARP: "the gateway is me"', impostor, 'ArpSpoofed'),
    spoofing('ARP: "the other VM is me"', [claim(request, otherVm, gatewayAddress)], 'ArpSpoofed'),
    spoofing(
      'gratuitous ARP',
      [claim(request, address, address), claim(reply, address, address)],
      'ArpNotGateway',
    ),
    spoofing(
      'ARP: "who has the LAN neighbour?"',
      [claim(request, address, PLACES.lanNeighbour)],
      'ArpNotGateway',
    ),
    spoofing('ARP, cut short', [cut], 'ArpMalformed'),
  ];
}

function malformed(forge: Forge): Attempt[] {
  const whole = forge.udp();
  const first = forge.datagram({ payload: whole.subarray(0, 80), moreFragments: true });
  const rest = forge.datagram({ payload: whole.subarray(80), fragmentOffset: 10 });
  const overlapping = forge.datagram({ payload: whole.subarray(8), fragmentOffset: 1 });
  const tiny = forge.datagram({ payload: whole.subarray(0, 8), moreFragments: true });
  const tooLong = wireGuardShape(WireGuard.initiation.type, WireGuard.initiation.bytes + 1);
  const unknownType = wireGuardShape(5, WireGuard.initiation.bytes);
  const bad = attemptsOf('Malformed, to the endpoint');
  return [
    bad('in two fragments', [first, rest], 'IpFragment', 'consumer'),
    bad('overlapping fragments', [first, overlapping], 'IpFragment'),
    bad('tiny first fragment', [tiny], 'IpFragment'),
    bad(
      'record route',
      [forge.datagram({ options: Ipv4Option.recordRoute('0.0.0.0') })],
      'IpOptions',
      'consumer',
    ),
    bad(
      'loose source route',
      [forge.datagram({ options: Ipv4Option.looseSourceRoute(PLACES.internet) })],
      'IpOptions',
    ),
    bad('wrong header checksum', [forge.datagram({ checksum: 0x0bad })], 'IpChecksum'),
    bad('time to live 0', [forge.datagram({ ttl: 0 })], 'IpTtl'),
    bad('IP version 5', [forge.datagram({ version: 5 })], 'IpVersion'),
    bad('header length 16', [forge.datagram({ headerWords: 4 })], 'IpHeaderLength'),
    bad('total length past the frame', [forge.datagram({ totalLength: 1400 })], 'IpTotalLength'),
    bad('header cut off', [forge.link({ payload: Uint8Array.of(0x45, 0, 0, 176) })], 'FrameTooShort'),
    bad('UDP length past the packet', [forge.lying({ length: 1000 })], 'UdpLength', 'consumer'),
    bad('UDP source port 0', [forge.lying({ sourcePort: 0 })], 'SourcePort', 'consumer'),
    bad('a handshake of 149 bytes', [forge.lying({ payload: tooLong })], 'NotWireGuard', 'consumer'),
    bad('message type 5', [forge.lying({ payload: unknownType })], 'NotWireGuard', 'consumer'),
  ];
}

function otherLinks(forge: Forge): Attempt[] {
  const between = { source: 'fe80::1', destination: 'fe80::2' };
  const everyone = { source: 'fe80::1', destination: 'ff02::1' };
  const v6 = (nextHeader: number, payload: Uint8Array): Uint8Array =>
    forge.link({ etherType: EtherType.ipv6, payload: ipv6({ ...between, nextHeader, payload }) });
  const v6ToAll = (type: number, rest: Uint8Array): Uint8Array => {
    const packet = ipv6({
      ...everyone,
      nextHeader: NextHeader.icmpv6,
      payload: icmpv6(type, rest, everyone),
    });
    return forge.link({ destination: '33:33:00:00:00:01', etherType: EtherType.ipv6, payload: packet });
  };
  const lifetime = Uint8Array.of(64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0);
  const router = icmpv6(Icmpv6Type.routerAdvertisement, lifetime, between);
  const lldp = Buffer.from('0207040276000000010403050001060200780000', 'hex');
  const spanningTree = concat(Uint8Array.of(0x42, 0x42, 3), new Uint8Array(35));
  const other = attemptsOf('Other than IPv4');
  return [
    other('VLAN tag (802.1Q)', [tagged(forge.datagram(), { vlan: 7 })], 'Vlan'),
    other('priority tag, VLAN 0', [tagged(forge.datagram(), { vlan: 0, priority: 7 })], 'Vlan', 'consumer'),
    other(
      'QinQ (802.1ad)',
      [tagged(forge.datagram(), { tpid: EtherType.serviceVlan, vlan: 7 }, { vlan: 8 })],
      'Vlan',
    ),
    other('IPv6, UDP', [v6(NextHeader.udp, forge.udp())], 'Ipv6'),
    other(
      'IPv6, hop-by-hop header',
      [v6(NextHeader.hopByHop, extension(NextHeader.udp, forge.udp()))],
      'Ipv6',
    ),
    other('IPv6, router advertisement to the host', [v6(NextHeader.icmpv6, router)], 'Ipv6'),
    other(
      'IPv6, router advertisement to all',
      [v6ToAll(Icmpv6Type.routerAdvertisement, lifetime)],
      'GroupMac',
    ),
    other(
      'IPv6, neighbour solicitation',
      [v6ToAll(Icmpv6Type.neighbourSolicitation, new Uint8Array(20))],
      'GroupMac',
    ),
    other(
      'LLDP',
      [forge.link({ destination: '01:80:c2:00:00:0e', etherType: EtherType.lldp, payload: lldp })],
      'GroupMac',
    ),
    other('LLDP to the host alone', [forge.link({ etherType: EtherType.lldp, payload: lldp })], 'EtherType'),
    other(
      '802.3 length frame',
      [forge.link({ etherType: spanningTree.length, payload: spanningTree })],
      'EtherType',
    ),
    other(
      'EtherType nobody knows',
      [forge.link({ etherType: 0x9000, payload: new Uint8Array(46) })],
      'EtherType',
    ),
  ];
}

function manyReceivers(forge: Forge): Attempt[] {
  const to = (
    mac: string,
    destination: string,
    source: string,
    sourcePort: number,
    port: number,
  ): Uint8Array => {
    const payload = udp({ sourcePort, destinationPort: port, payload: new Uint8Array(240) });
    return forge.datagram({ source, destination, payload }, { destination: mac });
  };
  const { address } = forge.attacker;
  const all = '255.255.255.255';
  const many = attemptsOf('Multicast and broadcast');
  return [
    many('multicast DNS', [to('01:00:5e:00:00:fb', '224.0.0.251', address, 5353, 5353)], 'GroupMac'),
    many('broadcast', [to(BROADCAST_MAC, all, address, 9, 9)], 'GroupMac'),
    many('DHCP discover', [to(BROADCAST_MAC, all, '0.0.0.0', 68, 67)], 'GroupMac'),
    many('DHCP offer, as a server', [to(BROADCAST_MAC, all, address, 67, 68)], 'GroupMac'),
    many('the endpoint, by broadcast MAC', [forge.datagram({}, { destination: BROADCAST_MAC })], 'GroupMac'),
  ];
}

/** Makes the attempts of one group; each drops all its frames for one reason. Unless said otherwise it gets as far as the host. */
function attemptsOf(group: string) {
  return (
    title: string,
    frames: readonly Uint8Array[],
    reason: string,
    reaches: FarEndName = 'host',
  ): Attempt => ({
    group,
    title,
    script: raw(frames),
    drops: { [reason]: frames.length },
    repeats: false,
    reaches,
  });
}
