"""Puts another program behind pinned links, as an agent of another version would have: one that drops everything.

Bare bpf(2) calls, so that it shares nothing with our loader.
"""
import ctypes
import os
import platform
import struct
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
BPF_PROG_LOAD, BPF_OBJ_GET, BPF_LINK_UPDATE = 5, 7, 29
BPF_PROG_TYPE_SCHED_CLS = 3
TC_ACT_SHOT = 2

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 144)
    result = libc.syscall(SYS_BPF, command, buffer, len(buffer))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


drop = struct.pack("<BBhiBBhi", 0xB7, 0, 0, TC_ACT_SHOT, 0x95, 0, 0, 0)  # r0 = TC_ACT_SHOT; exit
code, licence = ctypes.create_string_buffer(drop), ctypes.create_string_buffer(b"GPL")
program = bpf(
    BPF_PROG_LOAD,
    struct.pack("<IIQQ", BPF_PROG_TYPE_SCHED_CLS, 2, ctypes.addressof(code), ctypes.addressof(licence)),
)
for pin in sys.argv[1:]:
    path = ctypes.create_string_buffer(pin.encode())
    link = bpf(BPF_OBJ_GET, struct.pack("<QII", ctypes.addressof(path), 0, 0))
    bpf(BPF_LINK_UPDATE, struct.pack("<IIII", link, program, 0, 0))
