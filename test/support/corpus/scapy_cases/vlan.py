# SPDX-License-Identifier: Apache-2.0
"""VLAN tags: one, two, three, of every kind, in the frame and beside it. The guest has no VLAN."""

from typing import Iterator

from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet

from .arp import answer, request
from .case import Case
from .cast import BROADCAST_MAC, FROM_VM, GATEWAY, GATEWAY_MAC, GUEST, GUEST_MAC, Side, both, datagram, from_vm, to_vm


def cases() -> Iterator[Case]:
    yield from in_the_frame()
    yield from beside_the_frame()
    yield from not_ours()


def tagged(side: Side, *tags: Packet, ether_type: int = 0) -> bytes:
    """The allowed datagram behind these tags. `ether_type` is what announces the first one, if not scapy's own."""
    inner = Ether(datagram(side))
    frame: Packet = Ether(src=inner.src, dst=inner.dst)
    if ether_type:
        frame.type = ether_type
    for tag in tags:
        frame = frame / tag
    return bytes(frame / inner.payload)


def in_the_frame() -> Iterator[Case]:
    title = "[SB-4] [EF-5] [EB-2] The allowed datagram in VLAN 5. IEEE 802.1Q 9.6."
    yield from both("vlan-tag", title, "drop Vlan", lambda side: tagged(side, Dot1Q(vlan=5)))
    title = "[SB-4] [EF-5] The allowed datagram behind a service tag. IEEE 802.1Q 9.5, TPID 0x88a8."
    yield from both("vlan-service-tag", title, "drop Vlan", lambda side: tagged(side, Dot1AD(vlan=5)))
    title = "[SB-4] A tag with the TPID 0x9100, which bridges before 802.1ad used for the outer one. IEEE 802.1Q 9.5."
    yield from both(
        "vlan-legacy-9100", title, "drop Vlan", lambda side: tagged(side, Dot1Q(vlan=5), ether_type=0x9100)
    )
    for name, what, tags in (
        ("priority-tag", "VLAN 0: a tag that says a priority only", (Dot1Q(vlan=0, prio=7),)),
        ("double", "Two customer tags: hopping from the native VLAN", (Dot1Q(vlan=1), Dot1Q(vlan=20))),
        ("qinq", "A service tag outside a customer tag", (Dot1AD(vlan=100), Dot1Q(vlan=5))),
    ):
        title = f"[SB-4] {what}. IEEE 802.1Q 9.6."
        yield from_vm(f"vlan-{name}", title, "drop Vlan", tagged(FROM_VM, *tags))
    title = "[SB-4] [EF-2] A frame that ends right after the EtherType of a tag. IEEE 802.1Q 9.4."
    yield from_vm("vlan-tag-cut-off", title, "drop Vlan", tagged(FROM_VM, Dot1Q(vlan=5))[:14])
    question = ARP(op=1, hwsrc=GUEST_MAC, psrc=GUEST, pdst=GATEWAY)
    title = "[SB-4] A question for the gateway inside a VLAN, sent to the gateway's MAC. IEEE 802.1Q 9.6."
    frame = bytes(Ether(src=GUEST_MAC, dst=GATEWAY_MAC) / Dot1Q(vlan=5) / question)
    yield from_vm("vlan-tag-around-arp", title, "drop Vlan", frame)
    title = (
        "[SB-4] A broadcast question inside a VLAN is a broadcast that is not ARP by its EtherType. IEEE 802.1Q 9.6."
    )
    frame = bytes(Ether(src=GUEST_MAC, dst=BROADCAST_MAC) / Dot1Q(vlan=5) / question)
    yield from_vm("vlan-tag-around-broadcast-arp", title, "drop GroupMac", frame)


def beside_the_frame() -> Iterator[Case]:
    """Linux takes the first tag out of the frame and carries it beside; the frame then looks innocent."""
    title = "[SB-4] [SB-5] The tag was taken out of the frame and stands beside it. IEEE 802.1Q 6.9."
    yield from both("vlan-in-metadata", title, "drop Vlan", datagram, vlan=True)
    title = "[SB-4] One tag beside the frame, a second one in it. IEEE 802.1Q 6.9."
    yield from_vm("vlan-in-metadata-and-frame", title, "drop Vlan", tagged(FROM_VM, Dot1Q(vlan=20)), vlan=True)
    title = "[SB-4] The gateway's broadcast question with a tag beside it. IEEE 802.1Q 6.9; RFC 826."
    yield from_vm("vlan-in-metadata-arp", title, "drop Vlan", request(), vlan=True)
    title = "[SB-10] An answer marked as the filter's own, in a VLAN. IEEE 802.1Q 6.9; RFC 826."
    yield to_vm("vlan-in-metadata-arp-answer", title, "drop Vlan", answer(), vlan=True, answer=True)


def not_ours() -> Iterator[Case]:
    for name, what, ether_type in (
        ("9200", "The TPID 0x9200 of one manufacturer's double tags", 0x9200),
        ("backbone", "The TPID 0x88e7 of a backbone service instance, MAC in MAC", 0x88E7),
    ):
        title = f"[SB-4] {what}: no tag to us, an unknown EtherType. IEEE 802.1Q 9.5."
        frame = tagged(FROM_VM, Dot1Q(vlan=5), ether_type=ether_type)
        yield from_vm(f"tag-{name}", title, "drop EtherType", frame)
