# SPDX-License-Identifier: Apache-2.0
"""Frames that break two rules at once: the one tried first names the reason, the same in every engine."""

from typing import Iterator

from scapy.layers.inet import TCP

from .arp import answer, request
from .case import Case
from .cast import (
    FROM_VM,
    NEIGHBOUR,
    NEIGHBOUR_MAC,
    PREVIOUS,
    PREVIOUS_PORT,
    STRANGER,
    STRANGER_MAC,
    TO_VM,
    bend,
    datagram,
    from_vm,
    link,
    packet,
    to_vm,
)
from .wireguard import of

NO_WIREGUARD = of(5, 32)


def cases() -> Iterator[Case]:
    yield from from_outside_in()
    yield from towards_the_vm()


def from_outside_in() -> Iterator[Case]:
    yield from link_rules()
    yield from ipv4_rules()
    yield from destination_rules()


def link_rules() -> Iterator[Case]:
    wrong_macs = datagram(ether={"src": STRANGER_MAC, "dst": NEIGHBOUR_MAC})
    yield two("source-mac-and-destination-mac", "both MACs. IEEE 802.3 3.2.4", "SourceMac", wrong_macs)
    frame = datagram(ether={"dst": NEIGHBOUR_MAC})
    yield two(
        "destination-mac-and-vlan",
        "the destination MAC and a tag. IEEE 802.1Q 9.6",
        "DestinationMac",
        frame,
        vlan=True,
    )
    frame = datagram(ether={"dst": "01:00:5e:00:00:fb"})
    yield two("group-mac-and-vlan", "a multicast MAC and a tag. IEEE 802.1Q 9.6", "GroupMac", frame, vlan=True)
    yield two("vlan-and-arp", "a tag and a spoofed ARP sender. RFC 826", "Vlan", request(psrc=NEIGHBOUR), vlan=True)
    frame = bend(datagram(), 12, b"\x86\xdd")
    yield two("vlan-and-ipv6", "a tag and IPv6. RFC 8200 3", "Vlan", frame, vlan=True)
    frame = bend(datagram(), 12, b"\x88\xcc")
    yield two("vlan-and-ethertype", "a tag and an unknown EtherType. IEEE 802.1Q 9.6", "Vlan", frame, vlan=True)
    frame = bend(request(psrc=NEIGHBOUR), 14, b"\0\6")
    yield two("arp-malformed-and-spoofed", "ARP's hardware type and its sender. RFC 826", "ArpMalformed", frame)
    frame = request(psrc=NEIGHBOUR, pdst=STRANGER)
    yield two("arp-spoofed-and-not-gateway", "ARP's sender and its target. RFC 826", "ArpSpoofed", frame)


def ipv4_rules() -> Iterator[Case]:
    for name, what, reason, frame, policy in (
        (
            "short-and-version",
            "33 bytes and IP version 6",
            "FrameTooShort",
            datagram(ip={"version": 6})[:33],
            "filtered",
        ),
        (
            "version-and-header-length",
            "version and header length",
            "IpVersion",
            datagram(ip={"version": 6, "ihl": 4}),
            "filtered",
        ),
        (
            "header-length-and-total-length",
            "both lengths",
            "IpHeaderLength",
            datagram(ip={"ihl": 4, "len": 0}),
            "filtered",
        ),
        (
            "options-and-total-length",
            "options and the total length",
            "IpOptions",
            datagram(ip={"ihl": 6, "len": 0}),
            "filtered",
        ),
        (
            "total-length-and-fragment",
            "total length and fragment",
            "IpTotalLength",
            datagram(ip={"len": 999, "flags": "MF"}),
            "filtered",
        ),
        (
            "fragment-and-checksum",
            "fragment and checksum",
            "IpFragment",
            datagram(ip={"frag": 1, "chksum": 1}),
            "filtered",
        ),
        (
            "checksum-and-ttl",
            "checksum and time to live",
            "IpChecksum",
            datagram(ip={"ttl": 0, "chksum": 1}),
            "filtered",
        ),
        (
            "ttl-and-size",
            "time to live and size",
            "IpTtl",
            datagram(payload=bytes(1473), ip={"ttl": 0}),
            "filtered max-packet=1500",
        ),
        (
            "size-and-source",
            "size and source",
            "PacketTooBig",
            datagram(payload=bytes(1473), ip={"src": STRANGER}),
            "filtered max-packet=1500",
        ),
        (
            "source-and-protocol",
            "source and protocol",
            "SourceAddress",
            link(FROM_VM, packet(FROM_VM, TCP(dport=80), src=NEIGHBOUR)),
            "filtered",
        ),
    ):
        yield two(name, f"{what}. RFC 791 3.1", reason, frame, policy=policy)


def destination_rules() -> Iterator[Case]:
    tcp = link(FROM_VM, packet(FROM_VM, TCP(dport=80)))
    yield two(
        "protocol-and-checksum-offload", "protocol and a checksum's place. RFC 768", "Protocol", tcp, checksum_at=40
    )
    frame = datagram(udp={"len": 8})
    yield two(
        "udp-length-and-checksum-offload",
        "UDP length and a checksum's place. RFC 768",
        "UdpLength",
        frame,
        checksum_at=24,
    )
    frame = datagram(payload=bytes(2944))
    yield two(
        "checksum-offload-and-super-frame",
        "a checksum's place and segmentation of another kind. RFC 768",
        "ChecksumOffload",
        frame,
        checksum_at=24,
        super_frame=True,
    )
    frame = datagram(payload=bytes(4128), ip={"dst": STRANGER})
    yield two("super-frame-and-destination", "129 segments and a stranger. RFC 768", "SuperFrame", frame, segments=32)
    for name, what, reason, frame, policy in (
        (
            "destination-address-and-port",
            "address and port",
            "DestinationAddress",
            datagram(ip={"dst": STRANGER}, udp={"dport": 53}),
            "filtered",
        ),
        (
            "destination-port-and-source-port",
            "both ports",
            "DestinationPort",
            datagram(udp={"sport": 0, "dport": 53}),
            "filtered",
        ),
        (
            "previous-expired-and-source-port",
            "the previous endpoint's grace and the source port",
            "PreviousEndpointExpired",
            datagram(ip={"dst": PREVIOUS}, udp={"dport": PREVIOUS_PORT, "sport": 0}),
            "filtered previous=expired",
        ),
        (
            "source-port-and-shape",
            "the source port and WireGuard's shape",
            "SourcePort",
            datagram(payload=NO_WIREGUARD, udp={"sport": 0}),
            "filtered strict",
        ),
        (
            "destination-and-shape",
            "the destination and WireGuard's shape",
            "DestinationAddress",
            datagram(payload=NO_WIREGUARD, ip={"dst": STRANGER}),
            "filtered strict",
        ),
    ):
        yield two(name, f"{what}. RFC 768", reason, frame, policy=policy)


def towards_the_vm() -> Iterator[Case]:
    for name, what, reason, frame, policy in (
        (
            "source-mac-and-destination-mac",
            "both MACs. IEEE 802.3 3.2.4",
            "SourceMac",
            datagram(TO_VM, ether={"src": STRANGER_MAC, "dst": NEIGHBOUR_MAC}),
            "filtered",
        ),
        (
            "protocol-and-source",
            "protocol and source. RFC 791 3.1",
            "Protocol",
            link(TO_VM, packet(TO_VM, TCP(dport=22), src=STRANGER)),
            "filtered",
        ),
        (
            "udp-length-and-source",
            "UDP length and source. RFC 768",
            "UdpLength",
            datagram(TO_VM, ip={"src": STRANGER}, udp={"len": 8}),
            "filtered",
        ),
        (
            "source-and-destination",
            "both addresses. RFC 791 3.1",
            "SourceAddress",
            datagram(TO_VM, ip={"src": STRANGER, "dst": NEIGHBOUR}),
            "filtered",
        ),
        (
            "source-port-and-destination",
            "source port and destination. RFC 768",
            "SourcePort",
            datagram(TO_VM, ip={"dst": NEIGHBOUR}, udp={"sport": 53}),
            "filtered",
        ),
        (
            "previous-expired-and-destination",
            "the previous endpoint's grace and the destination. RFC 768",
            "PreviousEndpointExpired",
            datagram(TO_VM, ip={"src": PREVIOUS, "dst": NEIGHBOUR}, udp={"sport": PREVIOUS_PORT}),
            "filtered previous=expired",
        ),
        (
            "previous-alive-and-destination",
            "the previous endpoint, which is right, to another VM and port 0. RFC 768",
            "DestinationAddress",
            datagram(TO_VM, ip={"src": PREVIOUS, "dst": NEIGHBOUR}, udp={"sport": PREVIOUS_PORT, "dport": 0}),
            "filtered previous=alive",
        ),
        (
            "destination-port-and-shape",
            "port 0 and WireGuard's shape. WireGuard 5.4",
            "DestinationPort",
            datagram(TO_VM, NO_WIREGUARD, udp={"dport": 0}),
            "filtered strict",
        ),
    ):
        title = f"[SB-10] [EB-6] Two rules at once: {what}."
        yield to_vm(f"two-wrongs-{name}", title, f"drop {reason}", frame, policy=policy)
    title = "[SB-10] [EB-6] Two rules at once: a tag and the host's ARP. RFC 826."
    yield to_vm("two-wrongs-vlan-and-arp", title, "drop Vlan", answer(), vlan=True)


def two(name: str, what: str, reason: str, frame: bytes, **circumstances: object) -> Case:
    return from_vm(
        f"two-wrongs-{name}", f"[EB-6] Two rules at once: {what}.", f"drop {reason}", frame, **circumstances
    )
