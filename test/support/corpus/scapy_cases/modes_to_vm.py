# SPDX-License-Identifier: Apache-2.0
"""The other modes towards the VM: the destination is identity there, the remote end is not."""

from typing import Iterator

from scapy.layers.inet import ICMP

from .arp import answer
from .case import Case
from .cast import NEIGHBOUR, PREVIOUS, PREVIOUS_PORT, STRANGER, TO_VM, datagram, link, packet, to_vm
from .wireguard import of

PREVIOUS_IN = datagram(TO_VM, ip={"src": PREVIOUS}, udp={"sport": PREVIOUS_PORT})


def cases() -> Iterator[Case]:
    ping = link(TO_VM, packet(TO_VM, ICMP(type=8, id=1, seq=1), src=STRANGER))
    for name, what, reason, frame, words in (
        ("ping-of-a-stranger", "A stranger's ping. RFC 792, type 8", "Protocol", ping, ""),
        ("stranger", "A stranger. RFC 768", "SourceAddress", datagram(TO_VM, ip={"src": STRANGER}), ""),
        (
            "source-port",
            "Another port of the endpoint's. RFC 768",
            "SourcePort",
            datagram(TO_VM, udp={"sport": 53}),
            "",
        ),
        (
            "previous-expired",
            "The previous endpoint after its grace. RFC 768",
            "PreviousEndpointExpired",
            PREVIOUS_IN,
            " previous=expired",
        ),
        (
            "destination-port-0",
            "To port 0 of the guest. RFC 768",
            "DestinationPort",
            datagram(TO_VM, udp={"dport": 0}),
            "",
        ),
        (
            "not-wireguard",
            "No WireGuard, strict. WireGuard 5.4",
            "NotWireGuard",
            datagram(TO_VM, of(5, 32)),
            " strict",
        ),
    ):
        title = f"[SB-10] [FS-4] Audit counts it and lets it pass. {what}."
        yield to_vm(f"audit-{name}", title, f"allow {reason} audited", frame, policy="filtered audit" + words)
    title = "[SB-10] [FS-3] A stranger, not drawn. RFC 768."
    yield to_vm(
        "unsampled-stranger",
        title,
        "allow AllowedUnsampled",
        datagram(TO_VM, ip={"src": STRANGER}),
        policy="sampled=0",
    )
    title = "[SB-10] [FS-3] A stranger, drawn. RFC 768."
    yield to_vm(
        "sampled-stranger",
        title,
        "drop SourceAddress",
        datagram(TO_VM, ip={"src": STRANGER}),
        policy="sampled=1000000",
    )
    for mode, how in (
        ("filtered audit", "Audit does not forgive it"),
        ("sampled=0", "Not drawn, and dropped all the same"),
    ):
        prefix = "audit" if "audit" in mode else "unsampled"
        title = f"[SB-10] [FS-1] {how}. The endpoint to another VM on this tap. RFC 791 3.1."
        frame = datagram(TO_VM, ip={"dst": NEIGHBOUR})
        yield to_vm(f"{prefix}-destination-neighbour", title, "drop DestinationAddress", frame, policy=mode)
        title = (
            f"[SB-10] [FS-1] {how}, for the first rule it breaks. A stranger to another VM on this tap. RFC 791 3.1."
        )
        frame = datagram(TO_VM, ip={"src": STRANGER, "dst": NEIGHBOUR})
        yield to_vm(f"{prefix}-stranger-to-neighbour", title, "drop SourceAddress", frame, policy=mode)
        title = f"[SB-10] [FS-1] {how}. The host's ARP. RFC 826."
        yield to_vm(f"{prefix}-arp-from-host", title, "drop ArpFromHost", answer(), policy=mode)
