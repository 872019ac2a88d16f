# SPDX-License-Identifier: Apache-2.0
"""What else travels on an Ethernet: all of it straight to the gateway's MAC, so that the EtherType decides."""

from typing import Iterator, Tuple

from scapy.contrib.lldp import LLDPDUChassisID, LLDPDUEndOfLLDPDU, LLDPDUPortID, LLDPDUTimeToLive
from scapy.contrib.mac_control import MACControlPause
from scapy.contrib.mpls import MPLS
from scapy.layers.eap import EAPOL
from scapy.layers.l2 import LLC, SNAP, STP, Dot3, Ether
from scapy.layers.ppp import PPP, PPPoE, PPPoED
from scapy.packet import Raw

from .case import Case
from .cast import FROM_VM, GATEWAY_MAC, GUEST_MAC, TO_VM, bend, datagram, from_vm, link, to_vm

LLDP = (
    LLDPDUChassisID(subtype=4, id=GUEST_MAC)
    / LLDPDUPortID(subtype=3, id=GUEST_MAC)
    / LLDPDUTimeToLive(ttl=120)
    / LLDPDUEndOfLLDPDU()
)


def cases() -> Iterator[Case]:
    yield from protocols()
    yield from numbers()
    yield from ieee_802_3()
    yield from link_groups()


def inner() -> bytes:
    """The allowed packet without its Ethernet header: what an encapsulation would smuggle."""
    return datagram()[14:]


def protocols() -> Iterator[Case]:
    for name, what, frame in (
        ("lldp", "LLDP. IEEE 802.1AB 8", link(FROM_VM, LLDP, type=0x88CC)),
        ("eapol-start", "EAPOL start. IEEE 802.1X 11.3", link(FROM_VM, EAPOL(version=2, type=1), type=0x888E)),
        (
            "pppoe-discovery",
            "PPPoE discovery: is there an access concentrator? RFC 2516 5.1",
            link(FROM_VM, PPPoED(code=9) / Raw(bytes.fromhex("01010000")), type=0x8863),
        ),
        (
            "pppoe-session",
            "The allowed packet in a PPPoE session. RFC 2516 4",
            link(FROM_VM, PPPoE(sessionid=1) / PPP(proto=0x21) / Raw(inner()), type=0x8864),
        ),
        (
            "mpls",
            "The allowed packet behind an MPLS label. RFC 3032 5",
            link(FROM_VM, MPLS(label=16, s=1, ttl=64) / Raw(inner()), type=0x8847),
        ),
        (
            "pause",
            "A PAUSE frame to the gateway's own MAC. IEEE 802.3 31.4.1",
            link(FROM_VM, MACControlPause(pause_time=65535), type=0x8808),
        ),
        (
            "macsec",
            "The allowed packet behind a MACsec tag. IEEE 802.1AE 9.3",
            link(FROM_VM, Raw(bytes.fromhex("2c00 00000001 0011223344550001") + inner()), type=0x88E5),
        ),
    ):
        ids = "[SB-4] [EB-2]" if name == "lldp" else "[SB-4]"
        yield from_vm(f"ethertype-{name}", f"{ids} {what}.", "drop EtherType", frame)
    title = "[SB-10] [EB-2] LLDP of the host's switch. IEEE 802.1AB 8."
    yield to_vm("ethertype-lldp", title, "drop EtherType", link(TO_VM, LLDP, type=0x88CC))


def numbers() -> Iterator[Case]:
    """The allowed packet under a number that is not IPv4's 0x0800. RFC 894."""
    for number, what in (
        (0x0600, "Xerox NS, the smallest number that is a type and no length. IEEE 802.3 3.2.6"),
        (0x0008, "IPv4's in the wrong byte order. RFC 894"),
        (0x0608, "ARP's in the wrong byte order. RFC 826"),
        (0x8137, "IPX, that once shared every link. RFC 1634"),
        (0xFFFF, "the last one, reserved. RFC 1701"),
    ):
        frame = bend(datagram(), 12, number.to_bytes(2, "big"))
        number_name = f"{number:04x}"
        title = f"[SB-4] [EF-5] The allowed packet under EtherType 0x{number_name}: {what}."
        yield from_vm(f"ethertype-{number_name}", title, "drop EtherType", frame)


def ieee_802_3() -> Iterator[Case]:
    snap = bytes(LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800)) + inner()
    frames: Tuple[Tuple[str, str, int, bytes], ...] = (
        ("snap-ipv4", "The allowed packet behind LLC and SNAP. RFC 1042", len(snap), snap),
        (
            "spanning-tree",
            "A spanning tree BPDU. IEEE 802.1Q 14.2",
            38,
            bytes(LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP()),
        ),
        (
            "novell-raw",
            "IPX right behind the length, Novell's raw frames. IEEE 802.3 3.2.6",
            30,
            b"\xff\xff\x00\x1e" + bytes(26),
        ),
    )
    for name, what, length, payload in frames:
        frame = bytes(Dot3(src=GUEST_MAC, dst=GATEWAY_MAC, len=length)) + payload
        yield from_vm(f"length-{name}", f"[SB-4] {what}.", "drop EtherType", frame)
    for number, what in (
        (0, "length 0"),
        (1500, "length 1500, the longest"),
        (1535, "1535, the last that is no type"),
    ):
        title = f"[SB-4] The allowed packet in an 802.3 frame of {what}. IEEE 802.3 3.2.6."
        frame = bend(datagram(), 12, number.to_bytes(2, "big"))
        yield from_vm(f"length-{number}", title, "drop EtherType", frame)
    title = "[SB-10] [SB-4] The endpoint's packet behind LLC and SNAP. RFC 1042."
    llc = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0800)
    frame = bytes(Dot3(src=GATEWAY_MAC, dst=GUEST_MAC) / llc / Raw(datagram(TO_VM)[14:]))
    yield to_vm("length-snap-ipv4", title, "drop EtherType", frame)


def link_groups() -> Iterator[Case]:
    """What bridges tell each other goes to group MACs, and falls there."""
    bpdu = bytes(LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP())
    for name, what, frame in (
        (
            "lldp",
            "LLDP to the nearest bridge. IEEE 802.1AB 7.1",
            bytes(Ether(src=GUEST_MAC, dst="01:80:c2:00:00:0e", type=0x88CC) / LLDP),
        ),
        (
            "spanning-tree",
            "The guest would be the root of the spanning tree. IEEE 802.1Q 8.6.3",
            bytes(Dot3(src=GUEST_MAC, dst="01:80:c2:00:00:00", len=38)) + bpdu,
        ),
        (
            "pause",
            "PAUSE: stop sending for 65535 quanta. IEEE 802.3 31B.1",
            bytes(Ether(src=GUEST_MAC, dst="01:80:c2:00:00:01", type=0x8808) / MACControlPause(pause_time=65535)),
        ),
    ):
        yield from_vm(f"group-{name}", f"[SB-4] [SB-7] {what}.", "drop GroupMac", frame)
