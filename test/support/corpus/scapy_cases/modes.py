# SPDX-License-Identifier: Apache-2.0
"""
The same frames under the other modes. Identity rules (who the guest is, and that the frame is one sound packet) hold in
each of them; destination rules (whom it talks to) are looked at for drawn frames only, and counted only under Audit.
"""

from typing import Iterator, NamedTuple

from scapy.layers.inet import TCP
from scapy.packet import Raw

from .arp import answer, request
from .case import Case
from .cast import (
    FROM_VM,
    KEEP_ALIVE,
    NEIGHBOUR,
    NEIGHBOUR_MAC,
    PREVIOUS,
    PREVIOUS_PORT,
    STRANGER,
    TO_VM,
    datagram,
    from_vm,
    link,
    packet,
    to_vm,
)
from .wireguard import of, transport

PREVIOUS_OUT = datagram(FROM_VM, ip={"dst": PREVIOUS}, udp={"dport": PREVIOUS_PORT})
SYN = link(FROM_VM, packet(FROM_VM, TCP(sport=40000, dport=443, flags="S"), dst=STRANGER))


class Wrong(NamedTuple):
    """A frame that breaks one rule."""

    name: str
    what: str
    reason: str
    frame: bytes
    words: str = ""
    super_frame: bool = False


# Destination rules, from the VM.
TALKS_WRONGLY = (
    Wrong("tcp-to-a-stranger", "TCP to a stranger. RFC 9293 3.5", "Protocol", SYN),
    Wrong("udp-length", "A UDP length of one too few. RFC 768", "UdpLength", datagram(udp={"len": 39})),
    Wrong("destination-address", "A stranger. RFC 768", "DestinationAddress", datagram(ip={"dst": STRANGER})),
    Wrong(
        "destination-port", "Another port of the endpoint. RFC 768", "DestinationPort", datagram(udp={"dport": 53})
    ),
    Wrong(
        "previous-expired",
        "The previous endpoint after its grace. RFC 768",
        "PreviousEndpointExpired",
        PREVIOUS_OUT,
        " previous=expired",
    ),
    Wrong("source-port-0", "Source port 0. RFC 768", "SourcePort", datagram(udp={"sport": 0})),
    Wrong(
        "not-wireguard", "No WireGuard, strict. WireGuard 5.4", "NotWireGuard", datagram(payload=of(5, 32)), " strict"
    ),
)

# Identity rules, from the VM; the frames would go to a stranger besides, so that only these rules can stop them.
IS_WRONG = (
    Wrong(
        "super-frame",
        "Segmentation of another kind: it becomes fragments. virtio 1.2 5.1.6.2",
        "SuperFrame",
        datagram(payload=bytes(2944)),
        super_frame=True,
    ),
    Wrong(
        "source-mac",
        "A spoofed MAC. IEEE 802.3 3.2.5",
        "SourceMac",
        datagram(ether={"src": NEIGHBOUR_MAC}, ip={"dst": STRANGER}),
    ),
    Wrong("arp-spoofed", "ARP in a neighbour's name. RFC 826", "ArpSpoofed", request(psrc=NEIGHBOUR)),
    Wrong("ipv6", "IPv6. RFC 8200 3", "Ipv6", link(FROM_VM, Raw(b"\x60" + bytes(39)), type=0x86DD)),
    Wrong("options", "An IPv4 option. RFC 791 3.1", "IpOptions", datagram(ip={"ihl": 6, "dst": STRANGER})),
    Wrong("fragment", "A fragment. RFC 791 3.2", "IpFragment", datagram(ip={"flags": "MF", "dst": STRANGER})),
    Wrong(
        "too-big",
        "A packet of 1501 bytes. RFC 894",
        "PacketTooBig",
        datagram(payload=bytes(1473), ip={"dst": STRANGER}),
        " max-packet=1500",
    ),
    Wrong(
        "source-address",
        "A spoofed address. RFC 2827 3",
        "SourceAddress",
        datagram(ip={"src": NEIGHBOUR, "dst": STRANGER}),
    ),
)


def cases() -> Iterator[Case]:
    yield from destination_rules()
    yield from identity_rules()
    yield from right_frames()
    yield from conntrack()
    yield from choices()


def destination_rules() -> Iterator[Case]:
    for wrong in TALKS_WRONGLY:
        for mode, expect, how, ids in (
            ("filtered audit", f"allow {wrong.reason} audited", "Audit counts it and lets it pass", "[FS-4]"),
            ("sampled=0", "allow AllowedUnsampled", "Not drawn, so nobody looks", "[FS-3]"),
        ):
            name = f"{'audit' if 'audit' in mode else 'unsampled'}-{wrong.name}"
            yield from_vm(name, _sentence(ids, how, wrong.what), expect, wrong.frame, policy=mode + wrong.words)
    for wrong in (TALKS_WRONGLY[0], TALKS_WRONGLY[2], TALKS_WRONGLY[6]):
        title = _sentence("[FS-3]", "Drawn, so it is judged in full", wrong.what)
        yield from_vm(
            f"sampled-{wrong.name}",
            title,
            f"drop {wrong.reason}",
            wrong.frame,
            policy="sampled=1000000" + wrong.words,
        )


def _sentence(ids: str, how: str, what: str) -> str:
    return f"{ids} {how}. {what}."


def identity_rules() -> Iterator[Case]:
    for wrong in IS_WRONG:
        for mode, how, ids in (
            ("filtered audit", "Audit does not forgive it", "[FS-4]"),
            ("sampled=0", "Not drawn, and dropped all the same", "[FS-3]"),
        ):
            name = f"{'audit' if 'audit' in mode else 'unsampled'}-{wrong.name}"
            title = _sentence(ids, how, wrong.what)
            circumstances = {"super_frame": True} if wrong.super_frame else {}
            policy = mode + wrong.words
            yield from_vm(name, title, f"drop {wrong.reason}", wrong.frame, policy=policy, **circumstances)


def right_frames() -> Iterator[Case]:
    for mode, name, expect in (
        ("conntrack", "conntrack", "allow Allowed"),
        ("sampled=1000000", "sampled", "allow Allowed"),
        ("sampled=0", "unsampled", "allow AllowedUnsampled"),
        ("filtered audit", "audit", "allow Allowed"),
    ):
        ids = {"conntrack": "[FS-2]", "audit": "[FS-4]"}.get(name, "[FS-3]")
        ids = f"{ids} [EB-2]" if name == "unsampled" else ids
        title = f"{ids} The allowed datagram in mode {mode}. RFC 768."
        yield from_vm(f"{name}-allowed", title, expect, datagram(), policy=mode)
        yield to_vm(f"{name}-allowed", f"[SB-10] {title}", expect, datagram(TO_VM), policy=mode)
    title = "[FS-3] ARP for the gateway is answered, drawn or not. RFC 826."
    yield from_vm("unsampled-arp-request", title, "reply ArpAnswered", request(), policy="sampled=0")
    title = "[FS-3] The filter's own answer goes out, drawn or not. RFC 826."
    yield to_vm(
        "unsampled-arp-answer", f"[SB-10] {title}", "allow ArpAnswered", answer(), policy="sampled=0", answer=True
    )
    title = "[FS-3] Drawn: the previous endpoint within its grace. RFC 768."
    yield from_vm(
        "sampled-previous-alive",
        title,
        "allow AllowedPreviousEndpoint",
        PREVIOUS_OUT,
        policy="sampled=1000000 previous=alive",
    )
    title = "[FS-4] Audit has nothing to forgive: the previous endpoint within its grace. RFC 768."
    yield from_vm(
        "audit-previous-alive",
        title,
        "allow AllowedPreviousEndpoint",
        PREVIOUS_OUT,
        policy="filtered audit previous=alive",
    )
    title = "[FS-3] [SB-5] A super-frame to the endpoint, not drawn. virtio 1.2 5.1.6.2."
    yield from_vm(
        "unsampled-udp-super-frame",
        title,
        "allow AllowedUnsampled",
        datagram(payload=KEEP_ALIVE * 4),
        policy="sampled=0",
        segments=32,
    )


def conntrack() -> Iterator[Case]:
    """One frame is the first of its flow, and that is judged in full."""
    for name, what, expect, frame, words in (
        ("tcp", "TCP is no flow. RFC 9293 3.5", "drop Protocol", SYN, ""),
        ("stranger", "The first frame to a stranger", "drop DestinationAddress", datagram(ip={"dst": STRANGER}), ""),
        (
            "not-wireguard",
            "The first frame is no WireGuard, strict. WireGuard 5.4",
            "drop NotWireGuard",
            datagram(payload=of(5, 32)),
            " strict",
        ),
        (
            "previous-alive",
            "The previous endpoint within its grace",
            "allow AllowedPreviousEndpoint",
            PREVIOUS_OUT,
            " previous=alive",
        ),
        (
            "audit-stranger",
            "The first frame to a stranger, under Audit",
            "allow DestinationAddress audited",
            datagram(ip={"dst": STRANGER}),
            " audit",
        ),
    ):
        title = f"[FS-2] {what}{'' if any(w in what for w in ('RFC', 'WireGuard 5')) else '. RFC 768'}."
        yield from_vm(f"conntrack-{name}", title, expect, frame, policy="conntrack" + words)


def choices() -> Iterator[Case]:
    """Where the rules of two modes meet."""
    title = "[FS-3] [FS-4] Not drawn under Audit: nobody looks, so nothing is counted. RFC 768."
    yield from_vm(
        "unsampled-audit-stranger",
        title,
        "allow AllowedUnsampled",
        datagram(ip={"dst": STRANGER}),
        policy="sampled=0 audit",
    )
    title = "[FS-3] [FS-4] Drawn under Audit: it is counted and passes. RFC 768."
    yield from_vm(
        "sampled-audit-stranger",
        title,
        "allow DestinationAddress audited",
        datagram(ip={"dst": STRANGER}),
        policy="sampled=1000000 audit",
    )
    title = (
        "[FS-3] Not drawn: a wrong UDP length, a checksum to be written into the source. RFC 768; virtio 1.2 5.1.6.2."
    )
    note = "The pending checksum breaks identity; judged in full, the UDP length is the first rule broken."
    frame = datagram(udp={"len": 39})
    yield from_vm(
        "unsampled-two-wrongs", title, "drop UdpLength", frame, policy="sampled=0", checksum_at=26, note=note
    )
    note = "No packet longer than the MTU leaves, in any mode; what leaves of a super-frame are its segments."
    big = datagram(payload=transport(1473) + transport(1473))
    title = (
        "[FS-4] [SB-5] Audit lets no super-frame of 1501-byte packets pass. RFC 894; virtio 1.2 5.1.6.2."
    )
    yield from_vm(
        "audit-super-frame-too-big",
        title,
        "drop PacketTooBig",
        big,
        policy="filtered audit max-packet=1500",
        segments=1473,
        note=note,
    )
    title = "[FS-3] [SB-5] A super-frame of 1501-byte packets, not drawn. RFC 894; virtio 1.2 5.1.6.2."
    yield from_vm(
        "unsampled-super-frame-too-big",
        title,
        "drop PacketTooBig",
        big,
        policy="sampled=0 max-packet=1500",
        segments=1473,
        note=note,
    )
