# SPDX-License-Identifier: Apache-2.0
"""
Checksums that the host is to write after the filter judged (virtio 1.2 5.1.6.2: csum_start and csum_offset are the
guest's choice). Anywhere but in the transport's own checksum field that rewrites what was judged.
"""

from typing import Iterator

from scapy.layers.inet import ICMP, TCP
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from .case import Case
from .cast import ENDPOINT_PORT, FROM_VM, GUEST_PORT, STRANGER, TO_VM, both, datagram, from_vm, link, packet, to_vm

VIRTIO = "virtio 1.2 5.1.6.2"


def cases() -> Iterator[Case]:
    title = f"[SB-5] The UDP checksum is left to the host, as most drivers do. RFC 768; {VIRTIO}."
    yield from both("pending-checksum-of-udp", title, "allow Allowed", datagram, checksum_at=40)
    for at, what in (
        (0, "into the destination MAC"),
        (12, "into the EtherType"),
        (14, "into version and header length"),
        (16, "into the total length"),
        (24, "into the IPv4 header checksum"),
        (26, "into the source address"),
        (32, "into the second half of the destination address"),
        (34, "into the source port"),
        (36, "into the destination port, where ICMP has its checksum"),
        (39, "one byte before the UDP checksum"),
        (41, "one byte behind the UDP checksum"),
        (42, "into the type of the WireGuard message, where SCTP has its checksum"),
        (50, "into the payload, where TCP has its checksum"),
        (72, "into the last two bytes of the frame"),
    ):
        ids = "[SB-5] [EB-2]" if at == 32 else "[SB-5]"
        title = f"{ids} A checksum to be written: {what}. RFC 768; {VIRTIO}."
        yield from_vm(f"pending-checksum-at-{at}", title, "drop ChecksumOffload", datagram(), checksum_at=at)
    title = f"[SB-10] [SB-5] [EB-2] A checksum to be written into the destination address. RFC 768; {VIRTIO}."
    yield to_vm("pending-checksum-at-32", title, "drop ChecksumOffload", datagram(TO_VM), checksum_at=32)
    yield from other_transports()


def other_transports() -> Iterator[Case]:
    """Refused for what they are under mode Filtered; under Audit the place of the checksum is what decides."""
    tcp = link(FROM_VM, packet(FROM_VM, TCP(sport=GUEST_PORT, dport=ENDPOINT_PORT, flags="S")))
    icmp = link(FROM_VM, packet(FROM_VM, ICMP(type=8, id=1, seq=1) / Raw(bytes(16))))
    sctp = link(FROM_VM, packet(FROM_VM, SCTP(sport=GUEST_PORT, dport=ENDPOINT_PORT) / SCTPChunkInit(init_tag=1)))
    lite = link(FROM_VM, packet(FROM_VM, Raw(datagram()[34:]), proto=136))
    note = (
        "Whose checksum field it is decides, not the offset: only UDP's at 40 and TCP's at 50 are sound (identity)."
    )
    for name, what, frame, at, policy, expect in (
        ("of-tcp", "TCP's own", tcp, 50, "filtered", "drop Protocol"),
        ("of-tcp-audit", "TCP's own, under Audit", tcp, 50, "filtered audit", "allow Protocol audited"),
        ("of-tcp-unsampled", "TCP's own, not drawn", tcp, 50, "sampled=0", "allow AllowedUnsampled"),
        (
            "tcp-at-40-audit",
            "at UDP's place in a TCP segment, under Audit",
            tcp,
            40,
            "filtered audit",
            "drop Protocol",
        ),
        ("tcp-at-40-unsampled", "at UDP's place in a TCP segment, not drawn", tcp, 40, "sampled=0", "drop Protocol"),
        (
            "icmp-audit",
            "ICMP's own, which no driver leaves, under Audit",
            icmp,
            36,
            "filtered audit",
            "drop IcmpToEndpoint",
        ),
        ("sctp-audit", "SCTP's own, a CRC and no sum, under Audit", sctp, 42, "filtered audit", "drop Protocol"),
        ("udp-lite-audit", "UDP-Lite's own, under Audit", lite, 40, "filtered audit", "drop Protocol"),
        (
            "udp-at-50-audit",
            "at TCP's place in a datagram, under Audit",
            datagram(),
            50,
            "filtered audit",
            "drop ChecksumOffload",
        ),
        (
            "udp-at-40-audit",
            "UDP's own to a stranger, under Audit",
            datagram(ip={"dst": STRANGER}),
            40,
            "filtered audit",
            "allow DestinationAddress audited",
        ),
    ):
        title = f"[SB-5] [FS-1] A checksum to be written: {what}. {VIRTIO}."
        yield from_vm(
            f"pending-checksum-{name}",
            title,
            expect,
            frame,
            policy=policy,
            checksum_at=at,
            note=note if expect in ("drop Protocol", "drop IcmpToEndpoint") and policy != "filtered" else "",
        )
