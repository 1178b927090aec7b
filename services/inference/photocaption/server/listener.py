"""Starts to listen, and stops without losing a connection that the kernel has already made.

When a listening socket is closed, Linux resets the connections that wait to be accepted, and one can come between the
last `accept` and `close`. So listening ends in two steps: first a packet filter drops requests for new connections, and
those that were made until then are accepted; then the socket is closed. A client whose request is dropped repeats it
one second later, and finds nobody listening, or our successor.
"""

import contextlib
import ctypes
import resource
import socket
import struct

ACCEPTED_AT_ONCE = 64  # connections that the event loop takes before it does anything else
_OTHER_FILES = 128  # that the process has open beside connections: decoders, the model, its log, and a reserve
_BACKLOG = 2048
_SO_ATTACH_FILTER = 26
_FLAGS_OFFSET = 13  # of a TCP header: RFC 9293, section 3.1
_SYN = 0x02
# Classic BPF, as (code, jump if true, jump if false, constant); a socket's filter sees a packet from its TCP header on.
_DROP_NEW_CONNECTIONS = (
    (0x30, 0, 0, _FLAGS_OFFSET),  # load a byte
    (0x45, 0, 1, _SYN),  # are these bits set?
    (0x06, 0, 0, 0),  # yes: drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # no: pass all of it
)


class FewFilesError(Exception):
    """The process may not open as many files as its connections need."""


def reserve_files(connections: int) -> None:
    """Let the process have so many connections open, and all else beside them. Raises `FewFilesError`.

    Who comes when no file is left is not refused but kept waiting, and what the process needs itself cannot be opened.
    """
    needed = connections + ACCEPTED_AT_ONCE + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise FewFilesError(f"{connections} connections need {needed} open files, but the process may have {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def restore_backlog(listener: socket.socket) -> None:
    """Let the kernel keep more connections than the event loop, which has set that to what it takes at once."""
    listener.listen(_BACKLOG)


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens on an address, IPv4 or IPv6. Raises OSError.

    Its connections send what they are given at once. asyncio sees to that only for sockets that name their protocol,
    which these do not. Without it, the body of an answer waits until the client has acknowledged its head, for which a
    client that keeps its connection takes 40 ms.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def drop_new_connections(listener: socket.socket) -> bool:
    """Have no new connections made to `listener`; whether the system can do that."""
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_NEW_CONNECTIONS)
    buffer = ctypes.create_string_buffer(program, len(program))
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HP", len(_DROP_NEW_CONNECTIONS), ctypes.addressof(buffer)),
        )
        return True
    return False
