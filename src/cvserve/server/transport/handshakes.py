"""TCP handshakes at a listening socket: how no new one is begun while those that have begun come to their end.

Between the last `accept` and `close`, the kernel may finish another connection, which `close` then resets. So the
kernel is told before to drop the first packet of every new handshake (Linux: a classic BPF filter, socket(7)). A client
whose packet was dropped sends it again a second later, and then is refused, or meets the server that came next.
"""

import contextlib
import ctypes
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26
# Each instruction is a code, two jumps and an operand (linux/filter.h).
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_FLAGS_OFFSET = 13  # in the header of TCP (RFC 9293 section 3.1)
_SYN, _SYN_OR_ACK = 0x02, 0x12
_DROP_NEW = (
    (_LOAD_BYTE, 0, 0, _FLAGS_OFFSET),
    (_AND, 0, 0, _SYN_OR_ACK),
    (_JUMP_IF_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),  # no byte of it is kept
    (_RETURN, 0, 0, 0xFFFF_FFFF),
)


def stop_new_handshakes(listening: socket.socket) -> bool:
    """Let the kernel begin no new connection at this socket; False where that cannot be had."""
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _DROP_NEW))
    with contextlib.suppress(OSError):
        descriptor = struct.pack("HL", len(_DROP_NEW), ctypes.addressof(program))
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, descriptor)
        return True
    return False
