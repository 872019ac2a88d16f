# SPDX-License-Identifier: Apache-2.0
"""What systems say into the wild by themselves, and what a hostile one says in the name of others."""

from typing import Iterator

from scapy.contrib.igmp import IGMP
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP
from scapy.packet import Packet, Raw

from .case import Case
from .cast import (
    BROADCAST_MAC,
    ENDPOINT_PORT,
    FROM_VM,
    GATEWAY,
    GUEST,
    GUEST_MAC,
    NEIGHBOUR,
    NEIGHBOUR_MAC,
    STRANGER,
    TO_VM,
    from_vm,
    link,
    packet,
    to_vm,
)

SEARCH = b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nST: ssdp:all\r\n\r\n'
CLIENT = bytes.fromhex(GUEST_MAC.replace(":", ""))


def cases() -> Iterator[Case]:
    yield from dhcp()
    yield from multicast()
    yield from inbound()


def offer(client_mac: str, address: str) -> Packet:
    chaddr = bytes.fromhex(client_mac.replace(":", ""))
    options = [("message-type", "offer"), ("server_id", GUEST), ("router", GUEST), ("name_server", GUEST), "end"]
    return BOOTP(op=2, xid=7, yiaddr=address, siaddr=GUEST, chaddr=chaddr) / DHCP(options=options)


def multicast_mac(group: str) -> str:
    """RFC 1112 6.4: the last 23 bits of the group behind 01:00:5e."""
    _, second, third, fourth = (int(part) for part in group.split("."))
    return f"01:00:5e:{second & 0x7F:02x}:{third:02x}:{fourth:02x}"


def dhcp() -> Iterator[Case]:
    discover = BOOTP(xid=7, chaddr=CLIENT) / DHCP(options=[("message-type", "discover"), "end"])
    frame = link(
        FROM_VM, IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / discover, dst=BROADCAST_MAC
    )
    yield from_vm("dhcp-discover", "[SB-7] DHCP: is there a server? RFC 2131 3.1.", "drop GroupMac", frame)
    title = "[SB-7] DHCP discover sent to the gateway's MAC: its source is 0.0.0.0. RFC 2131 4.1."
    frame = link(FROM_VM, IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / discover)
    yield from_vm("dhcp-discover-unicast", title, "drop SourceAddress", frame)
    title = "[SB-7] DHCP: the guest offers others an address, itself the router. RFC 2131 3.1."
    answer = UDP(sport=67, dport=68) / offer(NEIGHBOUR_MAC, NEIGHBOUR)
    frame = link(FROM_VM, IP(src=GUEST, dst="255.255.255.255") / answer, dst=BROADCAST_MAC)
    yield from_vm("dhcp-offer-broadcast", title, "drop GroupMac", frame)
    title = "[SB-7] DHCP: the guest offers one neighbour an address, by way of the gateway. RFC 2131 4.1."
    frame = link(FROM_VM, IP(src=GUEST, dst=NEIGHBOUR) / answer)
    yield from_vm("dhcp-offer-unicast", title, "drop DestinationAddress", frame)


def multicast() -> Iterator[Case]:
    question = DNS(id=0, qd=DNSQR(qname="printer.local"))
    for name, what, group, payload, fields in (
        (
            "mdns",
            "Multicast DNS: who is printer.local? RFC 6762 3",
            "224.0.0.251",
            UDP(sport=5353, dport=5353) / question,
            {"ttl": 255},
        ),
        (
            "ssdp",
            "SSDP. UPnP 1.1 1.3.2; RFC 1112 6.4",
            "239.255.255.250",
            UDP(sport=50000, dport=1900) / Raw(SEARCH),
            {"ttl": 2},
        ),
        (
            "igmp-report",
            "IGMPv2: I would hear mDNS. RFC 2236 3",
            "224.0.0.251",
            IGMP(type=0x16, gaddr="224.0.0.251"),
            {"ttl": 1},
        ),
        (
            "vrrp",
            "VRRP: the guest would be the router. RFC 5798 5.1",
            "224.0.0.18",
            VRRP(version=2, addrlist=[GATEWAY]),
            {"ttl": 255, "proto": 112},
        ),
        (
            "endpoints-port",
            "The endpoint's port at a group. RFC 1112 6.4",
            "224.1.2.3",
            UDP(sport=40000, dport=ENDPOINT_PORT),
            {},
        ),
    ):
        frame = bytes(Ether(src=GUEST_MAC, dst=multicast_mac(group)) / IP(src=GUEST, dst=group, **fields) / payload)
        yield from_vm(f"multicast-{name}", f"[SB-7] {what}.", "drop GroupMac", frame)
    title = "[SB-7] NetBIOS names, broadcast in the guest's own network. RFC 1002 4.2.12."
    body = Raw(bytes.fromhex("0001 0110 0001 0000 0000 0000") + bytes(38))
    frame = link(FROM_VM, packet(FROM_VM, UDP(sport=137, dport=137) / body, dst="100.64.255.255"), dst=BROADCAST_MAC)
    yield from_vm("broadcast-netbios", title, "drop GroupMac", frame)


def inbound() -> Iterator[Case]:
    title = "[SB-10] [SB-7] A DHCP offer to the guest alone. RFC 2131 4.1."
    body = UDP(sport=67, dport=68) / offer(GUEST_MAC, "192.0.2.5")
    yield to_vm("dhcp-offer", title, "drop SourceAddress", link(TO_VM, IP(src=GATEWAY, dst=GUEST) / body))
    title = "[SB-10] [SB-7] A DHCP offer to all. RFC 2131 4.1."
    frame = link(TO_VM, IP(src=GATEWAY, dst="255.255.255.255") / body, dst=BROADCAST_MAC)
    yield to_vm("dhcp-offer-broadcast", title, "drop GroupMac", frame)
    title = "[SB-10] A DNS answer that nobody asked for. RFC 1035 4.2.1."
    frame = link(TO_VM, IP(src=STRANGER, dst=GUEST) / UDP(sport=53, dport=40000) / DNS(id=1, qr=1))
    yield to_vm("dns-answer", title, "drop SourceAddress", frame)
