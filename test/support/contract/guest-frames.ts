import { BROADCAST_MAC } from '../frames/address.ts';
import { arpRequest, CAST, fromGuest, type Cast } from '../frames/cast.ts';
import { ethernet, EtherType } from '../frames/ethernet.ts';
import { Protocol } from '../frames/ipv4.ts';
import { ipv6, NextHeader } from '../frames/ipv6.ts';
import { tcp } from '../frames/tcp.ts';
import { RentalLab } from '../stage/rental-lab.ts';

/** Who sends: the VM on a tap of ours, or the one on somebody else's. */
export type Kind = 'own' | 'found';
/** A consumer. */
export type Place = 'a' | 'b';

/** Source ports by which far ends tell whose datagram it was and to whom; each guest has its own number among them. */
export const SOURCE_PORTS: Record<Place, Record<Kind, readonly [first: number, last: number]>> = {
  a: { own: [20_000, 24_999], found: [25_000, 29_999] },
  b: { own: [30_000, 34_999], found: [35_000, 39_999] },
};
/** Of what is never allowed. */
const FORBIDDEN_PORT = 50_000;

/** Addresses in the host's own network, and those of the host in it. */
export const LAN = {
  host: '192.168.77.1',
  hostMac: CAST.gatewayMac,
  machine: '192.168.77.50',
  machineMac: '02:77:00:00:00:50',
  neighbourMac: '52:54:00:77:00:51',
};

export interface GuestCard {
  readonly kind: Kind;
  /** Tells guests of one kind apart, below 5000: no two have the same source ports. */
  readonly serial: number;
  readonly mac: string;
  readonly address: string;
}

/**
 * Frames of one guest: first one to each consumer, of which its policy allows one, or with grace both, or none; then those that no
 * policy of it ever allows. In turn, so that each is sent all the time.
 */
export function guestFrames({ kind, serial, mac, address }: GuestCard): Uint8Array[] {
  const cast: Cast = { ...CAST, guestMac: mac, guestAddress: address };
  const to = (place: Place): Uint8Array => {
    const { address: destination, port } = RentalLab[place];
    const [first] = SOURCE_PORTS[place][kind];
    return fromGuest(cast, {
      ip: { destination },
      udp: { sourcePort: first + serial, destinationPort: port },
    });
  };
  const { a, b, x, hostAddress } = RentalLab;
  const sourcePort = FORBIDDEN_PORT;
  const wrong = (destination: string, destinationPort: number, twist: object = {}): Uint8Array =>
    fromGuest(cast, { ip: { destination }, udp: { sourcePort, destinationPort }, ...twist });
  const onLink = (destination: string, mac: string): Uint8Array =>
    wrong(destination, 9, { ethernet: { destination: mac } });
  const forbidden = [
    wrong(x.address, x.port),
    wrong(a.address, a.port + 1),
    wrong(b.address, b.port + 1),
    wrong(hostAddress, 22),
    wrong(LAN.host, 22),
    wrong(LAN.machine, 9),
    onLink(LAN.machine, LAN.machineMac),
    onLink('192.168.77.51', LAN.neighbourMac),
    onLink('255.255.255.255', BROADCAST_MAC),
    // As somebody else: by address, and by MAC.
    fromGuest(cast, { ip: { source: '100.64.255.9', destination: a.address }, udp: { sourcePort } }),
    fromGuest(cast, { ethernet: { source: '02:76:aa:00:00:99' }, udp: { sourcePort } }),
    fromGuest(cast, { ip: { destination: a.address, protocol: Protocol.tcp, payload: connect(address) } }),
    arpRequest(cast, { targetAddress: LAN.machine }),
    ethernet({
      destination: '33:33:00:00:00:01',
      source: mac,
      etherType: EtherType.ipv6,
      payload: ipv6({ source: 'fe80::77', destination: 'ff02::1', nextHeader: NextHeader.none }),
    }),
  ];
  return [to('a'), to('b'), ...forbidden];
}

function connect(source: string): Uint8Array {
  const { address: destination, port } = RentalLab.a;
  return tcp({ source, destination, sourcePort: FORBIDDEN_PORT, destinationPort: port });
}
