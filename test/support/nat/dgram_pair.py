# SPDX-License-Identifier: Apache-2.0
"""dgram_pair.py PROGRAM CONTROL: runs vmn-nat on one end of a pair of datagram sockets, as QEMU -netdev dgram would have it.
Frames for the other end come by standard input, each after its length in 32 bits, and leave likewise by standard output."""

import os
import socket
import struct
import sys
import threading

ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
os.set_inheritable(its.fileno(), True)
engine = os.spawnv(
    os.P_NOWAIT, sys.argv[1], [sys.argv[1], "--control", sys.argv[2], "--guest", f"fd:{its.fileno()}"]
)
its.close()


def outwards():
    while True:
        frame = ours.recv(65536)
        sys.stdout.buffer.write(struct.pack(">I", len(frame)) + frame)
        sys.stdout.buffer.flush()


threading.Thread(target=outwards, daemon=True).start()
while prefix := sys.stdin.buffer.read(4):
    ours.send(sys.stdin.buffer.read(struct.unpack(">I", prefix)[0]))
os.kill(engine, 9)
os.waitpid(engine, 0)
os._exit(0)
