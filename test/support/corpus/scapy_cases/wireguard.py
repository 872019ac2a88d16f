# SPDX-License-Identifier: Apache-2.0
"""
The shape of WireGuard (whitepaper 5.4) under a strict policy: type, three reserved zeros, length. Messages are scapy's,
filled with a pattern so that no field behind the first four bytes can decide anything.
"""

from typing import Iterator

from scapy.contrib.wireguard import (
    Wireguard,
    WireguardCookieReply,
    WireguardInitiation,
    WireguardResponse,
    WireguardTransport,
)
from scapy.layers.dns import DNS, DNSQR

from .case import Case
from .cast import FROM_VM, KEEP_ALIVE, TO_VM, both, datagram, from_vm, to_vm

STRICT = "filtered strict"
PATTERN = bytes(range(1, 256))
SECTION = {1: "5.4.2", 2: "5.4.3", 3: "5.4.7", 4: "5.4.6"}
ARTICLE = {1: "An initiation", 2: "A response", 3: "A cookie reply"}
NAME = {1: "initiation", 2: "response", 3: "cookie-reply"}


def initiation() -> bytes:
    message = WireguardInitiation(
        sender_index=1,
        unencrypted_ephemeral=PATTERN[:32],
        encrypted_static=PATTERN[:48],
        encrypted_timestamp=PATTERN[:28],
        mac1=PATTERN[:16],
        mac2=bytes(16),
    )
    return bytes(Wireguard() / message)


def response() -> bytes:
    message = WireguardResponse(
        sender_index=1,
        receiver_index=2,
        unencrypted_ephemeral=PATTERN[:32],
        encrypted_nothing=PATTERN[:16],
        mac1=PATTERN[:16],
        mac2=bytes(16),
    )
    return bytes(Wireguard() / message)


def cookie_reply() -> bytes:
    return bytes(
        Wireguard() / WireguardCookieReply(receiver_index=2, nonce=PATTERN[:24], encrypted_cookie=PATTERN[:32])
    )


def transport(length: int) -> bytes:
    """A transport message of `length` bytes, its 16-byte header included."""
    body = (PATTERN * (length // 255 + 1))[: length - 16]
    return bytes(Wireguard() / WireguardTransport(receiver_index=2, counter=7, encrypted_encapsulated_packet=body))


def of(message_type: int, length: int) -> bytes:
    """Bytes that differ from a message in the type or the length only."""
    return (bytes([message_type, 0, 0, 0]) + PATTERN * (length // 255 + 1))[:length]


def cases() -> Iterator[Case]:
    yield from messages()
    yield from lengths()
    yield from types()
    yield from reserved_bytes()
    yield from transports()
    yield from other_payloads()


def messages() -> Iterator[Case]:
    for number, build in ((1, initiation), (2, response), (3, cookie_reply)):
        payload = build()
        assert len(payload) == {1: 148, 2: 92, 3: 64}[number]
        title = f"[SB-8] {ARTICLE[number]} of {len(payload)} bytes, strict. WireGuard {SECTION[number]}."
        yield from both(
            f"wireguard-{NAME[number]}", title, "allow Allowed", lambda side: datagram(side, payload), policy=STRICT
        )


def lengths() -> Iterator[Case]:
    for number, right in ((1, 148), (2, 92), (3, 64)):
        for length in (right - 1, right + 1):
            title = f"[SB-8] {ARTICLE[number]} of {length} bytes instead of {right}. WireGuard {SECTION[number]}."
            frame = datagram(payload=of(number, length))
            yield from_vm(
                f"wireguard-{NAME[number]}-of-{length}-bytes", title, "drop NotWireGuard", frame, policy=STRICT
            )
    for number, length, other in ((1, 92, "a response"), (2, 148, "an initiation"), (4, 148, "an initiation")):
        title = f"[SB-8] Type {number} with the length of {other}. WireGuard {SECTION[number]}."
        frame = datagram(payload=of(number, length))
        yield from_vm(f"wireguard-type-{number}-of-{length}-bytes", title, "drop NotWireGuard", frame, policy=STRICT)
    title = "[SB-10] [SB-8] An initiation one byte short, strict. WireGuard 5.4.2."
    frame = datagram(TO_VM, of(1, 147))
    yield to_vm("wireguard-initiation-of-147-bytes", title, "drop NotWireGuard", frame, policy=STRICT)


def types() -> Iterator[Case]:
    for number, length in ((0, 32), (5, 32), (132, 32), (255, 64)):
        title = f"[SB-8] Type {number}, which there is not, in {length} bytes. WireGuard 5.4."
        frame = datagram(payload=of(number, length))
        yield from_vm(f"wireguard-type-{number}-of-{length}-bytes", title, "drop NotWireGuard", frame, policy=STRICT)
    title = "[SB-10] [SB-8] Type 5, which there is not. WireGuard 5.4."
    yield to_vm("wireguard-type-5", title, "drop NotWireGuard", datagram(TO_VM, of(5, 32)), policy=STRICT)
    title = "[SB-8] The type in the wrong byte order: 00 00 00 04. WireGuard 5.4."
    frame = datagram(payload=bytes.fromhex("00000004") + KEEP_ALIVE[4:])
    yield from_vm("wireguard-type-swapped", title, "drop NotWireGuard", frame, policy=STRICT)


def reserved_bytes() -> Iterator[Case]:
    for byte in (1, 2, 3):
        bent = KEEP_ALIVE[:byte] + b"\x01" + KEEP_ALIVE[byte + 1 :]
        title = f"[SB-8] Reserved byte {byte} of a keep-alive is 1: a place to hide bits. WireGuard 5.4.6."
        yield from_vm(
            f"wireguard-transport-reserved-byte-{byte}",
            title,
            "drop NotWireGuard",
            datagram(payload=bent),
            policy=STRICT,
        )
    title = "[SB-8] A reserved byte of an initiation is 255. WireGuard 5.4.2."
    frame = datagram(payload=b"\1\0\0\xff" + initiation()[4:])
    yield from_vm("wireguard-initiation-reserved-byte-3", title, "drop NotWireGuard", frame, policy=STRICT)
    title = "[SB-10] [SB-8] Reserved bytes used as a client's id, as some services do. WireGuard 5.4."
    frame = datagram(TO_VM, b"\x04\xab\xcd\xef" + KEEP_ALIVE[4:])
    yield to_vm("wireguard-reserved-bytes", title, "drop NotWireGuard", frame, policy=STRICT)


def transports() -> Iterator[Case]:
    for length, expect, what in (
        (16, "drop NotWireGuard", "a header without a tag"),
        (31, "drop NotWireGuard", "one byte of the tag is missing"),
        (32, "allow Allowed", "a keep-alive"),
        (33, "drop NotWireGuard", "one byte behind the tag"),
        (47, "drop NotWireGuard", "one byte short of a block"),
        (48, "allow Allowed", "one block of payload"),
        (1440, "allow Allowed", "1408 bytes of payload, the largest multiple of 16 under the usual MTU of 1420"),
        (1472, "allow Allowed", "as much as a packet of 1500 bytes holds"),
    ):
        title = f"[SB-8] A transport message of {length} bytes: {what}. WireGuard 5.4.6."
        frame = datagram(payload=transport(length))
        yield from_vm(f"wireguard-transport-of-{length}-bytes", title, expect, frame, policy=STRICT)
    for length, expect in ((31, "drop NotWireGuard"), (32, "allow Allowed"), (33, "drop NotWireGuard")):
        title = f"[SB-10] [SB-8] A transport message of {length} bytes. WireGuard 5.4.6."
        frame = datagram(TO_VM, transport(length))
        yield to_vm(f"wireguard-transport-of-{length}-bytes", title, expect, frame, policy=STRICT)
    note = (
        "A packet is padded to 16, but never beyond the MTU of the tunnel, so a full one of an MTU of 1420 is odd"
        " (calculate_skb_padding of Linux). No tunnel has an MTU below the 576 of RFC 791."
    )
    for length, expect, what in (
        (607, "drop NotWireGuard", "odd, and shorter than a full packet of any tunnel"),
        (608, "allow Allowed", "a full packet of a tunnel with an MTU of 576"),
        (609, "allow Allowed", "a full packet of a tunnel with an MTU of 577"),
        (1452, "allow Allowed", "a full packet of a tunnel with the usual MTU of 1420"),
    ):
        title = f"[SB-8] A transport message of {length} bytes: {what}. WireGuard 5.4.6."
        yield from both(
            f"wireguard-transport-of-{length}-bytes",
            title,
            expect,
            lambda side: datagram(side, transport(length)),
            policy=STRICT,
            note=note,
        )


def other_payloads() -> Iterator[Case]:
    question = bytes(DNS(id=1, rd=1, qd=DNSQR(qname="example.org")))
    for name, what, payload in (
        ("empty", "no payload at all. RFC 768", b""),
        ("3-bytes", "three bytes: too few for a type and its reserved bytes. WireGuard 5.4", b"\x04\x00\x00"),
        ("dns", "a DNS question. RFC 1035 4.1.1", question),
        ("quic", "a QUIC initial packet. RFC 9000 17.2.2", (bytes.fromhex("c300000001 08") + PATTERN * 6)[:1200]),
        ("openvpn", "an OpenVPN hard reset, type 0x38. RFC 768", b"\x38" + PATTERN[:13]),
        ("text", "text of 32 bytes. RFC 768", b"exfiltrated by plain old UDP: 42"),
    ):
        ids = "[SB-8] [EB-2]" if name == "dns" else "[SB-8]"
        frame = datagram(payload=payload)
        yield from_vm(f"not-wireguard-{name}", f"{ids} Strict: {what}.", "drop NotWireGuard", frame, policy=STRICT)
    title = "[SB-8] The same DNS question while the policy is not strict. RFC 1035 4.1.1."
    yield from_vm("not-wireguard-dns-unstrict", title, "allow Allowed", datagram(FROM_VM, question))
    title = "[SB-10] [SB-8] [EB-2] A DNS answer from the endpoint, strict. RFC 1035 4.1.1."
    yield to_vm("not-wireguard-dns", title, "drop NotWireGuard", datagram(TO_VM, question), policy=STRICT)
    title = "[SB-10] The same DNS answer while the policy is not strict. RFC 1035 4.1.1."
    yield to_vm("not-wireguard-dns-unstrict", title, "allow Allowed", datagram(TO_VM, question))
