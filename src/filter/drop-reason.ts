/**
 * Why a frame passed or was dropped: the numbers of native/include/vmn/reason.h with words for people. A test holds the
 * header, this table and docs/drop-reasons.md together.
 */
export interface Reason {
  /** Stable, never reused: counters, metrics and logs carry it. */
  readonly number: number;
  /** `VMN_REASON_` and this, in C. */
  readonly symbol: string;
  /** What status, metrics and events show. */
  readonly name: string;
  /** What the frame is. */
  readonly summary: string;
  /** The rule that decided, as the end of "because". */
  readonly rule: string;
  /** What the operator should do. */
  readonly remedy: string;
}

/** From this number on the frame is dropped (VMN_REASON_FIRST_DROP). */
export const FIRST_DROP = 16;

export const REASONS: readonly Reason[] = [
  {
    number: 0,
    symbol: 'ALLOWED',
    name: 'Allowed',
    summary: 'The frame is a datagram between the guest and the endpoint of its policy.',
    rule: 'UDP between the pinned guest and the endpoint in force passes',
    remedy: 'Nothing.',
  },
  {
    number: 1,
    symbol: 'ALLOWED_PREVIOUS',
    name: 'AllowedPreviousEndpoint',
    summary:
      'The frame is a datagram between the guest and its previous endpoint, which is still within its grace.',
    rule: 'UDP with the previous endpoint passes until its grace ends',
    remedy: 'Nothing. Shorten `spec.endpointGraceSeconds` if the previous endpoint must go at once.',
  },
  {
    number: 2,
    symbol: 'ARP_ANSWERED',
    name: 'ArpAnswered',
    summary:
      'The guest asked for the gateway and the filter itself answered; towards the VM: the answer went out.',
    rule: 'a request for the gateway from the pinned MAC and address is answered by the filter',
    remedy: 'Nothing.',
  },
  {
    number: 16,
    symbol: 'NO_POLICY',
    name: 'NoPolicy',
    summary: 'No policy is in force for this VM.',
    rule: 'without a policy nothing passes',
    remedy:
      'See `vmnetctl status`: no VMNetwork names this VM, its manifest was refused, or no agent has run since the VM started.',
  },
  {
    number: 17,
    symbol: 'POLICY_ABI',
    name: 'PolicyAbi',
    summary:
      'The policy was written for another version of the filter, or says something that this version does not know.',
    rule: 'a policy of another version, mode or flag lets nothing pass',
    remedy:
      'Agent and filter do not match: restart the agent, it replaces both. Nothing else may write to the policy maps.',
  },
  {
    number: 18,
    symbol: 'QUARANTINED',
    name: 'Quarantined',
    summary: 'The VM is quarantined.',
    rule: 'a quarantined VM exchanges nothing with anybody',
    remedy: 'Intended: `spec.desiredState: Quarantined`. Set it to `Active` to let the VM speak again.',
  },
  {
    number: 19,
    symbol: 'FRAME_TOO_SHORT',
    name: 'FrameTooShort',
    summary: 'The frame ends before its Ethernet or IPv4 header does.',
    rule: 'a frame holds its Ethernet header, and an IPv4 header when it says so',
    remedy:
      'No ordinary software sends this. Look at what runs in the guest; towards the VM, at what sends on the tap from the host.',
  },
  {
    number: 20,
    symbol: 'SOURCE_MAC',
    name: 'SourceMac',
    summary: "The source MAC is not the pinned one: from the VM the guest's, towards it the gateway's.",
    rule: 'the source MAC is the pinned one',
    remedy:
      'From the VM: the guest changed its MAC, bridges, or spoofs; start it with the MAC that `vmnetctl status` shows. To the VM: something on the host sends on the tap past the routing table; find and stop it.',
  },
  {
    number: 21,
    symbol: 'DESTINATION_MAC',
    name: 'DestinationMac',
    summary: "The destination MAC is not the pinned one: from the VM the gateway's, towards it the guest's.",
    rule: 'the destination MAC is the pinned one',
    remedy:
      "From the VM: a wrong static neighbour in the guest; its only neighbour is the gateway. To the VM: the host's neighbour entry for the guest was changed; the agent restores it.",
  },
  {
    number: 22,
    symbol: 'GROUP_MAC',
    name: 'GroupMac',
    summary: 'The frame is a broadcast or multicast that is not an ARP request.',
    rule: 'no broadcast or multicast but ARP',
    remedy:
      'Expected in small numbers from any guest. Switch the chatty service off in the guest if the count disturbs.',
  },
  {
    number: 23,
    symbol: 'VLAN',
    name: 'Vlan',
    summary: 'The frame carries a VLAN tag.',
    rule: 'no VLAN tags',
    remedy: 'Remove the VLAN interface in the guest.',
  },
  {
    number: 24,
    symbol: 'ETHERTYPE',
    name: 'EtherType',
    summary: 'The frame is neither IPv4 nor ARP nor IPv6, or an 802.3 frame with a length.',
    rule: 'only IPv4 and ARP',
    remedy: 'Switch off what sends it in the guest (LLDP, spanning tree, PPPoE, …).',
  },
  {
    number: 25,
    symbol: 'ARP_MALFORMED',
    name: 'ArpMalformed',
    summary:
      'An ARP packet is too short, not about Ethernet and IPv4, of an unknown operation, or asks for offloads.',
    rule: 'ARP is whole, and about Ethernet and IPv4',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 26,
    symbol: 'ARP_SPOOFED',
    name: 'ArpSpoofed',
    summary: 'An ARP packet names a sender that is not the pinned MAC and address.',
    rule: 'ARP names the pinned MAC and address as its sender',
    remedy:
      'The guest has another address than `vmnetctl status` shows, or spoofs. Configure the address it was given.',
  },
  {
    number: 27,
    symbol: 'ARP_NOT_GATEWAY',
    name: 'ArpNotGateway',
    summary:
      'An ARP packet is not a request for the gateway: another target, a gratuitous announcement or a reply.',
    rule: 'the gateway is all that may be asked for',
    remedy:
      'Announcements are expected. For anything else: the guest believes in neighbours; its address is a /32 with the gateway on-link.',
  },
  {
    number: 28,
    symbol: 'ARP_FROM_HOST',
    name: 'ArpFromHost',
    summary: "ARP from the host's side that is not the filter's own answer.",
    rule: "towards the VM only the filter's own ARP answer passes",
    remedy:
      'Harmless in small numbers. If it grows, the permanent neighbour entry on the tap is missing; the agent restores it.',
  },
  {
    number: 29,
    symbol: 'IPV6',
    name: 'Ipv6',
    summary: 'The frame is IPv6, and the endpoint is IPv4.',
    rule: 'no IPv6 while the endpoint is IPv4',
    remedy: 'Nothing, or switch IPv6 off in the guest.',
  },
  {
    number: 30,
    symbol: 'IP_VERSION',
    name: 'IpVersion',
    summary: 'The frame says IPv4 and its header says another version.',
    rule: 'an IPv4 header says version 4',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 31,
    symbol: 'IP_HEADER_LENGTH',
    name: 'IpHeaderLength',
    summary: 'The IPv4 header claims under 20 bytes, or more than the frame holds.',
    rule: 'an IPv4 header has 20 bytes or more and ends within the frame',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 32,
    symbol: 'IP_OPTIONS',
    name: 'IpOptions',
    summary: 'The IPv4 header has options, such as a source route.',
    rule: 'no IPv4 options',
    remedy: 'Stop what sends options (`ping -R`, multicast routing, an attack by source route).',
  },
  {
    number: 33,
    symbol: 'IP_TOTAL_LENGTH',
    name: 'IpTotalLength',
    summary: 'The IPv4 total length is shorter than the header or longer than the frame.',
    rule: 'the IPv4 total length fits header and frame',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 34,
    symbol: 'IP_FRAGMENT',
    name: 'IpFragment',
    summary: 'The packet is a fragment, or sets the bit that must be zero.',
    rule: 'no fragments: a later one has no ports to judge by',
    remedy:
      'Lower the MTU of the tunnel in the guest or at the consumer (1420 fits 1500), so that nobody fragments.',
  },
  {
    number: 35,
    symbol: 'IP_CHECKSUM',
    name: 'IpChecksum',
    summary: 'The IPv4 header checksum is wrong.',
    rule: 'the IPv4 header checksum is right',
    remedy: 'A broken or hand-made network stack. Look at what runs in the guest.',
  },
  {
    number: 36,
    symbol: 'IP_TTL',
    name: 'IpTtl',
    summary: 'The time to live is 0.',
    rule: 'the time to live is not 0',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 37,
    symbol: 'SOURCE_ADDRESS',
    name: 'SourceAddress',
    summary:
      "From the VM: the source is not the guest's pinned address. To the VM: it is not the endpoint's.",
    rule: "the source address is the guest's, and towards the VM the endpoint's",
    remedy:
      'From the VM: the guest has another address or spoofs; configure the one that `vmnetctl status` shows. To the VM: expected when others try; if it is the consumer, set `spec.consumerEndpoint` to the address it really sends from.',
  },
  {
    number: 38,
    symbol: 'PROTOCOL',
    name: 'Protocol',
    summary: 'The packet is not UDP.',
    rule: 'only UDP',
    remedy:
      'Expected when the guest tries anything outside its tunnel. Inside the tunnel all protocols work.',
  },
  {
    number: 39,
    symbol: 'UDP_LENGTH',
    name: 'UdpLength',
    summary: 'The UDP header is cut off, or its length is not that of the packet.',
    rule: 'the UDP length is that of the packet',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 40,
    symbol: 'DESTINATION_ADDRESS',
    name: 'DestinationAddress',
    summary: 'From the VM: the destination is not the endpoint. To the VM: it is not the guest.',
    rule: "the destination address is the endpoint's, and towards the VM the guest's",
    remedy:
      'Expected when the guest tries to get out. If it is the consumer it wants to reach, set `spec.consumerEndpoint`.',
  },
  {
    number: 41,
    symbol: 'DESTINATION_PORT',
    name: 'DestinationPort',
    summary: "From the VM: the endpoint's address with another port. To the VM: port 0.",
    rule: "the destination port is the endpoint's, and never 0",
    remedy: 'If the consumer listens on that port, set `spec.consumerEndpoint.port`.',
  },
  {
    number: 42,
    symbol: 'PREVIOUS_EXPIRED',
    name: 'PreviousEndpointExpired',
    summary: 'The frame is for or from the previous endpoint, whose grace is over.',
    rule: 'the previous endpoint is refused once its grace is over',
    remedy: 'Give the guest the new endpoint. Raise `spec.endpointGraceSeconds` if changes need more time.',
  },
  {
    number: 43,
    symbol: 'SOURCE_PORT',
    name: 'SourcePort',
    summary:
      "From the VM: source port 0, which nobody could answer. To the VM: the endpoint's address with another port.",
    rule: "the source port is not 0, and towards the VM the endpoint's",
    remedy: 'To the VM: if it is the consumer, set `spec.consumerEndpoint.port` to the port it sends from.',
  },
  {
    number: 44,
    symbol: 'NOT_WIREGUARD',
    name: 'NotWireGuard',
    summary: 'The policy is strict and the datagram does not look like WireGuard.',
    rule: 'strict: only the four shapes of WireGuard messages',
    remedy:
      'If another protocol is meant to be spoken to the endpoint, set `spec.wireGuard.strict: false`. WireGuard variants that use the reserved bytes need that too.',
  },
  {
    number: 45,
    symbol: 'SUPER_FRAME',
    name: 'SuperFrame',
    summary: 'The frame carries several packets for the host to cut (segmentation offload).',
    rule: 'one frame, one packet',
    remedy:
      'Switch UDP segmentation offload off: `host_uso=off` for the network card in QEMU, or `ethtool -K DEVICE tx-udp-segmentation off` at the sender.',
  },
  {
    number: 46,
    symbol: 'CHECKSUM_OFFLOAD',
    name: 'ChecksumOffload',
    summary: 'The frame asks the host to write a checksum somewhere else than into its UDP checksum field.',
    rule: 'a checksum left to the host is the UDP checksum and nothing else',
    remedy:
      'An attack: the host would rewrite the frame after it was judged. Look at what runs in the guest.',
  },
];

const byNumber: ReadonlyMap<number, Reason> = new Map(REASONS.map((reason) => [reason.number, reason]));

/** Undefined for a number that this version does not know, as from a newer filter. */
export function reasonOf(number: number): Reason | undefined {
  return byNumber.get(number);
}

export function reasonName(number: number): string {
  return byNumber.get(number)?.name ?? `Reason${number}`;
}

/** Unknown numbers are drops from 16 on too: new ways to pass would be a new ABI. */
export function isDrop(number: number): boolean {
  return number >= FIRST_DROP;
}

/** One short sentence: the rule that decided. */
export function ruleOf(number: number): string {
  return byNumber.get(number)?.rule ?? 'a rule that this version does not know';
}
