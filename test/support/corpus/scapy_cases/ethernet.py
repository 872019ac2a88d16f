# SPDX-License-Identifier: Apache-2.0
"""The outermost rules: how long a frame is, whose MAC it bears, whom it is addressed to."""

from typing import Iterator

from .case import Case
from .cast import (
    BROADCAST_MAC,
    FROM_VM,
    GATEWAY_MAC,
    GUEST_MAC,
    NEIGHBOUR_MAC,
    STRANGER_MAC,
    TO_VM,
    both,
    cut_datagram,
    datagram,
    from_vm,
    pad,
    to_vm,
)


def cases() -> Iterator[Case]:
    yield from lengths()
    yield from source_macs()
    yield from destination_macs()
    yield from group_macs()


def lengths() -> Iterator[Case]:
    title = "[EF-2] One byte. IEEE 802.3 3.1.1."
    yield from_vm("frame-of-1-byte", title, "drop FrameTooShort", datagram()[:1])
    title = "[EF-2] 13 of the 14 bytes of an Ethernet header. IEEE 802.3 3.1.1."
    yield from both("frame-of-13-bytes", title, "drop FrameTooShort", lambda side: datagram(side)[:13])
    title = "[EF-2] [EF-3] An Ethernet header that announces IPv4, and nothing behind it. RFC 894."
    yield from both("frame-of-14-bytes", title, "drop FrameTooShort", lambda side: datagram(side)[:14])
    title = "[IP-3] [EB-2] 19 of the 20 bytes of an IPv4 header. RFC 791 3.1."
    yield from both("frame-of-33-bytes", title, "drop FrameTooShort", lambda side: datagram(side)[:33])
    title = "[IP-3] A whole IPv4 header, and not one of the bytes that it promises. RFC 791 3.1."
    yield from_vm("frame-of-34-bytes-promises-more", title, "drop IpTotalLength", datagram()[:34])
    title = "[IP-4] A whole IPv4 packet of 20 bytes that says UDP and has no UDP header. RFC 768."
    yield from both("frame-of-34-bytes", title, "drop UdpLength", lambda side: cut_datagram(side, 20))
    title = "[IP-4] 7 of the 8 bytes of a UDP header, in a packet that says it is complete. RFC 768."
    yield from both("frame-of-41-bytes", title, "drop UdpLength", lambda side: cut_datagram(side, 27))
    title = "[IP-4] The shortest datagram there is: 42 bytes, no payload. RFC 768."
    yield from both("frame-of-42-bytes", title, "allow Allowed", lambda side: datagram(side, b""))
    title = "[EF-1] A short datagram padded to the 60 bytes of Ethernet's shortest frame. IEEE 802.3 3.2.8; RFC 894."
    yield from both("frame-padded-to-60-bytes", title, "allow Allowed", lambda side: pad(datagram(side, b""), 60))
    note = "No rule bounds what stands behind the packet; a router's IP layer cuts it off (RFC 1812 5.2.2)."
    title = "[SB-5] 600 bytes behind the end of the packet: more than padding would ever need. RFC 894."
    frame = datagram() + bytes(range(1, 201)) * 3
    yield from_vm("frame-with-a-tail", title, "allow Allowed", frame, note=note)


def source_macs() -> Iterator[Case]:
    for name, what, mac in (
        ("of-the-gateway", "The guest speaks with the gateway's MAC", GATEWAY_MAC),
        ("of-a-neighbour", "The guest speaks with another VM's MAC", NEIGHBOUR_MAC),
        ("of-a-stranger", "A container bridged to the guest's card speaks with its own MAC", STRANGER_MAC),
        ("last-byte-off", "One bit off in the last byte", "02:76:aa:bb:cc:dc"),
        ("group-bit", "The guest's MAC with the group bit, which no source may bear", "03:76:aa:bb:cc:dd"),
        ("broadcast", "Broadcast as the source", BROADCAST_MAC),
    ):
        frame = datagram(ether={"src": mac})
        ids = "[SB-1] [EB-2]" if name == "of-a-stranger" else "[SB-1]"
        yield from_vm(f"source-mac-{name}", f"{ids} {what}. IEEE 802.3 3.2.5.", "drop SourceMac", frame)
    for name, what, mac in (
        ("of-a-stranger", "Somebody on the host sends on the tap with a MAC of his own", STRANGER_MAC),
        ("of-the-guest", "The guest's own MAC comes back as the source", GUEST_MAC),
        ("group-bit", "The gateway's MAC with the group bit", "03:76:6d:6e:00:01"),
    ):
        frame = datagram(TO_VM, ether={"src": mac})
        ids = "[SB-10] [EB-2]" if name == "of-a-stranger" else "[SB-10]"
        yield to_vm(f"source-mac-{name}", f"{ids} {what}. IEEE 802.3 3.2.5.", "drop SourceMac", frame)


def destination_macs() -> Iterator[Case]:
    for name, what, mac in (
        ("of-a-neighbour", "Straight to another VM's MAC", NEIGHBOUR_MAC),
        ("of-the-guest", "The guest to itself", GUEST_MAC),
        ("last-byte-off", "One bit off the gateway's MAC in the last byte", "02:76:6d:6e:00:00"),
    ):
        frame = datagram(ether={"dst": mac})
        ids = "[SB-1] [EB-2]" if name == "of-a-neighbour" else "[SB-1]"
        yield from_vm(f"destination-mac-{name}", f"{ids} {what}. IEEE 802.3 3.2.4.", "drop DestinationMac", frame)
    for name, what, mac in (
        ("of-a-neighbour", "A frame for another VM on this VM's tap", NEIGHBOUR_MAC),
        ("of-the-gateway", "A frame for the gateway itself", GATEWAY_MAC),
    ):
        frame = datagram(TO_VM, ether={"dst": mac})
        ids = "[SB-10] [EB-2]" if name == "of-a-neighbour" else "[SB-10]"
        yield to_vm(f"destination-mac-{name}", f"{ids} {what}. IEEE 802.3 3.2.4.", "drop DestinationMac", frame)


def group_macs() -> Iterator[Case]:
    for name, what, mac in (
        ("broadcast", "The allowed datagram, broadcast on the link. RFC 894", BROADCAST_MAC),
        ("ipv4-multicast", "The allowed datagram to a multicast MAC of IPv4. RFC 1112 6.4", "01:00:5e:00:00:fb"),
        ("ipv6-multicast", "The allowed datagram to a multicast MAC of IPv6. RFC 2464 7", "33:33:00:00:00:01"),
        ("gateway-with-group-bit", "The gateway's MAC with the group bit. IEEE 802.3 3.2.3", "03:76:6d:6e:00:01"),
    ):
        ids = "[SB-7] [EB-2]" if name == "broadcast" else "[SB-7]"
        frame = datagram(FROM_VM, ether={"dst": mac})
        yield from_vm(f"group-mac-{name}", f"{ids} {what}.", "drop GroupMac", frame)
    for name, what, mac in (
        ("broadcast", "The endpoint's datagram, broadcast to the VM. RFC 894", BROADCAST_MAC),
        ("guest-with-group-bit", "The guest's MAC with the group bit. IEEE 802.3 3.2.3", "03:76:aa:bb:cc:dd"),
    ):
        ids = "[SB-10] [EB-2]" if name == "broadcast" else "[SB-10]"
        frame = datagram(TO_VM, ether={"dst": mac})
        yield to_vm(f"group-mac-{name}", f"{ids} {what}.", "drop GroupMac", frame)
