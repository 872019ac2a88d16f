# SPDX-License-Identifier: Apache-2.0
"""Everything over IPv4 that is not UDP, straight to the endpoint: the wrong protocol even with the right ports."""

from typing import Iterator

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP
from scapy.layers.l2 import GRE
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Packet, Raw

from .case import Case
from .cast import (
    ENDPOINT,
    ENDPOINT_PORT,
    FROM_VM,
    GUEST,
    GUEST_PORT,
    PREVIOUS,
    STRANGER,
    TO_VM,
    Side,
    both,
    datagram,
    from_vm,
    link,
    packet,
    to_vm,
)

# The ports and the length, as UDP would have them: a reader who forgets the protocol finds the allowed datagram.
DISGUISE = Raw(datagram()[34:])


def cases() -> Iterator[Case]:
    yield from tcp()
    yield from icmp()
    yield from tunnels()
    yield from others()


def over_ip(payload: Packet, number: int, side: Side = FROM_VM) -> bytes:
    return link(side, packet(side, payload, proto=number))


def tcp() -> Iterator[Case]:
    title = "[AL-2] [SB-7] [EB-2] TCP SYN to the endpoint's address and port. RFC 9293 3.5."
    yield from both(
        "tcp-syn",
        title,
        "drop Protocol",
        lambda side: over_ip(TCP(sport=side.sport, dport=side.dport, flags="S"), 6, side),
    )
    title = "[AL-2] TCP data to the endpoint's address and port, WireGuard in it. RFC 9293 3.1."
    frame = over_ip(TCP(sport=GUEST_PORT, dport=ENDPOINT_PORT, flags="PA", seq=1, ack=1) / Raw(datagram()[42:]), 6)
    yield from_vm("tcp-data", title, "drop Protocol", frame)
    title = "[SB-10] [AL-2] TCP reset from the endpoint. RFC 9293 3.5.2."
    frame = over_ip(TCP(sport=ENDPOINT_PORT, dport=GUEST_PORT, flags="R"), 6, TO_VM)
    yield to_vm("tcp-reset", title, "drop Protocol", frame)


def icmp() -> Iterator[Case]:
    sent = IP(src=ENDPOINT, dst=GUEST) / UDP(sport=ENDPOINT_PORT, dport=GUEST_PORT)
    for name, what, message in (
        ("echo", "A ping to the endpoint. RFC 792, type 8", ICMP(type=8, id=1, seq=1) / Raw(b"ping")),
        (
            "redirect",
            "Redirect: send by way of me. RFC 792, type 5",
            ICMP(type=5, code=1, gw=GUEST) / IPerror(bytes(sent)[:28]),
        ),
        (
            "unreachable",
            "Port unreachable about a datagram of the endpoint's. RFC 792, type 3",
            ICMP(type=3, code=3) / IPerror(bytes(sent)[:28]),
        ),
    ):
        yield from_vm(f"icmp-{name}", f"[SB-7] {what}.", "drop IcmpToEndpoint", over_ip(message, 1))
    unreachable = ICMP(type=3, code=3) / IPerror(bytes(sent)[:28])
    for name, what, dst, policy, expect in (
        ("to-a-stranger", "Port unreachable for a stranger", STRANGER, "filtered", "drop Protocol"),
        (
            "to-the-previous",
            "Port unreachable for the previous endpoint",
            PREVIOUS,
            "filtered previous=expired",
            "drop IcmpToEndpoint",
        ),
    ):
        frame = link(FROM_VM, packet(FROM_VM, unreachable, dst=dst, proto=1))
        yield from_vm(f"icmp-{name}", f"[SB-7] [FS-4] {what}. RFC 792, type 3.", expect, frame, policy=policy)
    lost = IP(src=GUEST, dst=ENDPOINT) / UDP(sport=GUEST_PORT, dport=ENDPOINT_PORT)
    note = "By design path MTU discovery cannot work either: the tunnel's MTU is chosen to fit."
    for name, what, message, source in (
        ("echo", "A ping from the endpoint. RFC 792, type 8", ICMP(type=8, id=1, seq=1), ENDPOINT),
        (
            "fragmentation-needed",
            "A router on the way: fragmentation needed. RFC 1191 4",
            ICMP(type=3, code=4, nexthopmtu=1280) / IPerror(bytes(lost)[:28]),
            STRANGER,
        ),
        (
            "time-exceeded",
            "A router on the way: time exceeded. RFC 792, type 11",
            ICMP(type=11) / IPerror(bytes(lost)[:28]),
            STRANGER,
        ),
        (
            "router-advertisement",
            "A router advertises itself. RFC 1256 3",
            ICMP(type=9, code=0) / Raw(bytes(8)),
            STRANGER,
        ),
    ):
        frame = link(TO_VM, packet(TO_VM, message, src=source))
        yield to_vm(
            f"icmp-{name}", f"[SB-10] [SB-7] {what}.", "drop Protocol", frame, note=note if "needed" in name else ""
        )


def tunnels() -> Iterator[Case]:
    inner = IP(src=GUEST, dst=STRANGER) / UDP(sport=GUEST_PORT, dport=53)
    for name, what, payload, number in (
        ("ip-in-ip", "A packet to a stranger inside one to the endpoint. RFC 2003 3", inner, 4),
        ("ipv6-in-ip", "IPv6 inside IPv4, 6in4. RFC 4213 3", IPv6(src="2001:db8::5", dst="2001:db8::1"), 41),
        ("gre", "GRE around a packet to a stranger. RFC 2784 2", GRE(proto=0x0800) / inner, 47),
        ("esp", "IPsec ESP. RFC 4303 2", ESP(spi=1, seq=1, data=bytes(32)), 50),
    ):
        yield from_vm(f"protocol-{name}", f"[SB-7] {what}.", "drop Protocol", over_ip(payload, number))
    title = "[SB-10] The endpoint sends a packet inside a packet. RFC 2003 3."
    frame = over_ip(IP(src=STRANGER, dst=GUEST) / UDP(dport=GUEST_PORT), 4, TO_VM)
    yield to_vm("protocol-ip-in-ip", title, "drop Protocol", frame)


def others() -> Iterator[Case]:
    for name, what, payload, number in (
        ("udp-lite", "UDP-Lite with the right ports. RFC 3828 3.1", DISGUISE, 136),
        (
            "sctp",
            "SCTP INIT to the endpoint's port. RFC 9260 3.3.2",
            SCTP(sport=GUEST_PORT, dport=ENDPOINT_PORT) / SCTPChunkInit(init_tag=1),
            132,
        ),
        ("0", "Protocol 0, IPv6's hop-by-hop options, over IPv4. RFC 8200 4.3", DISGUISE, 0),
        ("16", "Protocol 16, one below UDP. RFC 791 3.1", DISGUISE, 16),
        ("18", "Protocol 18, one above UDP. RFC 791 3.1", DISGUISE, 18),
        ("255", "Protocol 255, reserved: raw. RFC 791 3.1", DISGUISE, 255),
    ):
        yield from_vm(f"protocol-{name}", f"[AL-2] {what}.", "drop Protocol", over_ip(payload, number))
