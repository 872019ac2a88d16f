# SPDX-License-Identifier: Apache-2.0
"""Opens one more queue of the tap in argv[1] and writes frames to it: one a line of standard input, in hexadecimal."""

import fcntl
import os
import struct
import sys

IFREQ = "16sH22x"
TUNSETIFF = 0x400454CA
TUNGETIFF = 0x800454D2
TUNGETVNETHDRSZ = 0x800454D7
IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x0100, 0x1000, 0x4000

queue = os.open("/dev/net/tun", os.O_RDWR)
wanted = struct.pack(IFREQ, sys.argv[1].encode(), IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE)
fcntl.ioctl(queue, TUNSETIFF, wanted)
# Queues share one way to write: with a header of virtio before each frame if the first of them had it.
_, flags = struct.unpack(IFREQ, fcntl.ioctl(queue, TUNGETIFF, bytes(struct.calcsize(IFREQ))))
(size,) = struct.unpack("i", fcntl.ioctl(queue, TUNGETVNETHDRSZ, struct.pack("i", 0)))
header = bytes(size) if flags & IFF_VNET_HDR else b""
for line in sys.stdin:
    os.write(queue, header + bytes.fromhex(line))
