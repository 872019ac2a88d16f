# SPDX-License-Identifier: Apache-2.0
"""The UDP header (RFC 768): its length agrees with the packet's exactly, its checksum is the endpoint's business."""

from typing import Iterator

from .case import Case
from .cast import both, cut_datagram, datagram, from_vm, pad


def cases() -> Iterator[Case]:
    for length, what in (
        (0, "0, which IPv6 jumbograms use. RFC 2675 4"),
        (7, "7, one less than the header"),
        (8, "8, a header alone: the payload would be nobody's"),
        (65535, "65535, in a short packet"),
    ):
        title = f"[IP-4] A UDP length of {what}{'' if 'RFC' in what else '. RFC 768'}."
        yield from_vm(f"udp-length-{length}", title, "drop UdpLength", datagram(udp={"len": length}))
    title = "[IP-4] [EB-2] A UDP length of one less than the packet carries. RFC 768."
    yield from both("udp-length-minus-1", title, "drop UdpLength", lambda side: datagram(side, udp={"len": 39}))
    title = "[IP-4] A UDP length of one more than the packet carries. RFC 768."
    yield from both("udp-length-plus-1", title, "drop UdpLength", lambda side: datagram(side, udp={"len": 41}))
    title = "[IP-4] A UDP length that counts the padding behind the packet. RFC 768; RFC 894."
    frame = pad(datagram(payload=b"1234", udp={"len": 26}), 60)
    yield from_vm("udp-length-counts-padding", title, "drop UdpLength", frame)
    title = "[IP-4] A UDP length in the wrong byte order. RFC 768."
    yield from_vm("udp-length-swapped", title, "drop UdpLength", datagram(udp={"len": 0x2800}))
    title = "[IP-4] Four bytes of a UDP header, the ports alone, and padding where the length would be. RFC 768."
    yield from both(
        "udp-header-cut-after-the-ports", title, "drop UdpLength", lambda side: pad(cut_datagram(side, 24), 60)
    )
    note = "No rule looks at the UDP checksum: a wrong one harms nobody but its own datagram, at the endpoint."
    for name, what, value in (
        ("none", "No checksum: zero says that none was computed. RFC 768", 0),
        ("wrong", "A wrong checksum. RFC 1122 4.1.3.4", 0xBAD0),
        ("ones", "A checksum of all ones, which stands for a computed zero. RFC 768", 0xFFFF),
    ):
        yield from_vm(
            f"udp-checksum-{name}", f"[IP-4] {what}.", "allow Allowed", datagram(udp={"chksum": value}), note=note
        )
    title = "[IP-4] One byte of payload. RFC 768."
    yield from_vm("udp-payload-of-1-byte", title, "allow Allowed", datagram(payload=b"x"))
