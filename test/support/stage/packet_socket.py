"""Sends raw frames out of one interface, told line by line on standard input: hex, optionally the bytes of a segment.

A packet socket shares no code with what is tested. With a segment size the frame goes out as one UDP segmentation
super-frame (PACKET_VNET_HDR). Answers each line with "ok" or with the error.
"""
import errno
import socket
import struct
import sys

SOL_PACKET, PACKET_VNET_HDR = 263, 15
NEEDS_CHECKSUM, GSO_UDP_L4 = 1, 5
UDP_HEADER, UDP_CHECKSUM = 34, 6

device = sys.argv[1]
plain = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
plain.bind((device, 0))
segmented = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
segmented.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
segmented.bind((device, 0))
print("ready", flush=True)

for line in sys.stdin:
    words = line.split()
    frame = bytes.fromhex(words[0])
    try:
        if len(words) > 1:
            header = (NEEDS_CHECKSUM, GSO_UDP_L4, UDP_HEADER + 8, int(words[1]), UDP_HEADER, UDP_CHECKSUM)
            segmented.send(struct.pack("<BBHHHH", *header) + frame)
        else:
            plain.send(frame)
        print("ok", flush=True)
    except OSError as error:
        # What a program on the egress hook drops is told to the sender as "no buffer space".
        print("ok" if error.errno == errno.ENOBUFS else error, flush=True)
