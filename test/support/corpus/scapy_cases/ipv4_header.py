# SPDX-License-Identifier: Apache-2.0
"""The fixed 20 bytes of an IPv4 header (RFC 791 3.1), each field on both sides of what is right."""

from typing import Iterator

from .case import Case
from .cast import KEEP_ALIVE, TO_VM, bend, both, datagram, from_vm, pad, seal, to_vm


def cases() -> Iterator[Case]:
    yield from version()
    yield from header_length()
    yield from total_length()
    yield from checksum()
    yield from time_to_live()
    yield from fields_that_are_free()


def version() -> Iterator[Case]:
    for number, what in ((5, "5, the stream protocol ST"), (6, "6")):
        title = f"[IP-3] IP version {what}, under IPv4's EtherType. RFC 791 3.1; RFC 1122 3.2.1.1."
        frame = datagram(ip={"version": number})
        ids = title.replace("[IP-3]", "[IP-3] [EB-2]") if number == 6 else title
        yield from_vm(f"ip-version-{number}", ids, "drop IpVersion", frame)
    title = "[SB-10] [EB-2] IP version 6, under IPv4's EtherType. RFC 791 3.1."
    yield to_vm("ip-version-6", title, "drop IpVersion", datagram(TO_VM, ip={"version": 6}))
    title = "[IP-3] Version and header length in the wrong nibbles: 0x54. RFC 791 3.1."
    yield from_vm("ip-version-nibbles-swapped", title, "drop IpVersion", datagram(ip={"version": 5, "ihl": 4}))


def header_length() -> Iterator[Case]:
    title = "[IP-3] A header length of 0. RFC 791 3.1."
    yield from_vm("ip-header-length-0", title, "drop IpHeaderLength", datagram(ip={"ihl": 0}))
    title = "[IP-3] [EB-2] A header length of 16 bytes: it would end before its own destination. RFC 791 3.1."
    yield from both("ip-header-length-4", title, "drop IpHeaderLength", lambda side: datagram(side, ip={"ihl": 4}))
    # The allowed frame has 74 bytes: exactly what a header of 15 words needs, which then are options.
    for ihl, length, expect, what in (
        (6, 37, "IpHeaderLength", "A header of 24 bytes in a frame that has 23 for it"),
        (6, 38, "IpOptions", "A header of 24 bytes, and the frame ends with it"),
        (15, 73, "IpHeaderLength", "A header of 60 bytes in a frame that has 59 for it"),
        (15, 74, "IpOptions", "A header of 60 bytes, and the frame ends with it"),
    ):
        title = f"[IP-3] [IP-2] {what}. RFC 791 3.1."
        frame = datagram(ip={"ihl": ihl})[:length]
        yield from_vm(f"ip-header-length-{ihl}-in-{length}-bytes", title, f"drop {expect}", frame)
    title = "[IP-3] A header of 60 bytes in a frame that has 59 for it. RFC 791 3.1."
    yield to_vm(
        "ip-header-length-15-in-73-bytes",
        f"[SB-10] {title}",
        "drop IpHeaderLength",
        datagram(TO_VM, ip={"ihl": 15})[:73],
    )


def total_length() -> Iterator[Case]:
    """Of the allowed packet it is 60, in a frame of 74 bytes; UDP's follows where all is to be right."""
    for length, what in (
        (0, "0, as segmentation offload leaves it"),
        (19, "19, one less than the header"),
    ):
        title = f"[IP-3] A total length of {what}. RFC 791 3.1; RFC 1812 5.2.2."
        yield from_vm(f"ip-total-length-{length}", title, "drop IpTotalLength", datagram(ip={"len": length}))
    title = "[IP-3] [EB-2] A total length of one more than the frame holds. RFC 791 3.1; RFC 1812 5.2.2."
    yield from both(
        "ip-total-length-past-the-frame",
        title,
        "drop IpTotalLength",
        lambda side: datagram(side, b"", ip={"len": 29}),
    )
    title = "[IP-3] A total length of 20 leaves UDP nothing, though the bytes are there. RFC 791 3.1; RFC 768."
    yield from_vm("ip-total-length-20", title, "drop UdpLength", datagram(ip={"len": 20}))
    title = "[IP-4] A total length of one less than UDP says. RFC 791 3.1; RFC 768."
    yield from_vm("ip-total-length-59", title, "drop UdpLength", datagram(ip={"len": 59}))
    title = "[IP-4] IPv4 and UDP agree on one byte less: the last one of the frame is padding. RFC 791 3.1."
    yield from both(
        "ip-total-length-one-byte-of-padding",
        title,
        "allow Allowed",
        lambda side: datagram(side, KEEP_ALIVE[:31]) + KEEP_ALIVE[31:],
    )
    title = (
        "[IP-3] Padding that is counted: a total length of the whole padded frame, which UDP contradicts. RFC 894."
    )
    frame = seal(bend(pad(datagram(payload=b""), 60), 16, (46).to_bytes(2, "big")))
    yield from_vm("ip-total-length-counts-padding", title, "drop UdpLength", frame)


def identification_for(wanted: int) -> int:
    """The identification that makes the header checksum of the allowed datagram come out as `wanted`."""
    bare = int.from_bytes(datagram(ip={"id": 0})[24:26], "big")
    # One's complement: what the identification adds, the checksum takes away.
    return (bare - wanted) % 0xFFFF


def checksum() -> Iterator[Case]:
    right = int.from_bytes(datagram()[24:26], "big")
    title = "[IP-3] [EB-2] The header checksum is one too high. RFC 791 3.1; RFC 1122 3.2.1.2."
    yield from both(
        "ip-checksum-plus-1",
        title,
        "drop IpChecksum",
        lambda side: datagram(side, ip={"chksum": int.from_bytes(datagram(side)[24:26], "big") + 1}),
    )
    for name, what, value in (
        ("zero", "is zero: not computed", 0),
        ("swapped", "is in the wrong byte order", (right >> 8) | (right & 0xFF) << 8),
    ):
        title = f"[IP-3] The header checksum {what}. RFC 791 3.1; RFC 1071 1."
        yield from_vm(f"ip-checksum-{name}", title, "drop IpChecksum", datagram(ip={"chksum": value}))
    title = "[IP-3] One bit of the TTL flipped on the way, the checksum left. RFC 1071 2."
    yield from_vm("ip-checksum-of-another-ttl", title, "drop IpChecksum", bend(datagram(), 22, b"\x41"))
    title = "[IP-3] The two words of the source change places: the checksum cannot see it. RFC 1071 2."
    swapped = datagram(ip={"src": "0.5.100.64"})
    yield from_vm("ip-checksum-words-swapped", title, "drop SourceAddress", swapped)
    title = "[IP-3] A header whose right checksum is zero. RFC 1071 1; RFC 1624 3."
    zero = datagram(ip={"id": identification_for(0)})
    assert zero[24:26] == b"\0\0", zero[24:26].hex()
    yield from_vm("ip-checksum-rightly-zero", title, "allow Allowed", zero)
    note = (
        "One's complement has two zeros; with either the sum over the header is all ones, which is RFC 1071's test."
    )
    title = "[IP-3] The other zero: 0xffff where 0x0000 would be computed. RFC 1071 1; RFC 1624 3."
    yield from_vm("ip-checksum-minus-zero", title, "allow Allowed", bend(zero, 24, b"\xff\xff"), note=note)


def time_to_live() -> Iterator[Case]:
    note = "RFC 1122 3.2.1.7 lets a host receive TTL 0; the filter speaks for a router, which never forwards one."
    title = "[IP-3] [EB-2] Time to live 0. RFC 791 3.1; RFC 1812 5.3.1."
    yield from both("ip-ttl-0", title, "drop IpTtl", lambda side: datagram(side, ip={"ttl": 0}), note=note)
    title = "[IP-1] Time to live 1. RFC 791 3.1; RFC 1812 5.3.1."
    yield from both("ip-ttl-1", title, "allow Allowed", lambda side: datagram(side, ip={"ttl": 1}))


def fields_that_are_free() -> Iterator[Case]:
    for name, what, fields in (
        ("dscp-and-ecn", "Every bit of the traffic class set. RFC 2474 3; RFC 3168 5", {"tos": 0xFF}),
        ("identification-0", "Identification 0, as atomic datagrams have it. RFC 6864 4.1", {"id": 0, "flags": "DF"}),
    ):
        yield from_vm(f"ip-{name}", f"[IP-1] {what}.", "allow Allowed", datagram(ip=fields))
