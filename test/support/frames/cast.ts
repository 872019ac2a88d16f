import { BROADCAST_MAC, ZERO_MAC } from './address.ts';
import { arp, ArpOperation, type ArpFields } from './arp.ts';
import { ethernet, EtherType, type EthernetFields } from './ethernet.ts';
import { ipv4, Protocol, type Ipv4Fields } from './ipv4.ts';
import { Mode, POLICY_ABI, policyBytes, type Destination } from './policy-bytes.ts';
import { udp, type UdpFields } from './udp.ts';
import { keepAlive } from './wireguard.ts';

/** Who plays in the case tables. The guest's part may be changed to that of a VM that an agent made. */
export interface Cast {
  guestMac: string;
  guestAddress: string;
  gatewayMac: string;
  gatewayAddress: string;
  endpoint: Destination;
  previous: Destination;
}

export const CAST: Cast = {
  guestMac: '02:76:aa:bb:cc:dd',
  guestAddress: '100.64.0.7',
  gatewayMac: '02:76:6d:6e:00:01',
  gatewayAddress: '169.254.1.1',
  endpoint: { address: '203.0.113.10', port: 51900 },
  previous: { address: '203.0.113.20', port: 51820 },
};

/** The cast without a previous endpoint: what a plain policy is made of. */
export const PINNED: Omit<Cast, 'previous'> = {
  guestMac: CAST.guestMac,
  guestAddress: CAST.guestAddress,
  gatewayMac: CAST.gatewayMac,
  gatewayAddress: CAST.gatewayAddress,
  endpoint: CAST.endpoint,
};

/** Who is nobody's endpoint. */
export const STRANGER = { mac: '02:00:5e:00:53:66', address: '198.51.100.66' };
export const OTHER_VM = { mac: '02:76:aa:bb:cc:de', address: '100.64.0.8' };
/** The port the guest's WireGuard sends from. */
export const GUEST_PORT = 40000;

/** What a policy of mode Direct has in these tables. */
export const DIRECT = { mode: Mode.direct, denied: [{ first: STRANGER.address, last: STRANGER.address }] };

/** The policy in force while a frame is judged. */
export type PolicyKind =
  | 'plain' // the endpoint, nothing else
  | 'strict' // the same, WireGuard-shaped datagrams only
  | 'quarantined'
  | 'none' // an empty policy slot
  | 'foreign-abi' // bytes of another version of abi.h
  | 'grace-running' // the previous endpoint is still allowed
  | 'grace-over' // and is no longer
  | 'direct'; // everybody but STRANGER

/** The bytes of a kind of policy, null for none. Grace ends a minute after, or ended just before, `nowNs`. */
export function policyOf(kind: PolicyKind, cast: Cast, nowNs: bigint): Uint8Array | null {
  if (kind === 'none') return null;
  const minuteNs = 60_000_000_000n;
  const { previous, ...rest } = cast;
  return policyBytes({
    ...rest,
    strict: kind === 'strict',
    quarantined: kind === 'quarantined',
    abi: kind === 'foreign-abi' ? POLICY_ABI + 1 : POLICY_ABI,
    ...(kind === 'grace-running' && { previous: { ...previous, untilNs: nowNs + minuteNs } }),
    ...(kind === 'grace-over' && { previous: { ...previous, untilNs: nowNs } }),
    ...(kind === 'direct' && DIRECT),
  });
}

/** Everything that may differ from the one datagram that passes. */
export interface Twist {
  ethernet?: Partial<EthernetFields>;
  ip?: Partial<Ipv4Fields>;
  udp?: Partial<UdpFields>;
}

/** What the guest sends: by default a keep-alive to the endpoint, which every policy but the closed ones allows. */
export function fromGuest(cast: Cast, twist: Twist = {}): Uint8Array {
  const source = twist.ip?.source ?? cast.guestAddress;
  const destination = twist.ip?.destination ?? cast.endpoint.address;
  const ports = { sourcePort: GUEST_PORT, destinationPort: cast.endpoint.port };
  const link = { destination: cast.gatewayMac, source: cast.guestMac };
  return datagram(link, { source, destination }, ports, twist);
}

/** What reaches the guest: by default a keep-alive of the endpoint's. */
export function toGuest(cast: Cast, twist: Twist = {}): Uint8Array {
  const source = twist.ip?.source ?? cast.endpoint.address;
  const destination = twist.ip?.destination ?? cast.guestAddress;
  const ports = { sourcePort: cast.endpoint.port, destinationPort: GUEST_PORT };
  const link = { destination: cast.guestMac, source: cast.gatewayMac };
  return datagram(link, { source, destination }, ports, twist);
}

type Between = { source: string; destination: string };

function datagram(link: Between, between: Between, ports: UdpFields, twist: Twist): Uint8Array {
  const payload = udp({ ...ports, payload: keepAlive(), between, ...twist.udp });
  const packet = ipv4({ ...between, protocol: Protocol.udp, payload, ...twist.ip });
  return ethernet({ ...link, etherType: EtherType.ipv4, payload: packet, ...twist.ethernet });
}

/** The guest's question for the gateway's MAC; `packet` twists the ARP packet, `link` the Ethernet header. */
export function arpRequest(
  cast: Cast,
  packet: Partial<ArpFields> = {},
  link: Partial<EthernetFields> = {},
): Uint8Array {
  const payload = arp({
    senderMac: cast.guestMac,
    senderAddress: cast.guestAddress,
    targetMac: ZERO_MAC,
    targetAddress: cast.gatewayAddress,
    ...packet,
  });
  return ethernet({
    destination: BROADCAST_MAC,
    source: cast.guestMac,
    etherType: EtherType.arp,
    payload,
    ...link,
  });
}

/** The one answer there is, RFC 826: the gateway's MAC, told to the guest alone. */
export function arpAnswer(
  cast: Cast,
  packet: Partial<ArpFields> = {},
  link: Partial<EthernetFields> = {},
): Uint8Array {
  const payload = arp({
    operation: ArpOperation.reply,
    senderMac: cast.gatewayMac,
    senderAddress: cast.gatewayAddress,
    targetMac: cast.guestMac,
    targetAddress: cast.guestAddress,
    ...packet,
  });
  const ends = { destination: cast.guestMac, source: cast.gatewayMac };
  return ethernet({ ...ends, etherType: EtherType.arp, payload, ...link });
}
