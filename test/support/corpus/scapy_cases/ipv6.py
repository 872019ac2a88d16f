# SPDX-License-Identifier: Apache-2.0
"""IPv6 of every kind (RFC 8200): none while the endpoint is IPv4. Sent to multicast MACs it falls even before."""

from typing import Iterator

from scapy.layers.inet import UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6MLReport2,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    RouterAlert,
)
from scapy.packet import Packet, Raw

from .case import Case
from .cast import (
    ENDPOINT_PORT,
    FROM_VM,
    GUEST_MAC,
    GUEST_PORT,
    KEEP_ALIVE,
    TO_VM,
    bend,
    datagram,
    from_vm,
    link,
    to_vm,
)

HERE, THERE = "2001:db8::5", "2001:db8:1::10"
LINK_LOCAL = "fe80::76:aaff:febb:ccdd"


def cases() -> Iterator[Case]:
    yield from packets()
    yield from neighbours()
    yield from inbound()


def message(payload: Packet, source: str = HERE, destination: str = THERE) -> Packet:
    return IPv6(src=source, dst=destination) / payload


def packets() -> Iterator[Case]:
    udp = UDP(sport=GUEST_PORT, dport=ENDPOINT_PORT) / Raw(KEEP_ALIVE)
    for name, what, frame in (
        ("udp", "A datagram to the endpoint's port. RFC 8200 3", link(FROM_VM, message(udp))),
        (
            "mapped",
            "To the endpoint's IPv4 address as a mapped one. RFC 4291 2.5.5.2",
            link(FROM_VM, message(udp, "::ffff:100.64.0.5", "::ffff:203.0.113.10")),
        ),
        ("echo", "A ping. RFC 4443 4.1", link(FROM_VM, message(ICMPv6EchoRequest()))),
        (
            "hop-by-hop",
            "Hop-by-hop options before the datagram. RFC 8200 4.3",
            link(FROM_VM, message(IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) / udp)),
        ),
        (
            "routing",
            "A type 0 routing header. RFC 8200 4.4; RFC 5095 3",
            link(FROM_VM, message(IPv6ExtHdrRouting(addresses=["2001:db8:2::1"]) / udp)),
        ),
        ("fragment", "A first fragment. RFC 8200 4.5", link(FROM_VM, message(IPv6ExtHdrFragment(m=1, id=1) / udp))),
        ("header-only", "Nothing but the EtherType. RFC 2464 3", bend(datagram(), 12, b"\x86\xdd")[:14]),
        (
            "ipv4-inside",
            "The allowed IPv4 packet under IPv6's EtherType. RFC 2464 3",
            bend(datagram(), 12, b"\x86\xdd"),
        ),
    ):
        ids = "[SB-6] [EB-2]" if name == "udp" else "[SB-6]"
        yield from_vm(f"ipv6-{name}", f"{ids} {what}.", "drop Ipv6", frame)


def neighbours() -> Iterator[Case]:
    own = ICMPv6NDOptSrcLLAddr(lladdr=GUEST_MAC)
    prefix = ICMPv6NDOptPrefixInfo(prefix="2001:db8:6::", prefixlen=64)
    advertisement = message(ICMPv6ND_RA(routerlifetime=1800) / own / prefix, LINK_LOCAL, "ff02::1")
    title = "[SB-6] A router advertisement straight to the gateway's MAC. RFC 4861 4.2."
    yield from_vm("ipv6-router-advertisement-unicast", title, "drop Ipv6", link(FROM_VM, advertisement))
    title = "[SB-6] A neighbour solicitation straight to the gateway's MAC. RFC 4861 4.3; 7.3.1."
    frame = link(FROM_VM, message(ICMPv6ND_NS(tgt="fe80::1") / own, LINK_LOCAL, "fe80::1"))
    yield from_vm("ipv6-neighbour-solicitation-unicast", title, "drop Ipv6", frame)
    report = IPv6ExtHdrHopByHop(options=[RouterAlert()]) / ICMPv6MLReport2()
    for name, what, payload, group in (
        ("router-advertisement", "The guest would be everybody's router. RFC 4861 4.2", advertisement, "01"),
        (
            "duplicate-address-detection",
            "Is my address free? RFC 4862 5.4.2",
            message(ICMPv6ND_NS(tgt=LINK_LOCAL), "::", "ff02::1:ffbb:ccdd"),
            "ff:bb:cc:dd",
        ),
        (
            "neighbour-advertisement",
            "An unasked advertisement: the router is at my MAC. RFC 4861 4.4",
            message(ICMPv6ND_NA(tgt="fe80::1", R=1, O=1), LINK_LOCAL, "ff02::1"),
            "01",
        ),
        ("mld-report", "An MLDv2 report. RFC 3810 5.2", message(report, LINK_LOCAL, "ff02::16"), "16"),
    ):
        mac = ":".join(["33", "33", "00", "00", "00", "00"][: 6 - len(group.split(":"))] + group.split(":"))
        yield from_vm(f"ipv6-{name}", f"[SB-6] [SB-7] {what}.", "drop GroupMac", link(FROM_VM, payload, dst=mac))


def inbound() -> Iterator[Case]:
    udp = UDP(sport=ENDPOINT_PORT, dport=GUEST_PORT) / Raw(KEEP_ALIVE)
    for name, what, payload in (
        ("udp", "[EB-2] A datagram from somewhere in IPv6. RFC 8200 3", message(udp, THERE, HERE)),
        (
            "router-advertisement-unicast",
            "[SB-6] A router advertisement to the guest alone. RFC 4861 4.2",
            message(ICMPv6ND_RA(), "fe80::1", LINK_LOCAL),
        ),
    ):
        yield to_vm(f"ipv6-{name}", f"[SB-10] {what}.", "drop Ipv6", link(TO_VM, payload))
    title = "[SB-10] [SB-6] A router advertisement of the host's. RFC 4861 4.2."
    frame = link(TO_VM, message(ICMPv6ND_RA(), "fe80::1", "ff02::1"), dst="33:33:00:00:00:01")
    yield to_vm("ipv6-router-advertisement", title, "drop GroupMac", frame)
