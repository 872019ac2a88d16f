# SPDX-License-Identifier: Apache-2.0
"""IPv4 options (RFC 791 3.1): all of them fall, and so none can carry a route, a record or a confusion."""

from typing import Any, Iterator, List

from scapy.layers.inet import (
    IPOption_EOL,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_RR,
    IPOption_Router_Alert,
    IPOption_Security,
    IPOption_SSRR,
    IPOption_Timestamp,
)
from scapy.packet import Raw

from .case import Case
from .cast import FROM_VM, STRANGER, TO_VM, Side, both, datagram, from_vm, link, packet, to_vm


def cases() -> Iterator[Case]:
    yield from routes()
    yield from other_options()
    yield from broken_options()


def optioned(side: Side, options: List[Any]) -> bytes:
    return datagram(side, ip={"options": options})


def raw_options(side: Side, octets: str) -> bytes:
    """Options that scapy would refuse to write or would mend: the words between header and datagram by hand."""
    words = bytes.fromhex(octets)
    inner = datagram(side)[34:]
    return link(side, packet(side, Raw(words + inner), proto=17, ihl=5 + len(words) // 4))


def routes() -> Iterator[Case]:
    title = "[SB-3] [EB-2] A loose source route by way of a stranger. RFC 791 3.1, type 131; RFC 7126 4.3."
    yield from both(
        "options-loose-source-route",
        title,
        "drop IpOptions",
        lambda side: optioned(side, [IPOption_LSRR(routers=[STRANGER])]),
    )
    title = "[SB-3] A strict source route by way of a stranger. RFC 791 3.1, type 137; RFC 7126 4.4."
    yield from both(
        "options-strict-source-route",
        title,
        "drop IpOptions",
        lambda side: optioned(side, [IPOption_SSRR(routers=[STRANGER])]),
    )
    title = "[SB-3] A loose source route hidden behind a no-operation. RFC 791 3.1, type 131."
    frame = optioned(FROM_VM, [IPOption_NOP(), IPOption_LSRR(routers=[STRANGER])])
    yield from_vm("options-source-route-behind-nop", title, "drop IpOptions", frame)
    title = "[SB-3] [IP-2] The longest source route, nine hops in a header of 60 bytes. RFC 791 3.1, type 131."
    frame = optioned(FROM_VM, [IPOption_LSRR(routers=[f"192.0.2.{hop}" for hop in range(1, 10)])])
    yield from_vm("options-longest-source-route", title, "drop IpOptions", frame)


def other_options() -> Iterator[Case]:
    for name, what, options in (
        ("end-of-list", "Nothing but the end of the list: no option at all. RFC 791 3.1, type 0", [IPOption_EOL()]),
        ("record-route", "Record route, `ping -R`. RFC 791 3.1, type 7", [IPOption_RR(routers=["0.0.0.0"] * 3)]),
        ("timestamp", "Internet timestamp. RFC 791 3.1, type 68", [IPOption_Timestamp(flg=1)]),
        (
            "router-alert",
            "Router alert: every router on the way is to look. RFC 2113 2.1, type 148",
            [IPOption_Router_Alert()],
        ),
        ("security", "Basic security. RFC 1108 2, type 130", [IPOption_Security()]),
    ):
        yield from_vm(f"options-{name}", f"[SB-3] {what}.", "drop IpOptions", optioned(FROM_VM, options))
    title = "[SB-3] Record route on the way in. RFC 791 3.1, type 7."
    frame = optioned(TO_VM, [IPOption_RR(routers=["0.0.0.0"] * 3)])
    yield to_vm("options-record-route", f"[SB-10] {title}", "drop IpOptions", frame)


def broken_options() -> Iterator[Case]:
    for name, what, octets in (
        ("length-0", "An option of length 0, which never ends. RFC 791 3.1", "83000000"),
        ("length-past-the-header", "An option that is longer than the header. RFC 791 3.1", "83280401"),
    ):
        yield from_vm(f"options-{name}", f"[SB-3] {what}.", "drop IpOptions", raw_options(FROM_VM, octets))
