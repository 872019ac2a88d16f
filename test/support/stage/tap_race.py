"""What a VM manager and a guest do in the moments after a tap was made, as fast as they can.

    tap_race.py race NAME BRIDGE COUNT GUEST_IP HOST_IP FAR_IP   makes taps NAME0, NAME1, ... one after the other
    tap_race.py send DEVICE GUEST_IP                             floods a bridge from a mate's side, until its input ends
    tap_race.py listen GUEST_IP                                  counts a guest's datagrams to the host, likewise

A race: the tap is made, a guest floods it at once, and meanwhile it is switched on, put into the bridge, taken out again, in
one of several orders. Prints, for each, what the guest could write and what it was given: JSON, one object a line.
"""
import errno
import fcntl
import json
import mmap
import os
import random
import select
import socket
import struct
import sys
import time

MARK = b"vmn-guard-race"
GUEST_MAC = bytes.fromhex("027600000077")
BROADCAST = b"\xff" * 6
PORT = 9

TUNSETIFF, SIOCSIFFLAGS, SIOCBRADDIF, SIOCBRDELIF = 0x400454CA, 0x8914, 0x89A2, 0x89A3
IFF_TAP, IFF_NO_PI, IFF_UP = 0x0002, 0x1000, 0x1

# By letter: up, down, into the bridge (b), out of it (x). The first is libvirt's order, the third that of a routed tap.
ORDERS = ["bu", "ub", "u", "buxdub", "ubxb", "ubx", "bux"]


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF


def udp(source, destination, pseudo):
    length = 8 + len(MARK)
    head = struct.pack("!HHHH", 40000, PORT, length, 0)
    total = checksum(pseudo(length) + head + MARK)
    return struct.pack("!HHHH", 40000, PORT, length, total) + MARK


def ipv4(source, destination):
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    payload = udp(source, destination, lambda length: ends + struct.pack("!BBH", 0, 17, length))
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, 17, 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(source, destination):
    ends = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination)
    payload = udp(source, destination, lambda length: ends + struct.pack("!II", length, 17))
    return struct.pack("!IHBB", 0x60000000, len(payload), 17, 64) + ends + payload


def arp(operation, mac, sender, target):
    ends = mac + socket.inet_aton(sender) + b"\0" * 6 + socket.inet_aton(target)
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + ends + MARK


def frame(destination, ethertype, payload, source=GUEST_MAC):
    return destination + source + struct.pack("!H", ethertype) + payload


def from_guest(guest, host, far, host_macs):
    link_local, everybody = "fe80::77", "ff02::1"
    frames = [
        frame(BROADCAST, 0x0806, arp(1, GUEST_MAC, guest, host)),
        frame(BROADCAST, 0x0806, arp(1, GUEST_MAC, guest, guest)),
        frame(BROADCAST, 0x0800, ipv4(guest, "255.255.255.255")),
        frame(b"\x33\x33\0\0\0\x01", 0x86DD, ipv6(link_local, everybody)),
        frame(BROADCAST, 0x88B6, MARK * 4),  # nobody's protocol
        frame(BROADCAST, 0x8100, struct.pack("!HH", 7, 0x0800) + ipv4(guest, "255.255.255.255")),
        frame(b"\x01\x80\xc2\0\0\x0e", 0x88CC, MARK * 4),  # LLDP
        frame(b"\x01\x80\xc2\0\0\0", 3 + len(MARK), b"\x42\x42\x03" + MARK),  # where bridges talk to each other
        frame(b"\x01\0\x5e\0\0\x01", 0x0800, ipv4(guest, "224.0.0.1")),
        frame(bytes.fromhex("027600000099"), 0x0800, ipv4(guest, far)),  # a MAC that the bridge does not know
    ]
    for mac in host_macs:
        frames += [frame(mac, 0x0800, ipv4(guest, host)), frame(mac, 0x0800, ipv4(guest, far))]
    return frames


def to_guest(guest, source):
    return [
        frame(BROADCAST, 0x0806, arp(1, source, "192.0.2.50", guest), source),
        frame(BROADCAST, 0x0800, ipv4("192.0.2.50", "255.255.255.255"), source),
        frame(GUEST_MAC, 0x0800, ipv4("192.0.2.50", guest), source),
        frame(b"\x33\x33\0\0\0\x01", 0x86DD, ipv6("fe80::50", "ff02::1"), source),
        frame(BROADCAST, 0x88B6, MARK * 4, source),
    ]


def mac_of(name):
    with socket.socket() as control:
        found = fcntl.ioctl(control, 0x8927, struct.pack("16s24x", name.encode()))
    return found[18:24]


class Race:
    def __init__(self, name, bridge, control):
        self.name, self.bridge, self.control = name.encode(), bridge.encode(), control
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", self.name, IFF_TAP | IFF_NO_PI))
        # Written, read: of the guest, which is another process.
        self.counts = mmap.mmap(-1, 16)

    def written(self):
        return struct.unpack_from("=Q", self.counts, 0)[0]

    def flood(self, frames):
        parent = os.getppid()
        written = read = at = 0
        while os.getppid() == parent:
            for _ in range(16):
                try:
                    os.write(self.fd, frames[at % len(frames)])
                    written += 1
                except OSError as error:
                    if error.errno not in (errno.EIO, errno.EAGAIN):
                        raise
                at += 1
            try:
                while True:
                    os.read(self.fd, 2048)
                    read += 1
            except OSError as error:
                if error.errno not in (errno.EIO, errno.EAGAIN):
                    raise
            struct.pack_into("=QQ", self.counts, 0, written, read)

    def step(self, letter):
        if letter in "ud":
            flags = IFF_UP if letter == "u" else 0
            fcntl.ioctl(self.control, SIOCSIFFLAGS, struct.pack("16sH22x", self.name, flags))
        else:
            request = struct.pack("16si20x", self.bridge, socket.if_nametoindex(self.name.decode()))
            fcntl.ioctl(self.control, SIOCBRADDIF if letter == "b" else SIOCBRDELIF, request)

    def run(self, frames, order):
        guest = os.fork()
        if guest == 0:
            try:
                self.flood(frames)
            finally:
                os._exit(0)
        try:
            for letter in order:
                time.sleep(random.random() * 0.002)
                self.step(letter)
            # It has sent all its kinds of frames some times since, and the host had time for a word of its own.
            enough, end = self.written() + 8 * len(frames), time.monotonic() + 20
            time.sleep(0.012)
            while self.written() < enough and time.monotonic() < end:
                time.sleep(0.001)
        finally:
            os.kill(guest, 9)
            os.waitpid(guest, 0)
        # Who the host thinks is on the tap itself.
        with open("/proc/thread-self/net/arp") as table:
            neighbours = sum(line.split()[-1] == self.name.decode() for line in table)
        os.close(self.fd)
        written, read = struct.unpack("=QQ", self.counts[:16])
        return {"order": order, "written": written, "read": read, "neighbours": neighbours}


def race(name, bridge, count, guest, host, far):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for number in range(int(count)):
            order = ORDERS[number % len(ORDERS)]
            made = Race(f"{name}{number}", bridge, control)
            # It changes with the tap: both may be what the guest takes for its gateway.
            frames = from_guest(guest, host, far, {mac_of(bridge), mac_of(f"{name}{number}")})
            print(json.dumps(made.run(frames, order)), flush=True)


def ended():
    return select.select([sys.stdin], [], [], 0)[0] != []


def send(device, guest):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((device, 0))
        frames = to_guest(guest, mac_of(device))
        while not ended():
            for each in frames:
                out.send(each)
            time.sleep(0.001)


def listen(guest):
    sockets = []
    for family, place in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        taker = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            taker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taker.bind((place, PORT))
        sockets.append(taker)
    counts = {"ipv4": 0, "ipv6": 0}
    print("ready", flush=True)
    while True:
        for ready in select.select([sys.stdin, *sockets], [], [])[0]:
            if ready is sys.stdin:
                print(json.dumps(counts), flush=True)
                return
            _, sender = ready.recvfrom(2048)
            if sender[0].split("%")[0] in (guest, "fe80::77"):
                counts["ipv4" if ready is sockets[0] else "ipv6"] += 1


ROLES = {"race": race, "send": send, "listen": listen}
ROLES[sys.argv[1]](*sys.argv[2:])
