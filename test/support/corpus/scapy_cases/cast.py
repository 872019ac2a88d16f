# SPDX-License-Identifier: Apache-2.0
"""Who plays, as the format of the case files fixes it, and the one datagram that everything else is bent from."""

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, Optional

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from .case import Case

GUEST_MAC = "02:76:aa:bb:cc:dd"
GUEST = "100.64.0.5"
GUEST_PORT = 40000
GATEWAY_MAC = "02:76:6d:6e:00:01"
GATEWAY = "169.254.1.1"
ENDPOINT = "203.0.113.10"
ENDPOINT_PORT = 51900
PREVIOUS = "198.51.100.7"
PREVIOUS_PORT = 51820

NEIGHBOUR_MAC = "02:76:aa:bb:cc:de"
NEIGHBOUR = "100.64.0.6"
STRANGER_MAC = "00:00:5e:00:53:66"  # RFC 7042 2.1.2: for documentation
STRANGER = "192.0.2.66"
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"

# WireGuard whitepaper 5.4.6: type 4, reserved zero, receiver, counter, an empty packet's 16-byte tag.
KEEP_ALIVE = bytes.fromhex("04000000 11223344 0700000000000000") + bytes(range(0xA0, 0xB0))


@dataclass(frozen=True)
class Side:
    """The addresses of the one conversation that is allowed, as they stand in a frame of this direction."""

    direction: str
    source_mac: str
    destination_mac: str
    source: str
    destination: str
    sport: int
    dport: int


FROM_VM = Side("from-vm", GUEST_MAC, GATEWAY_MAC, GUEST, ENDPOINT, GUEST_PORT, ENDPOINT_PORT)
TO_VM = Side("to-vm", GATEWAY_MAC, GUEST_MAC, ENDPOINT, GUEST, ENDPOINT_PORT, GUEST_PORT)


def link(side: Side, payload: Packet, **fields: Any) -> bytes:
    """The frame that carries `payload`; scapy derives the EtherType from the layer that follows."""
    return bytes(Ether(**{"src": side.source_mac, "dst": side.destination_mac, **fields}) / payload)


def packet(side: Side, payload: Packet, **fields: Any) -> Packet:
    return IP(**{"src": side.source, "dst": side.destination, **fields}) / payload


def datagram(
    side: Side = FROM_VM,
    payload: bytes = KEEP_ALIVE,
    ether: Optional[Dict[str, Any]] = None,
    ip: Optional[Dict[str, Any]] = None,
    udp: Optional[Dict[str, Any]] = None,
) -> bytes:
    """The allowed datagram of a direction, with fields replaced."""
    segment = UDP(**{"sport": side.sport, "dport": side.dport, **(udp or {})})
    if payload:
        segment = segment / Raw(payload)
    return link(side, packet(side, segment, **(ip or {})), **(ether or {}))


def cut_datagram(side: Side, packet_bytes: int) -> bytes:
    """An IPv4 packet that says UDP, is complete by its own word, and ends after `packet_bytes` (20 to 27)."""
    headers = bytes(UDP(sport=side.sport, dport=side.dport, len=8, chksum=0))[: packet_bytes - 20]
    return link(side, packet(side, Raw(headers), proto=17))


def bend(frame: bytes, at: int, replacement: bytes) -> bytes:
    """The frame with bytes replaced, nothing recomputed."""
    if at + len(replacement) > len(frame):
        raise ValueError(f"{len(replacement)} bytes at {at} are not inside {len(frame)} bytes")
    return frame[:at] + replacement + frame[at + len(replacement) :]


def seal(frame: bytes) -> bytes:
    """The frame with the checksum of its 20-byte IPv4 header made right again."""
    bare = bend(frame, 24, b"\0\0")
    return bend(bare, 24, checksum(bare[14:34]).to_bytes(2, "big"))


def pad(frame: bytes, length: int) -> bytes:
    return frame + bytes(length - len(frame))


def from_vm(name: str, title: str, expect: str, frame: bytes, **circumstances: Any) -> Case:
    return Case(name, title, "from-vm", expect, frame, **circumstances)


def to_vm(name: str, title: str, expect: str, frame: bytes, **circumstances: Any) -> Case:
    return Case(f"to-vm-{name}", title, "to-vm", expect, frame, **circumstances)


def both(name: str, title: str, expect: str, build: Callable[[Side], bytes], **circumstances: Any) -> Iterator[Case]:
    """The same attempt in both directions; towards the VM it also serves the inbound row of the acceptance table."""
    yield from_vm(name, title, expect, build(FROM_VM), **circumstances)
    inbound = title if title.startswith("[SB-10]") else f"[SB-10] {title}"
    yield to_vm(name, inbound, expect, build(TO_VM), **circumstances)
