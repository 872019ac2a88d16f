# SPDX-License-Identifier: Apache-2.0
"""Packets from ordinary to 65535 bytes, with and without the limit that an agent sets to the tap's MTU."""

from typing import Iterator

from scapy.layers.inet import TCP
from scapy.packet import Raw

from .case import Case
from .cast import FROM_VM, TO_VM, Side, both, datagram, from_vm, link, packet, pad, to_vm

LIMITED = "filtered max-packet=1500"


def cases() -> Iterator[Case]:
    yield from without_limit()
    yield from with_limit()


def of_total(length: int, side: Side = FROM_VM) -> bytes:
    """A datagram whose IPv4 total length is `length`; zeros do, for no rule but the strict one looks at them."""
    return datagram(side, bytes(length - 28))


def without_limit() -> Iterator[Case]:
    for length, what in (
        (1500, "A packet that fills Ethernet's 1500 bytes. RFC 894"),
        (1501, "One byte more than Ethernet carries, and no limit is set. RFC 894"),
        (9000, "A jumbo packet of 9000 bytes, and no limit is set. RFC 894"),
        (65535, "The longest packet of all, and no limit is set. RFC 791 3.1"),
    ):
        yield from_vm(f"packet-of-{length}-bytes", f"[SB-5] {what}.", "allow Allowed", of_total(length))
    title = "[SB-10] [SB-5] A jumbo frame from whom the guest may not talk to. RFC 894."
    frame = datagram(TO_VM, bytes(3000), ip={"src": "192.0.2.66"})
    yield to_vm("jumbo-from-a-stranger", title, "drop SourceAddress", frame)


def with_limit() -> Iterator[Case]:
    title = "[SB-5] Exactly the limit: 1500 bytes of packet. RFC 894."
    yield from both(
        "limit-1500-packet-1500", title, "allow Allowed", lambda side: of_total(1500, side), policy=LIMITED
    )
    title = "[SB-5] [EB-2] One byte over the limit. RFC 894; RFC 1191 3."
    yield from both(
        "limit-1500-packet-1501", title, "drop PacketTooBig", lambda side: of_total(1501, side), policy=LIMITED
    )
    for name, title, expect, frame, policy in (
        (
            "limit-1500-packet-9000",
            "A jumbo packet where the MTU is 1500. RFC 894",
            "drop PacketTooBig",
            of_total(9000),
            LIMITED,
        ),
        (
            "limit-28-packet-28",
            "The smallest limit that lets a datagram pass. RFC 768",
            "allow Allowed",
            datagram(payload=b""),
            "filtered max-packet=28",
        ),
        (
            "limit-28-packet-29",
            "One byte over the smallest limit. RFC 768",
            "drop PacketTooBig",
            datagram(payload=b"x"),
            "filtered max-packet=28",
        ),
        (
            "limit-1500-padding-beyond",
            "The limit is the packet's, not its padding's: 1500 bytes, then a tail. RFC 894",
            "allow Allowed",
            pad(of_total(1500), 14 + 1500 + 40),
            LIMITED,
        ),
        (
            "limit-1500-tcp-1501",
            "A TCP segment over the limit is no packet of its own first. RFC 894; RFC 9293 3.1",
            "drop PacketTooBig",
            link(FROM_VM, packet(FROM_VM, TCP(dport=443) / Raw(bytes(1461)))),
            LIMITED,
        ),
    ):
        yield from_vm(name, f"[SB-5] {title}.", expect, frame, policy=policy)
