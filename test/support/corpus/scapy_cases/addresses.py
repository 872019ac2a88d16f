# SPDX-License-Identifier: Apache-2.0
"""Whom the guest is and whom it talks to: one address and port each way, and everything that comes close."""

from typing import Any, Iterator

from .case import Case
from .cast import (
    ENDPOINT,
    ENDPOINT_PORT,
    FROM_VM,
    GATEWAY,
    GUEST,
    GUEST_PORT,
    NEIGHBOUR,
    PREVIOUS,
    PREVIOUS_PORT,
    STRANGER,
    TO_VM,
    both,
    datagram,
    from_vm,
    to_vm,
)

SWAPPED_PORT = (ENDPOINT_PORT & 0xFF) << 8 | ENDPOINT_PORT >> 8


def cases() -> Iterator[Case]:
    title = "[AL-2] [EB-2] The datagram that is allowed: right protocol, address and port. RFC 768."
    yield from both("allowed", title, "allow Allowed", datagram)
    yield from spoofed_sources()
    yield from destinations()
    yield from destination_ports()
    yield from source_ports()
    yield from inbound()
    yield from previous_endpoint()


def spoofed_sources() -> Iterator[Case]:
    for name, what, address in (
        ("of-a-neighbour", "Another VM's address. RFC 2827 3", NEIGHBOUR),
        ("of-a-stranger", "An address of the internet. RFC 2827 3", STRANGER),
        ("of-the-gateway", "The gateway's address. RFC 1812 5.3.8", GATEWAY),
        ("of-the-endpoint", "The endpoint's address, to itself: a land attack on the consumer. RFC 2827 3", ENDPOINT),
        ("zero", "0.0.0.0, this host. RFC 1122 3.2.1.3", "0.0.0.0"),
        ("multicast", "A multicast group, which is nobody's source. RFC 1122 3.2.1.3", "224.0.0.1"),
        ("last-bit-off", "The last bit of the guest's address flipped. RFC 791 3.1", "100.64.0.4"),
    ):
        ids = "[SB-1] [EB-2]" if name == "of-a-neighbour" else "[SB-1]"
        frame = datagram(ip={"src": address})
        yield from_vm(f"source-{name}", f"{ids} {what}.", "drop SourceAddress", frame)


def destinations() -> Iterator[Case]:
    for name, what, address, port in (
        ("of-a-stranger", "The endpoint's port at another address. RFC 768", STRANGER, ENDPOINT_PORT),
        ("dns", "A public DNS server. RFC 1035 4.2.1", "8.8.8.8", 53),
        ("metadata", "The cloud's metadata address. RFC 3927 2.7", "169.254.169.254", 80),
        ("gateway", "The gateway itself. RFC 768", GATEWAY, ENDPOINT_PORT),
        ("neighbour", "Another VM. RFC 6598 4", NEIGHBOUR, ENDPOINT_PORT),
        ("own-address", "A land attack: source and destination are the guest. RFC 791 3.1", GUEST, GUEST_PORT),
        ("broadcast", "The limited broadcast in a unicast frame. RFC 1122 3.3.6", "255.255.255.255", ENDPOINT_PORT),
        (
            "directed-broadcast",
            "The directed broadcast of the endpoint's network. RFC 2644",
            "203.0.113.255",
            ENDPOINT_PORT,
        ),
        ("multicast", "A multicast group in a unicast frame. RFC 1112 6.4", "224.0.0.251", 5353),
        ("one-above", "One above the endpoint's address. RFC 791 3.1", "203.0.113.11", ENDPOINT_PORT),
        ("one-below", "One below the endpoint's address. RFC 791 3.1", "203.0.113.9", ENDPOINT_PORT),
        ("reversed", "The endpoint's address in the wrong byte order. RFC 791 3.1", "10.113.0.203", ENDPOINT_PORT),
    ):
        ids = {"of-a-stranger": "[AL-2] [EB-2]", "broadcast": "[SB-7]", "directed-broadcast": "[SB-7]"}.get(
            name, "[AL-2]"
        )
        frame = datagram(ip={"dst": address}, udp={"dport": port})
        yield from_vm(f"destination-{name}", f"{ids} {what}.", "drop DestinationAddress", frame)


def destination_ports() -> Iterator[Case]:
    for port, what in (
        (0, "Port 0"),
        (53, "The endpoint's DNS port: a tunnel in questions"),
        (ENDPOINT_PORT - 1, "One below the endpoint's port"),
        (ENDPOINT_PORT + 1, "One above the endpoint's port"),
        (SWAPPED_PORT, "The endpoint's port in the wrong byte order"),
        (GUEST_PORT, "The guest's own port at the endpoint"),
        (65535, "Port 65535"),
    ):
        ids = "[AL-2] [EB-2]" if port == ENDPOINT_PORT + 1 else "[AL-2]"
        frame = datagram(udp={"dport": port})
        yield from_vm(f"destination-port-{port}", f"{ids} {what}. RFC 768.", "drop DestinationPort", frame)
    title = "[AL-2] The endpoint's port as the source, the guest's as the destination. RFC 768."
    frame = datagram(udp={"sport": ENDPOINT_PORT, "dport": GUEST_PORT})
    yield from_vm("ports-exchanged", title, "drop DestinationPort", frame)


def source_ports() -> Iterator[Case]:
    note = "RFC 768 allows source port 0, 'no reply wanted'; the specification does not."
    title = "[AL-2] [EB-2] Source port 0: nobody could answer. RFC 768."
    yield from_vm("source-port-0", title, "drop SourcePort", datagram(udp={"sport": 0}), note=note)
    for port in (1, 65535, ENDPOINT_PORT):
        title = f"[AL-2] Source port {port}: the guest's ports are its own. RFC 768."
        yield from_vm(f"source-port-{port}", title, "allow Allowed", datagram(udp={"sport": port}))


def inbound() -> Iterator[Case]:
    def refused(name: str, what: str, reason: str, **fields: Any) -> Case:
        frame = datagram(TO_VM, ip=fields.get("ip"), udp=fields.get("udp"))
        return to_vm(name, f"[SB-10] {what}.", f"drop {reason}", frame)

    for name, what, address in (
        ("stranger", "A stranger with the endpoint's port. RFC 768", STRANGER),
        ("neighbour", "Another VM. RFC 6598 4", NEIGHBOUR),
        ("gateway", "The gateway, the host that is. RFC 768", GATEWAY),
        ("own-address", "A land attack: from the guest to the guest. RFC 791 3.1", GUEST),
        ("one-above", "From one above the endpoint's address. RFC 791 3.1", "203.0.113.11"),
    ):
        what = f"[EB-2] {what}" if name == "stranger" else what
        yield refused(f"source-{name}", what, "SourceAddress", ip={"src": address})
    for port, what in (
        (0, "port 0"),
        (53, "its DNS port"),
        (ENDPOINT_PORT - 1, "one port below"),
        (65535, "port 65535"),
        (SWAPPED_PORT, "its port in the wrong byte order"),
    ):
        what = f"{'[EB-2] ' if port == 53 else ''}The endpoint's machine, from {what}. RFC 768"
        yield refused(f"source-port-{port}", what, "SourcePort", udp={"sport": port})
    for name, what, address in (
        ("neighbour", "[EB-2] The endpoint to another VM, on this tap. RFC 791 3.1", NEIGHBOUR),
        ("broadcast", "The endpoint to everybody. RFC 919 7", "255.255.255.255"),
        ("multicast", "The endpoint to a multicast group. RFC 1112 6.4", "224.0.0.1"),
        ("last-bit-off", "The last bit of the guest's address flipped. RFC 791 3.1", "100.64.0.4"),
        ("endpoint", "A land attack: from the endpoint to the endpoint. RFC 791 3.1", ENDPOINT),
    ):
        yield refused(f"destination-{name}", what, "DestinationAddress", ip={"dst": address})
    yield refused("destination-port-0", "[EB-2] To port 0 of the guest. RFC 768", "DestinationPort", udp={"dport": 0})
    for port in (1, 65535):
        title = f"[SB-10] The endpoint to port {port}: the guest's ports are the guest's. RFC 768."
        yield to_vm(f"destination-port-{port}", title, "allow Allowed", datagram(TO_VM, udp={"dport": port}))


def previous_endpoint() -> Iterator[Case]:
    def to_previous(address: str = PREVIOUS, port: int = PREVIOUS_PORT) -> bytes:
        return datagram(FROM_VM, ip={"dst": address}, udp={"dport": port})

    def from_previous(address: str = PREVIOUS, port: int = PREVIOUS_PORT) -> bytes:
        return datagram(TO_VM, ip={"src": address}, udp={"sport": port})

    alive, expired = "filtered previous=alive", "filtered previous=expired"
    note = "Another port of the previous endpoint's machine is no near miss: 'right address' is the endpoint's alone."
    for policy, state, expect in (
        (alive, "alive", "allow AllowedPreviousEndpoint"),
        (expired, "expired", "drop PreviousEndpointExpired"),
        ("filtered", "unknown", "drop"),
    ):
        what = {"alive": "within its grace", "expired": "its grace is over", "unknown": "there never was one"}[state]
        ids = "[SB-9] [EB-2]" if state != "unknown" else "[SB-9]"
        title = f"{ids} The previous endpoint, {what}. RFC 768."
        out = expect if state != "unknown" else "drop DestinationAddress"
        back = expect if state != "unknown" else "drop SourceAddress"
        yield from_vm(f"previous-{state}", title, out, to_previous(), policy=policy)
        yield to_vm(f"previous-{state}", f"[SB-10] {title}", back, from_previous(), policy=policy)
        if state == "unknown":
            continue
        title = f"[SB-9] The present endpoint while the previous one is known, {what}. RFC 768."
        yield from_vm(f"present-while-previous-{state}", title, "allow Allowed", datagram(), policy=policy)
        title = f"[SB-9] Another port of the previous endpoint's machine, {what}. RFC 768."
        frame = to_previous(port=PREVIOUS_PORT + 1)
        yield from_vm(
            f"previous-{state}-other-port", title, "drop DestinationAddress", frame, policy=policy, note=note
        )
    title = "[SB-9] The previous endpoint's address with the present one's port. RFC 768."
    yield from_vm(
        "previous-address-present-port",
        title,
        "drop DestinationAddress",
        to_previous(port=ENDPOINT_PORT),
        policy=alive,
        note=note,
    )
    title = "[SB-9] The present endpoint's address with the previous one's port. RFC 768."
    yield from_vm("present-address-previous-port", title, "drop DestinationPort", to_previous(ENDPOINT), policy=alive)
    title = "[SB-10] [SB-9] Another port of the previous endpoint's machine, within its grace. RFC 768."
    yield to_vm(
        "previous-alive-other-port",
        title,
        "drop SourceAddress",
        from_previous(port=PREVIOUS_PORT + 1),
        policy=alive,
        note=note,
    )
    title = "[SB-9] Source port 0 to the previous endpoint within its grace. RFC 768."
    frame = datagram(ip={"dst": PREVIOUS}, udp={"dport": PREVIOUS_PORT, "sport": 0})
    yield from_vm("previous-alive-source-port-0", title, "drop SourcePort", frame, policy=alive)
    title = "[SB-9] [SB-8] No WireGuard to the previous endpoint within its grace, strict. WireGuard 5.4."
    frame = datagram(FROM_VM, b"hello", ip={"dst": PREVIOUS}, udp={"dport": PREVIOUS_PORT})
    yield from_vm("previous-alive-strict", title, "drop NotWireGuard", frame, policy="filtered strict previous=alive")
