# SPDX-License-Identifier: Apache-2.0
"""ARP towards the VM (RFC 826): the filter's own answer as it made it, and nothing else."""

from typing import Iterator

from scapy.layers.l2 import ARP

from .arp import ZERO_MAC, answer
from .case import Case
from .cast import (
    BROADCAST_MAC,
    GATEWAY,
    GATEWAY_MAC,
    GUEST,
    NEIGHBOUR,
    NEIGHBOUR_MAC,
    STRANGER,
    STRANGER_MAC,
    TO_VM,
    datagram,
    link,
    pad,
    to_vm,
)


def cases() -> Iterator[Case]:
    title = "[SB-10] [EB-2] The filter's own answer to the guest, in 42 bytes. RFC 826."
    yield to_vm("arp-answer", title, "allow ArpAnswered", answer(), answer=True)
    yield from from_the_host()
    yield from not_as_made()
    title = "[SB-10] A datagram of a stranger's marked as the filter's own answer: the mark is for ARP only. RFC 826."
    frame = datagram(TO_VM, ip={"src": STRANGER})
    yield to_vm("answer-mark-on-a-datagram", title, "drop SourceAddress", frame, answer=True)


def question(destination: str = BROADCAST_MAC, **fields: str) -> bytes:
    arp = {"hwsrc": GATEWAY_MAC, "psrc": GATEWAY, "hwdst": ZERO_MAC, "pdst": GUEST, **fields}
    return link(TO_VM, ARP(op=1, **arp), dst=destination)


def from_the_host() -> Iterator[Case]:
    for name, what, frame in (
        ("answer-unmarked", "The very answer, from somebody else: it lacks the mark. RFC 826", answer()),
        ("request", "The host asks who has the guest's address. RFC 826", question()),
        ("announcement", "A gratuitous announcement of the gateway's. RFC 5227 2.3", question(pdst=GATEWAY)),
    ):
        ids = "[SB-10] [EB-2]" if name == "answer-unmarked" else "[SB-10] [SB-1]"
        yield to_vm(f"arp-{name}", f"{ids} {what}.", "drop ArpFromHost", frame)
    title = "[SB-10] [SB-1] A stranger's Ethernet source, the gateway's inside the packet. RFC 826."
    yield to_vm("arp-from-a-strangers-mac", title, "drop SourceMac", answer({"src": STRANGER_MAC}), answer=True)
    title = "[SB-10] The answer to another VM on this VM's tap. RFC 826."
    frame = answer({"dst": NEIGHBOUR_MAC}, hwdst=NEIGHBOUR_MAC, pdst=NEIGHBOUR)
    yield to_vm("arp-answer-to-a-neighbour", title, "drop DestinationMac", frame, answer=True)


def not_as_made() -> Iterator[Case]:
    """Marked as the filter's own and not what it makes: closed, for the mark can be set by root on the host."""
    for name, what, frame in (
        ("sender-mac", "the sender's MAC is a stranger's", answer(hwsrc=STRANGER_MAC)),
        ("sender-address", "it speaks about the neighbour's address", answer(psrc=NEIGHBOUR)),
        ("target-mac", "it names another target MAC", answer(hwdst=NEIGHBOUR_MAC)),
        ("broadcast", "it is broadcast", answer({"dst": BROADCAST_MAC})),
        ("cut", "its last byte is missing", answer()[:41]),
        ("padded", "it has padding, 60 bytes in all", pad(answer(), 60)),
    ):
        title = f"[SB-10] Marked as the filter's own answer, but {what}. RFC 826."
        yield to_vm(f"arp-marked-{name}", title, "drop ArpFromHost", frame, answer=True)
    title = "[SB-10] Marked as the filter's own answer, but a checksum is still to be written into it. RFC 826."
    yield to_vm("arp-marked-pending-checksum", title, "drop ArpFromHost", answer(), answer=True, checksum_at=40)
