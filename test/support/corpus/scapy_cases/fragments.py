# SPDX-License-Identifier: Apache-2.0
"""Fragments (RFC 791 3.2) and each bit that makes one: who lets pieces pass has judged nothing."""

from typing import Iterator

from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.packet import Raw

from .case import Case
from .cast import ENDPOINT_PORT, FROM_VM, GUEST_PORT, KEEP_ALIVE, TO_VM, both, datagram, from_vm, link, packet, to_vm


def cases() -> Iterator[Case]:
    yield from single_bits()
    yield from attacks()
    yield from whole_datagram_in_pieces()


def single_bits() -> Iterator[Case]:
    """The 16 bits of flags and offset, one at a time, on a datagram that is right in all else."""
    title = "[IP-5] [SB-2] The reserved bit, alone. RFC 791 3.1: must be zero."
    yield from_vm("fragment-reserved-bit", title, "drop IpFragment", datagram(ip={"flags": 4}))
    title = "[IP-5] Do not fragment, alone: no fragment. RFC 791 3.1."
    yield from both("fragment-dont", title, "allow Allowed", lambda side: datagram(side, ip={"flags": "DF"}))
    title = "[IP-5] [SB-2] [EB-2] More fragments, alone: a first fragment with all its ports. RFC 791 3.1."
    yield from both("fragment-more", title, "drop IpFragment", lambda side: datagram(side, ip={"flags": "MF"}))
    for bit in range(13):
        title = f"[IP-5] [SB-2] Fragment offset {1 << bit}: bit {bit} of it, alone. RFC 791 3.1."
        yield from_vm(f"fragment-offset-bit-{bit}", title, "drop IpFragment", datagram(ip={"frag": 1 << bit}))
    for name, what, fields in (
        ("do-not-and-more", "Do not fragment and more fragments, which contradict each other", {"flags": "MF+DF"}),
        ("all-bits", "All 16 bits", {"flags": 7, "frag": 8191}),
    ):
        title = f"[IP-5] [SB-2] {what}{'' if 'RFC' in what else '. RFC 791 3.1'}."
        yield from_vm(f"fragment-{name}", title, "drop IpFragment", datagram(ip=fields))


def attacks() -> Iterator[Case]:
    title = "[SB-2] A tiny first fragment: 8 bytes, the ports of TCP without its flags. RFC 1858 3."
    syn = bytes(TCP(sport=GUEST_PORT, dport=22, flags="S"))
    frame = link(FROM_VM, packet(FROM_VM, Raw(syn[:8]), proto=6, flags="MF"))
    yield from_vm("fragment-tiny-first", title, "drop IpFragment", frame)
    title = "[SB-2] A fragment of offset 1 that overwrites TCP's flags in the first. RFC 1858 4."
    frame = link(FROM_VM, packet(FROM_VM, Raw(syn[8:]), proto=6, frag=1))
    yield from_vm("fragment-overlapping", title, "drop IpFragment", frame)
    title = "[SB-2] A second fragment of offset 0 that overwrites the ports. RFC 3128 1."
    other = bytes(UDP(sport=GUEST_PORT, dport=53, len=40, chksum=0))
    frame = link(FROM_VM, packet(FROM_VM, Raw(other + KEEP_ALIVE), proto=17, flags="MF"))
    yield from_vm("fragment-offset-0-again", title, "drop IpFragment", frame)
    title = "[SB-2] The last piece of a packet longer than 65535 bytes, ping of death. RFC 791 3.2."
    frame = link(FROM_VM, packet(FROM_VM, Raw(bytes(64)), proto=1, frag=8189))
    yield from_vm("fragment-ping-of-death", title, "drop IpFragment", frame)
    title = "[SB-2] A middle piece that begins with the right ports: ports are never read from it. RFC 791 3.2."
    ports = GUEST_PORT.to_bytes(2, "big") + ENDPOINT_PORT.to_bytes(2, "big") + bytes.fromhex("00280000")
    frame = link(FROM_VM, packet(FROM_VM, Raw(ports + KEEP_ALIVE), proto=17, flags="MF", frag=100))
    yield from_vm("fragment-with-forged-ports", title, "drop IpFragment", frame)


def whole_datagram_in_pieces() -> Iterator[Case]:
    """A datagram of 1600 bytes as a sender with an MTU of 1500 cuts it: 1480 bytes, and the rest."""
    sent = IP(src=FROM_VM.source, dst=FROM_VM.destination, id=4711) / UDP(sport=GUEST_PORT, dport=ENDPOINT_PORT)
    first, second = (link(FROM_VM, piece) for piece in fragment(sent / Raw(bytes(1592)), fragsize=1480))
    title = "[SB-2] The first fragment of a datagram that does not fit the MTU. RFC 791 3.2."
    yield from_vm("fragment-first-of-two", title, "drop IpFragment", first)
    title = "[SB-2] A later fragment (offset 185) to the endpoint's address: it has no ports of its own. RFC 791 3.2."
    yield from_vm("fragment-second-of-two", title, "drop IpFragment", second)
    got = IP(src=TO_VM.source, dst=TO_VM.destination, id=4712) / UDP(sport=ENDPOINT_PORT, dport=GUEST_PORT)
    later = fragment(got / Raw(bytes(1592)), fragsize=1480)[1]
    title = "[SB-10] [SB-2] A later fragment from the endpoint: it has no ports of its own. RFC 791 3.2."
    yield to_vm("fragment-second-of-two", title, "drop IpFragment", link(TO_VM, later))
