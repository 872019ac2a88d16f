/**
 * Why a frame passed or was dropped: the numbers of native/include/vmn/reason.h with words for people. A test holds the
 * header, this table and docs/drop-reasons.md together. Long because it is one table, and whoever adds a row shall see
 * the others.
 */
export interface Reason {
  /** Stable, never reused: counters, metrics and logs carry it. */
  readonly number: number;
  /** `VMN_REASON_` and this, in C. */
  readonly symbol: string;
  /** What status, metrics and events show. */
  readonly name: string;
  /** The value of the label `reason` in metrics; as stable as the number. */
  readonly metric: string;
  /**
   * A drop that means that somebody in the guest tries to be, or to reach, what it may not. Others are what any decent
   * guest causes: what systems say into the wild by themselves, what somebody else did, and sending too much.
   */
  readonly violation: boolean;
  /** What the frame is. */
  readonly summary: string;
  /** The rule that decided, as the end of "because". */
  readonly rule: string;
  /** What this looks like from inside. */
  readonly guestSees: string;
  /** What the operator should do. */
  readonly remedy: string;
}

export const REASONS = [
  {
    number: 0,
    symbol: 'ALLOWED',
    name: 'Allowed',
    metric: 'allowed',
    violation: false,
    summary: 'The frame is a datagram between the guest and the endpoint of its policy.',
    rule: 'UDP between the pinned guest and the endpoint in force passes',
    guestSees: 'The datagram goes through.',
    remedy: 'Nothing.',
  },
  {
    number: 1,
    symbol: 'ALLOWED_PREVIOUS',
    name: 'AllowedPreviousEndpoint',
    metric: 'allowed_previous',
    violation: false,
    summary:
      'The frame is a datagram between the guest and its previous endpoint, which is still within its grace.',
    rule: 'UDP with the previous endpoint passes until its grace ends',
    guestSees: 'The datagram goes through, until `endpointGraceSeconds` after the change have passed.',
    remedy: 'Nothing. Shorten `spec.endpointGraceSeconds` if the previous endpoint must go at once.',
  },
  {
    number: 2,
    symbol: 'ARP_ANSWERED',
    name: 'ArpAnswered',
    metric: 'arp_answered',
    violation: false,
    summary:
      'The guest asked for the gateway and the filter itself answered; towards the VM: the answer went out.',
    rule: 'a request for the gateway from the pinned MAC and address is answered by the filter',
    guestSees: "It learns the gateway's MAC.",
    remedy: 'Nothing.',
  },
  {
    number: 3,
    symbol: 'ALLOWED_FLOW',
    name: 'AllowedFlow',
    metric: 'allowed_flow',
    violation: false,
    summary: 'Mode Conntrack: the frame belongs to a flow whose first frame was judged in full and allowed.',
    rule: 'a later frame of an allowed flow passes as part of it',
    guestSees: 'The datagram goes through.',
    remedy: 'Nothing.',
  },
  {
    number: 4,
    symbol: 'ALLOWED_UNSAMPLED',
    name: 'AllowedUnsampled',
    metric: 'allowed_unsampled',
    violation: false,
    summary:
      "Mode Sampled: the frame is the guest's own, or for it, and was not among those drawn to be judged in full.",
    rule: 'a frame that is not drawn passes when it is who it says it is',
    guestSees: 'The packet goes through, wherever it is going.',
    remedy:
      'Nothing. Raise `spec.sampling.ratePerMillion` to look at more, or choose mode `Filtered` to look at all.',
  },
  {
    number: 5,
    symbol: 'ALLOWED_DIRECT',
    name: 'AllowedDirect',
    metric: 'allowed_direct',
    violation: false,
    summary:
      "Mode Direct: the frame is the guest's own, or for it, and the other side lies in no denied network.",
    rule: 'mode Direct: a frame passes when it is who it says it is and talks to no denied network',
    guestSees: 'The packet goes through, wherever it is going.',
    remedy: 'Nothing. Choose mode `Filtered` for a VM that shall talk to its endpoint alone.',
  },
  {
    number: 16,
    symbol: 'NO_POLICY',
    name: 'NoPolicy',
    metric: 'no_policy',
    violation: false,
    summary: 'No policy is in force for this VM.',
    rule: 'without a policy nothing passes',
    guestSees: 'No network at all: its ARP requests for the gateway stay unanswered.',
    remedy:
      'See `vmnetctl status`: no VMNetwork names this VM, its manifest was refused, or no agent has run since the VM started.',
  },
  {
    number: 17,
    symbol: 'POLICY_ABI',
    name: 'PolicyAbi',
    metric: 'policy_abi',
    violation: false,
    summary:
      'The policy was written for another version of the filter, or says something that this version does not know.',
    rule: 'a policy of another version, mode, flag or limit lets nothing pass',
    guestSees: 'No network at all.',
    remedy:
      'Agent and filter do not match: restart the agent, it replaces both. Nothing else may write to the policy maps.',
  },
  {
    number: 18,
    symbol: 'QUARANTINED',
    name: 'Quarantined',
    metric: 'quarantined',
    violation: false,
    summary: 'The VM is quarantined.',
    rule: 'a quarantined VM exchanges nothing with anybody',
    guestSees: 'No network at all.',
    remedy:
      'Intended: by `spec.desiredState: Quarantined`, or by violations (`spec.violation.action`). To let the VM speak again set `spec.desiredState` to `Active`; after violations, to `Quarantined` and back.',
  },
  {
    number: 19,
    symbol: 'FRAME_TOO_SHORT',
    name: 'FrameTooShort',
    metric: 'frame_too_short',
    violation: false,
    summary: 'The frame ends before its Ethernet or IPv4 header does.',
    rule: 'a frame holds its Ethernet header, and an IPv4 header when it says so',
    guestSees: 'The frame is lost.',
    remedy:
      'No ordinary software sends this. Look at what runs in the guest; towards the VM, at what sends on the tap from the host.',
  },
  {
    number: 20,
    symbol: 'SOURCE_MAC',
    name: 'SourceMac',
    metric: 'source_mac',
    violation: true,
    summary: "The source MAC is not the pinned one: from the VM the guest's, towards it the gateway's.",
    rule: 'the source MAC is the pinned one',
    guestSees:
      'Nothing it sends from that MAC arrives. A container or nested VM that is bridged to its network card is cut off.',
    remedy:
      'From the VM: the guest changed its MAC, bridges, or spoofs; start it with the MAC that `vmnetctl status` shows. To the VM: something on the host sends on the tap past the routing table; find and stop it.',
  },
  {
    number: 21,
    symbol: 'DESTINATION_MAC',
    name: 'DestinationMac',
    metric: 'destination_mac',
    violation: true,
    summary: "The destination MAC is not the pinned one: from the VM the gateway's, towards it the guest's.",
    rule: 'the destination MAC is the pinned one',
    guestSees: 'The frame is lost.',
    remedy:
      "From the VM: a wrong static neighbour in the guest; its only neighbour is the gateway. To the VM: the host's neighbour entry for the guest was changed; the agent restores it.",
  },
  {
    number: 22,
    symbol: 'GROUP_MAC',
    name: 'GroupMac',
    metric: 'group_mac',
    violation: false,
    summary: 'The frame is a broadcast or multicast that is not an ARP request.',
    rule: 'no broadcast or multicast but ARP',
    guestSees: 'No DHCP, mDNS, neighbour discovery or LLDP. Its address is static.',
    remedy:
      'Expected in small numbers from any guest. Switch the chatty service off in the guest if the count disturbs.',
  },
  {
    number: 23,
    symbol: 'VLAN',
    name: 'Vlan',
    metric: 'vlan',
    violation: true,
    summary: 'The frame carries a VLAN tag.',
    rule: 'no VLAN tags',
    guestSees: 'The frame is lost.',
    remedy: 'Remove the VLAN interface in the guest.',
  },
  {
    number: 24,
    symbol: 'ETHERTYPE',
    name: 'EtherType',
    metric: 'ethertype',
    violation: false,
    summary: 'The frame is neither IPv4 nor ARP nor IPv6, or an 802.3 frame with a length.',
    rule: 'only IPv4 and ARP',
    guestSees: 'The frame is lost.',
    remedy: 'Switch off what sends it in the guest (LLDP, spanning tree, PPPoE, …).',
  },
  {
    number: 25,
    symbol: 'ARP_MALFORMED',
    name: 'ArpMalformed',
    metric: 'arp_malformed',
    violation: true,
    summary:
      'An ARP packet is too short, not about Ethernet and IPv4, of an unknown operation, or asks for offloads.',
    rule: 'ARP is whole, and about Ethernet and IPv4',
    guestSees: 'The request stays unanswered.',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 26,
    symbol: 'ARP_SPOOFED',
    name: 'ArpSpoofed',
    metric: 'arp_spoofed',
    violation: true,
    summary: 'An ARP packet names a sender that is not the pinned MAC and address.',
    rule: 'ARP names the pinned MAC and address as its sender',
    guestSees:
      'The request stays unanswered. Duplicate address detection (sender 0.0.0.0) hears nothing, which it takes as free.',
    remedy:
      'The guest has another address than `vmnetctl status` shows, or spoofs. Configure the address it was given.',
  },
  {
    number: 27,
    symbol: 'ARP_NOT_GATEWAY',
    name: 'ArpNotGateway',
    metric: 'arp_not_gateway',
    violation: false,
    summary:
      'An ARP packet is not a request for the gateway: another target, a probe, a gratuitous announcement or a reply.',
    rule: 'the gateway is all that may be asked for',
    guestSees: 'The request stays unanswered; announcements reach nobody.',
    remedy:
      'Announcements are expected. For anything else: the guest believes in neighbours; its address is a /32 with the gateway on-link.',
  },
  {
    number: 28,
    symbol: 'ARP_FROM_HOST',
    name: 'ArpFromHost',
    metric: 'arp_from_host',
    violation: false,
    summary: "ARP from the host's side that is not the filter's own answer.",
    rule: "towards the VM only the filter's own ARP answer passes",
    guestSees: "It never hears the host's ARP.",
    remedy:
      'Harmless in small numbers. If it grows, the permanent neighbour entry on the tap is missing; the agent restores it.',
  },
  {
    number: 29,
    symbol: 'IPV6',
    name: 'Ipv6',
    metric: 'ipv6',
    violation: false,
    summary: 'The frame is IPv6, and the endpoint is IPv4.',
    rule: 'no IPv6 while the endpoint is IPv4',
    guestSees: 'No IPv6 of any kind.',
    remedy: 'Nothing, or switch IPv6 off in the guest.',
  },
  {
    number: 30,
    symbol: 'IP_VERSION',
    name: 'IpVersion',
    metric: 'ip_version',
    violation: true,
    summary: 'The frame says IPv4 and its header says another version.',
    rule: 'an IPv4 header says version 4',
    guestSees: 'The frame is lost.',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 31,
    symbol: 'IP_HEADER_LENGTH',
    name: 'IpHeaderLength',
    metric: 'ip_header_length',
    violation: true,
    summary: 'The IPv4 header claims under 20 bytes, or more than the frame holds.',
    rule: 'an IPv4 header has 20 bytes or more and ends within the frame',
    guestSees: 'The frame is lost.',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 32,
    symbol: 'IP_OPTIONS',
    name: 'IpOptions',
    metric: 'ip_options',
    violation: true,
    summary: 'The IPv4 header has options, such as a source route.',
    rule: 'no IPv4 options',
    guestSees: 'The frame is lost.',
    remedy: 'Stop what sends options (`ping -R`, multicast routing, an attack by source route).',
  },
  {
    number: 33,
    symbol: 'IP_TOTAL_LENGTH',
    name: 'IpTotalLength',
    metric: 'ip_total_length',
    violation: true,
    summary: 'The IPv4 total length is shorter than the header or longer than the frame.',
    rule: 'the IPv4 total length fits header and frame',
    guestSees: 'The frame is lost.',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 34,
    symbol: 'IP_FRAGMENT',
    name: 'IpFragment',
    metric: 'ip_fragment',
    violation: true,
    summary: 'The packet is a fragment, or sets the bit that must be zero.',
    rule: 'no fragments: a later one has no ports to judge by',
    guestSees: 'Datagrams that do not fit the MTU are lost.',
    remedy:
      'Lower the MTU of the tunnel in the guest or at the consumer (1420 fits 1500), so that nobody fragments.',
  },
  {
    number: 35,
    symbol: 'IP_CHECKSUM',
    name: 'IpChecksum',
    metric: 'ip_checksum',
    violation: true,
    summary: 'The IPv4 header checksum is wrong.',
    rule: 'the IPv4 header checksum is right',
    guestSees: 'The frame is lost.',
    remedy: 'A broken or hand-made network stack. Look at what runs in the guest.',
  },
  {
    number: 36,
    symbol: 'IP_TTL',
    name: 'IpTtl',
    metric: 'ip_ttl',
    violation: false,
    summary: 'The time to live is 0.',
    rule: 'the time to live is not 0',
    guestSees: 'The frame is lost.',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 37,
    symbol: 'SOURCE_ADDRESS',
    name: 'SourceAddress',
    metric: 'source_address',
    violation: true,
    summary:
      "From the VM: the source is not the guest's pinned address. To the VM: it is not the endpoint's.",
    rule: "the source address is the guest's, and towards the VM the endpoint's",
    guestSees:
      'From the VM: what it sends under that address is lost. To the VM: nobody but the endpoint reaches it.',
    remedy:
      'From the VM: the guest has another address or spoofs; configure the one that `vmnetctl status` shows. To the VM: expected when others try; if it is the consumer, set `spec.consumerEndpoint` to the address it really sends from.',
  },
  {
    number: 38,
    symbol: 'PROTOCOL',
    name: 'Protocol',
    metric: 'protocol',
    violation: true,
    summary: 'The packet is not UDP.',
    rule: 'only UDP',
    guestSees: 'No TCP, no ping, nothing but UDP.',
    remedy:
      'Expected when the guest tries anything outside its tunnel. Inside the tunnel all protocols work.',
  },
  {
    number: 39,
    symbol: 'UDP_LENGTH',
    name: 'UdpLength',
    metric: 'udp_length',
    violation: true,
    summary: 'The UDP header is cut off, or its length is not that of the packet.',
    rule: 'the UDP length is that of the packet',
    guestSees: 'The datagram is lost.',
    remedy: 'No ordinary software sends this. Look at what runs in the guest.',
  },
  {
    number: 40,
    symbol: 'DESTINATION_ADDRESS',
    name: 'DestinationAddress',
    metric: 'destination_address',
    violation: true,
    summary: 'From the VM: the destination is not the endpoint. To the VM: it is not the guest.',
    rule: "the destination address is the endpoint's, and towards the VM the guest's",
    guestSees: 'No internet, no DNS, no host, no neighbour, no metadata server; nothing comes back.',
    remedy:
      'Expected when the guest tries to get out. If it is the consumer it wants to reach, set `spec.consumerEndpoint`.',
  },
  {
    number: 41,
    symbol: 'DESTINATION_PORT',
    name: 'DestinationPort',
    metric: 'destination_port',
    violation: true,
    summary: "From the VM: the endpoint's address with another port. To the VM: port 0.",
    rule: "the destination port is the endpoint's, and never 0",
    guestSees: 'The datagram is lost; nothing comes back.',
    remedy: 'If the consumer listens on that port, set `spec.consumerEndpoint.port`.',
  },
  {
    number: 42,
    symbol: 'PREVIOUS_EXPIRED',
    name: 'PreviousEndpointExpired',
    metric: 'previous_expired',
    violation: false,
    summary: 'The frame is for or from the previous endpoint, whose grace is over.',
    rule: 'the previous endpoint is refused once its grace is over',
    guestSees: 'The old tunnel goes dead; the guest must speak to the new endpoint.',
    remedy: 'Give the guest the new endpoint. Raise `spec.endpointGraceSeconds` if changes need more time.',
  },
  {
    number: 43,
    symbol: 'SOURCE_PORT',
    name: 'SourcePort',
    metric: 'source_port',
    violation: true,
    summary:
      "From the VM: source port 0, which nobody could answer. To the VM: the endpoint's address with another port.",
    rule: "the source port is not 0, and towards the VM the endpoint's",
    guestSees:
      "From the VM: the datagram is lost. To the VM: it never sees other ports of the endpoint's machine.",
    remedy: 'To the VM: if it is the consumer, set `spec.consumerEndpoint.port` to the port it sends from.',
  },
  {
    number: 44,
    symbol: 'NOT_WIREGUARD',
    name: 'NotWireGuard',
    metric: 'not_wireguard',
    violation: true,
    summary: 'The policy is strict and the datagram does not look like WireGuard.',
    rule: 'strict: only the four shapes of WireGuard messages',
    guestSees: 'Only WireGuard works with the endpoint.',
    remedy:
      'If another protocol is meant to be spoken to the endpoint, set `spec.wireGuard.strict: false`. WireGuard variants that use the reserved bytes need that too.',
  },
  {
    number: 45,
    symbol: 'SUPER_FRAME',
    name: 'SuperFrame',
    metric: 'super_frame',
    violation: false,
    summary:
      'The frame carries several packets for the host to cut (segmentation offload) that cannot be judged: not datagrams, more than 128, or lengths that do not add up.',
    rule: 'several packets in one frame are at most 128 datagrams that fill it exactly',
    guestSees: 'Large sends of that kind are lost.',
    remedy:
      'Switch the offload off for the network card: `host_ufo=off` in QEMU, or `ethtool -K DEVICE tx-udp-segmentation off` at the sender.',
  },
  {
    number: 46,
    symbol: 'CHECKSUM_OFFLOAD',
    name: 'ChecksumOffload',
    metric: 'checksum_offload',
    violation: true,
    summary:
      'The frame asks the host to write a checksum somewhere else than into the checksum field of its UDP or TCP header.',
    rule: "a checksum left to the host is the UDP or TCP header's own and nothing else",
    guestSees: 'The frame is lost.',
    remedy:
      'An attack: the host would rewrite the frame after it was judged. Look at what runs in the guest.',
  },
  {
    number: 47,
    symbol: 'PACKET_TOO_BIG',
    name: 'PacketTooBig',
    metric: 'packet_too_big',
    violation: false,
    summary: "A packet is longer than the MTU of the VM's tap.",
    rule: 'no packet is longer than the MTU of its tap, cut out of a larger frame or not',
    guestSees: 'Large packets are lost while small ones go through: what starts well then hangs.',
    remedy: "Set the MTU of the guest's network card to 1500 or less, and that of the tunnel to 1420.",
  },
  {
    number: 48,
    symbol: 'BIT_RATE',
    name: 'BitRate',
    metric: 'bit_rate',
    violation: false,
    summary: 'The VM has sent as many bits as its limit lets it.',
    rule: 'no more bits a second than the limit',
    guestSees:
      'Part of what it sends is lost, so that its tunnel slows down to the limit. What it receives has no limit.',
    remedy:
      'Intended: `spec.limits.egressBitsPerSecond`. Raise it, within what the class allows, if the VM shall send more.',
  },
  {
    number: 49,
    symbol: 'PACKET_RATE',
    name: 'PacketRate',
    metric: 'packet_rate',
    violation: false,
    summary: 'The VM has sent as many packets as its limit lets it.',
    rule: 'no more packets a second than the limit',
    guestSees: 'Part of what it sends is lost, whatever its size. What it receives has no limit.',
    remedy:
      'Intended: `spec.limits.packetsPerSecond`. Raise it, within what the class allows, if the VM shall send more.',
  },
  {
    number: 50,
    symbol: 'ICMP_TO_ENDPOINT',
    name: 'IcmpToEndpoint',
    metric: 'icmp_to_endpoint',
    violation: false,
    summary:
      "From the VM: ICMP for the address of the endpoint or of the previous one, such as the guest kernel's answer to a datagram for a closed port.",
    rule: 'only UDP; that the guest answers the endpoint by ICMP may be the doing of the endpoint',
    guestSees: 'No ping of the endpoint outside the tunnel; nothing comes back.',
    remedy:
      'Expected when the endpoint speaks to a port at which nothing listens in the guest. Inside the tunnel ICMP works.',
  },
  {
    number: 51,
    symbol: 'DENIED_NETWORK',
    name: 'DeniedNetwork',
    metric: 'denied_network',
    violation: true,
    summary:
      "Mode Direct: from the VM, the destination lies in a network that the class, or every class, denies, or is another guest's or the host's; to the VM, the source does.",
    rule: 'mode Direct: neither to nor from a denied network',
    guestSees:
      'No neighbour, no host, no metadata server, no multicast, nothing of the cluster; nothing comes back.',
    remedy:
      'Intended: `spec.deniedDestinations` of the VMNetworkClass, the ranges of the cluster in its status, and what no class allows.',
  },
] as const satisfies readonly Reason[];

export type ReasonName = (typeof REASONS)[number]['name'];
