# SPDX-License-Identifier: Apache-2.0
"""ARP from the VM (RFC 826): one question is answered, for the gateway, by the one who is who it says it is."""

from typing import Any, Iterator

from scapy.layers.l2 import ARP, LLC, SNAP, Dot3, Ether

from .case import Case
from .cast import (
    BROADCAST_MAC,
    ENDPOINT,
    GATEWAY,
    GATEWAY_MAC,
    GUEST,
    GUEST_MAC,
    NEIGHBOUR,
    NEIGHBOUR_MAC,
    STRANGER_MAC,
    bend,
    datagram,
    from_vm,
    pad,
)

ZERO_MAC = "00:00:00:00:00:00"


def request(ether: Any = None, **fields: Any) -> bytes:
    """Who has the gateway? Tell the guest."""
    arp = {"op": 1, "hwsrc": GUEST_MAC, "psrc": GUEST, "hwdst": ZERO_MAC, "pdst": GATEWAY, **fields}
    return bytes(Ether(**{"src": GUEST_MAC, "dst": BROADCAST_MAC, **(ether or {})}) / ARP(**arp))


def answer(ether: Any = None, **fields: Any) -> bytes:
    """The one answer there is, as the filter itself makes it: 42 bytes, from the gateway to the guest alone."""
    arp = {"op": 2, "hwsrc": GATEWAY_MAC, "psrc": GATEWAY, "hwdst": GUEST_MAC, "pdst": GUEST, **fields}
    return bytes(Ether(**{"src": GATEWAY_MAC, "dst": GUEST_MAC, **(ether or {})}) / ARP(**arp))


def cases() -> Iterator[Case]:
    yield from answered()
    yield from malformed()
    yield from spoofed()
    yield from not_the_gateway()
    yield from disguised()


def answered() -> Iterator[Case]:
    for name, title, frame in (
        ("arp-request", "[FB-1] [EB-2] The question that is answered, in 42 bytes. RFC 826.", request()),
        (
            "arp-request-unicast",
            "A unicast poll of a neighbour known already. RFC 1122 2.3.2.1.",
            request({"dst": GATEWAY_MAC}),
        ),
        (
            "arp-request-padded",
            "ARP padded to the 60 bytes of Ethernet's shortest frame. IEEE 802.3 3.2.8.",
            pad(request(), 60),
        ),
        (
            "arp-request-target-mac-broadcast",
            "The target MAC of a request means nothing: all ones in it. RFC 826.",
            request(hwdst=BROADCAST_MAC),
        ),
    ):
        yield from_vm(name, title if title[0] == "[" else f"[FB-1] {title}", "reply ArpAnswered", frame)


def malformed() -> Iterator[Case]:
    whole = request()
    for length in (14, 41):
        title = f"[EF-2] An ARP packet that ends after {length - 14} of its 28 bytes. RFC 826."
        yield from_vm(f"arp-cut-to-{length}-bytes", title, "drop ArpMalformed", whole[:length])
    for name, operation, what in (
        ("operation-0", 0, "Operation 0 is reserved. RFC 5494 3"),
        ("operation-rarp", 3, "Operation 3, a reverse request under ARP's EtherType. RFC 903"),
        ("operation-inverse", 8, "Operation 8, inverse ARP: what is your address? RFC 2390"),
    ):
        yield from_vm(f"arp-{name}", f"[SB-1] {what}.", "drop ArpMalformed", request(op=operation))
    # Types and sizes are bent by hand: scapy would change the fields that follow them.
    for name, at, octets, what in (
        ("hardware-type-ieee-802", 14, "0006", "Hardware type 6, IEEE 802 networks, is not Ethernet's 1. RFC 1042"),
        ("protocol-type-ipv6", 16, "86dd", "ARP about IPv6 addresses, which nobody has defined. RFC 4861"),
        ("hardware-size-8", 18, "08", "A hardware address of 8 bytes in a packet of Ethernet's size. RFC 826"),
        ("protocol-size-16", 19, "10", "A protocol address of 16 bytes in a packet of IPv4's size. RFC 826"),
    ):
        yield from_vm(f"arp-{name}", f"[SB-1] {what}.", "drop ArpMalformed", bend(whole, at, bytes.fromhex(octets)))
    title = (
        "[SB-1] ARP that asks for a checksum to be written into it after it was judged. RFC 826; virtio 1.2 5.1.6.2."
    )
    yield from_vm("arp-pending-checksum", title, "drop ArpMalformed", whole, checksum_at=40)
    title = "[SB-5] ARP that asks to be cut into segments. RFC 826; virtio 1.2 5.1.6.2."
    yield from_vm("arp-udp-super-frame", title, "drop ArpMalformed", whole, segments=14)
    yield from_vm("arp-other-super-frame", title, "drop ArpMalformed", whole, super_frame=True)


def spoofed() -> Iterator[Case]:
    for name, what, frame in (
        (
            "sender-mac-of-the-gateway",
            "The sender says it has the gateway's MAC. RFC 826",
            request(hwsrc=GATEWAY_MAC),
        ),
        (
            "sender-mac-broadcast",
            "The sender's MAC is broadcast: who believes it floods. RFC 1812 3.3.2",
            request(hwsrc=BROADCAST_MAC),
        ),
        (
            "sender-address-of-the-gateway",
            "The gateway, it says, asks a neighbour and fills its cache. RFC 826",
            request(psrc=GATEWAY, pdst=NEIGHBOUR),
        ),
        ("sender-address-of-a-neighbour", "The sender's address is another VM's. RFC 826", request(psrc=NEIGHBOUR)),
        (
            "gratuitous-for-the-gateway",
            "A gratuitous request takes the gateway's address. RFC 5227 2.3",
            request(psrc=GATEWAY, pdst=GATEWAY),
        ),
        (
            "gratuitous-reply-for-the-gateway",
            "An unasked reply: the gateway is at my MAC. RFC 826",
            request(op=2, psrc=GATEWAY, hwdst=BROADCAST_MAC, pdst=GATEWAY),
        ),
        (
            "proxy-reply-for-the-endpoint",
            "A proxy's reply: the endpoint is at my MAC. RFC 1027 2.1",
            request({"dst": GATEWAY_MAC}, op=2, psrc=ENDPOINT, hwdst=GATEWAY_MAC, pdst=GATEWAY),
        ),
    ):
        yield from_vm(f"arp-{name}", f"[SB-1] {what}.", "drop ArpSpoofed", frame)


def not_the_gateway() -> Iterator[Case]:
    for name, what, frame in (
        (
            "probe-for-own-address",
            "An address probe, sender 0.0.0.0, for the guest's own address. RFC 5227 2.1.1",
            request(psrc="0.0.0.0", pdst=GUEST),
        ),
        (
            "probe-for-the-gateway",
            "An address probe, sender 0.0.0.0, for the gateway's address. RFC 5227 2.1.1",
            request(psrc="0.0.0.0"),
        ),
        ("scan-for-a-neighbour", "A scan: who has the other VM's address? RFC 826", request(pdst=NEIGHBOUR)),
        (
            "scan-for-the-endpoint",
            "Who has the endpoint's address? There is no proxy. RFC 1027 2.1",
            request(pdst=ENDPOINT),
        ),
        (
            "scan-beside-the-gateway",
            "Who has 169.254.1.0, one bit off the gateway's address? RFC 826",
            request(pdst="169.254.1.0"),
        ),
        ("announcement", "A gratuitous announcement of the guest's own address. RFC 5227 2.3", request(pdst=GUEST)),
        (
            "gratuitous-reply",
            "A gratuitous reply about the guest's own address. RFC 5227 3",
            request(op=2, hwdst=BROADCAST_MAC, pdst=GUEST),
        ),
        (
            "reply-to-the-gateway",
            "A true reply to the gateway, which never asks. RFC 826",
            request({"dst": GATEWAY_MAC}, op=2, hwdst=GATEWAY_MAC),
        ),
    ):
        yield from_vm(f"arp-{name}", f"[SB-1] {what}.", "drop ArpNotGateway", frame)


def disguised() -> Iterator[Case]:
    """ARP that is caught by an outer rule, and other things that pretend to be ARP."""
    ether = {"dst": "01:00:5e:00:00:01"}
    title = "[SB-1] A request to a multicast MAC: only a broadcast is a question to all. RFC 826."
    yield from_vm("arp-to-multicast", title, "drop GroupMac", request(ether))
    title = "[SB-1] A request sent straight to another VM's MAC. RFC 826."
    yield from_vm("arp-to-a-neighbours-mac", title, "drop DestinationMac", request({"dst": NEIGHBOUR_MAC}))
    title = "[SB-1] The ARP packet is right, the Ethernet source is not. IEEE 802.3 3.2.5."
    yield from_vm("arp-from-a-strangers-mac", title, "drop SourceMac", request({"src": STRANGER_MAC}))
    title = "[SB-4] Reverse ARP has an EtherType of its own: broadcast. RFC 903."
    yield from_vm("rarp-broadcast", title, "drop GroupMac", request({"type": 0x8035}, op=3))
    title = "[SB-4] Reverse ARP has an EtherType of its own: sent to the gateway. RFC 903."
    yield from_vm("rarp-unicast", title, "drop EtherType", request({"type": 0x8035, "dst": GATEWAY_MAC}, op=3))
    snap = (
        LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0, code=0x0806) / ARP(hwsrc=GUEST_MAC, psrc=GUEST, pdst=GATEWAY)
    )
    for name, destination, expect in (
        ("broadcast", BROADCAST_MAC, "GroupMac"),
        ("unicast", GATEWAY_MAC, "EtherType"),
    ):
        title = f"[SB-4] ARP in an 802.3 frame with LLC and SNAP, {name}. RFC 1042."
        frame = bytes(Dot3(src=GUEST_MAC, dst=destination) / snap)
        yield from_vm(f"arp-in-snap-{name}", title, f"drop {expect}", frame)
    title = "[SB-1] An ARP request under the EtherType of IPv4. RFC 894; RFC 826."
    yield from_vm("arp-under-ipv4s-ethertype", title, "drop IpVersion", request({"dst": GATEWAY_MAC, "type": 0x0800}))
    title = "[SB-1] The allowed datagram under the EtherType of ARP. RFC 826."
    yield from_vm("ipv4-under-arps-ethertype", title, "drop ArpMalformed", bend(datagram(), 12, b"\x08\x06"))
    title = "[SB-1] Two requests in one frame: what follows the first 28 bytes is padding to everybody. RFC 826."
    yield from_vm("arp-with-a-second-behind", title, "reply ArpAnswered", request() + request(psrc=NEIGHBOUR)[14:])
