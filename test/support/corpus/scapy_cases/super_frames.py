# SPDX-License-Identifier: Apache-2.0
"""
Frames that stand for several (virtio 1.2 5.1.6.2: VIRTIO_NET_HDR_GSO_UDP_L4; Linux: SKB_GSO_UDP_L4). The host cuts the
payload of one datagram into datagrams of `segments` bytes after the filter judged it, so each piece has to be allowed.
"""

from typing import Iterator

from scapy.layers.inet import TCP
from scapy.packet import Raw

from .case import Case
from .cast import (
    FROM_VM,
    KEEP_ALIVE,
    NEIGHBOUR,
    STRANGER,
    TO_VM,
    both,
    datagram,
    from_vm,
    link,
    packet,
    pad,
    to_vm,
)
from .wireguard import initiation, of, response, transport

STRICT = "filtered strict"
LIMITED = "filtered max-packet=1500"
VIRTIO = "virtio 1.2 5.1.6.2"


def cases() -> Iterator[Case]:
    yield from counts()
    yield from geometry()
    yield from sizes()
    yield from shapes()
    yield from other_rules()
    yield from inbound()


def counts() -> Iterator[Case]:
    """One to 128 segments; Linux' UDP_MAX_SEGMENTS is 128 since 6.10 and 64 before."""
    for name, what, payload_bytes, expect in (
        ("1-segment", "Exactly one segment", 32, "allow Allowed"),
        ("half-a-segment", "Less than one segment", 20, "allow Allowed"),
        ("128-segments", "128 segments, as many as there may be", 4096, "allow Allowed"),
        ("128-segments-last-short", "127 segments and a short one", 4065, "allow Allowed"),
        ("129-segments-last-short", "128 segments and a short one", 4097, "drop SuperFrame"),
        ("129-segments", "129 segments", 4128, "drop SuperFrame"),
    ):
        ids = "[SB-5] [EB-2]" if name == "129-segments" else "[SB-5]"
        frame = datagram(payload=bytes(payload_bytes))
        yield from_vm(f"super-frame-{name}", f"{ids} {what}. {VIRTIO}.", expect, frame, segments=32)


def geometry() -> Iterator[Case]:
    two = datagram(payload=KEEP_ALIVE * 2)
    title = f"[SB-5] Segments of 0 bytes: as many as one likes. {VIRTIO}."
    yield from_vm("super-frame-of-0-byte-segments", title, "drop SuperFrame", two, segments=0)
    title = f"[SB-5] No payload to cut. {VIRTIO}."
    yield from_vm("super-frame-without-payload", title, "drop SuperFrame", datagram(payload=b""), segments=32)
    title = f"[SB-5] A byte behind the packet: the host would cut it into the last segment. {VIRTIO}."
    yield from_vm("super-frame-padded", title, "drop SuperFrame", pad(two, len(two) + 1), segments=32)
    title = f"[SB-5] [EB-2] Segmentation of another kind than UDP's own, of UDP fragments say. {VIRTIO}, UFO."
    yield from both(
        "super-frame-other", title, "drop SuperFrame", lambda side: datagram(side, bytes(2944)), super_frame=True
    )
    title = f"[SB-5] TCP segmentation: TCP is refused first. {VIRTIO}, TSO."
    frame = link(FROM_VM, packet(FROM_VM, TCP(dport=443, flags="A") / Raw(bytes(2920))))
    yield from_vm("super-frame-tcp", title, "drop Protocol", frame, super_frame=True)
    title = f"[SB-5] UDP segmentation asked for a TCP packet. {VIRTIO}."
    yield from_vm("super-frame-udp-kind-on-tcp", title, "drop Protocol", frame, segments=1460)


def sizes() -> Iterator[Case]:
    for segment, expect in ((1472, "allow Allowed"), (1473, "drop PacketTooBig")):
        title = (
            f"[SB-5] Segments that become packets of {segment + 28} bytes under a limit of 1500. RFC 894; {VIRTIO}."
        )
        frame = datagram(payload=bytes(segment * 2))
        yield from_vm(f"super-frame-{segment}-byte-segments", title, expect, frame, policy=LIMITED, segments=segment)
    title = f"[SB-5] One packet of 1501 bytes that says it is one segment. RFC 894; {VIRTIO}."
    frame = datagram(payload=bytes(1473))
    yield from_vm("super-frame-one-big-segment", title, "drop PacketTooBig", frame, policy=LIMITED, segments=1473)
    title = f"[SB-5] The longest there is: 65507 bytes in 45 segments of 1472. RFC 791 3.1; {VIRTIO}."
    yield from_vm(
        "super-frame-of-65535-bytes",
        title,
        "allow Allowed",
        datagram(payload=bytes(65507)),
        policy=LIMITED,
        segments=1472,
        checksum_at=40,
    )


def shapes() -> Iterator[Case]:
    """Strict: a bad segment among good ones is what a super-frame could hide."""
    good, bad = transport(48), of(5, 48)
    for name, what, payload, segment, expect in (
        ("all-wireguard", "Four keep-alives", KEEP_ALIVE * 4, 32, "allow Allowed"),
        ("first-bad", "The first of four segments has type 5", bad + good * 3, 48, "drop NotWireGuard"),
        ("middle-bad", "The third of five segments has type 5", good * 2 + bad + good * 2, 48, "drop NotWireGuard"),
        ("last-bad", "The last of four segments has type 5", good * 3 + bad, 48, "drop NotWireGuard"),
        ("last-short-good", "The last segment is short and a keep-alive", good * 3 + KEEP_ALIVE, 48, "allow Allowed"),
        ("last-short-bad", "The last segment is short and no message", good * 3 + of(4, 16), 48, "drop NotWireGuard"),
        ("last-1-byte", "The last segment is one byte", good * 3 + b"\4", 48, "drop NotWireGuard"),
        ("128th-bad", "The last of 128 segments has type 5", KEEP_ALIVE * 127 + of(5, 32), 32, "drop NotWireGuard"),
        (
            "initiation-then-response",
            "An initiation, then a response",
            initiation() + response(),
            148,
            "allow Allowed",
        ),
        ("wrong-cut", "Good messages of 48 bytes cut every 32 bytes", good * 4, 32, "drop NotWireGuard"),
    ):
        title = f"[SB-5] [SB-8] {what}, strict. WireGuard 5.4; {VIRTIO}."
        yield from_vm(
            f"super-frame-{name}", title, expect, datagram(payload=payload), policy=STRICT, segments=segment
        )
    title = f"[SB-5] Segments of no shape while the policy is not strict. {VIRTIO}."
    yield from_vm("super-frame-unstrict", title, "allow Allowed", datagram(payload=bad * 4), segments=48)


def other_rules() -> Iterator[Case]:
    payload = KEEP_ALIVE * 4
    for name, what, expect, frame in (
        (
            "to-a-stranger",
            "to a stranger",
            "drop DestinationAddress",
            datagram(payload=payload, ip={"dst": STRANGER}),
        ),
        (
            "spoofed",
            "from another VM's address",
            "drop SourceAddress",
            datagram(payload=payload, ip={"src": NEIGHBOUR}),
        ),
        ("fragment", "that is a fragment", "drop IpFragment", datagram(payload=payload, ip={"flags": "MF"})),
        (
            "total-length-0",
            "whose total length is 0, as of more than 65535 bytes",
            "drop IpTotalLength",
            datagram(payload=payload, ip={"len": 0}),
        ),
    ):
        title = f"[SB-5] A super-frame {what}. RFC 791 3.1; RFC 768; {VIRTIO}."
        yield from_vm(f"super-frame-{name}", title, expect, frame, segments=32)
    title = f"[SB-5] A super-frame with its checksum left to the host, as drivers send them. {VIRTIO}."
    yield from_vm(
        "super-frame-pending-checksum", title, "allow Allowed", datagram(payload=payload), segments=32, checksum_at=40
    )
    title = f"[SB-5] A super-frame whose checksum would be written into the first segment. {VIRTIO}."
    yield from_vm(
        "super-frame-checksum-in-payload",
        title,
        "drop ChecksumOffload",
        datagram(payload=payload),
        segments=32,
        checksum_at=44,
    )


def inbound() -> Iterator[Case]:
    payload = KEEP_ALIVE * 4
    for name, what, expect, frame, policy, segment in (
        (
            "received",
            "What the uplink merged of the endpoint's datagrams (GRO)",
            "allow Allowed",
            datagram(TO_VM, payload),
            STRICT,
            32,
        ),
        (
            "from-a-stranger",
            "Merged datagrams of a stranger's",
            "drop SourceAddress",
            datagram(TO_VM, payload, ip={"src": STRANGER}),
            "filtered",
            32,
        ),
        ("129-segments", "129 segments", "drop SuperFrame", datagram(TO_VM, bytes(4128)), "filtered", 32),
        (
            "middle-bad",
            "The second of three segments has type 5, strict",
            "drop NotWireGuard",
            datagram(TO_VM, transport(48) + of(5, 48) + transport(48)),
            STRICT,
            48,
        ),
    ):
        title = f"[SB-10] [SB-5] {what}. RFC 768; {VIRTIO}."
        yield to_vm(f"super-frame-{name}", title, expect, frame, policy=policy, segments=segment)
