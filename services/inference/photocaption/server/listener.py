"""Opens the listening socket, and closes it without losing connections that the kernel has already established.

When a listening socket is closed, Linux resets the connections that wait to be accepted, and one can arrive between the
last `accept` and `close`. So listening ends in two steps: first a packet filter drops requests for new connections, and
those that were established before are accepted; then the socket is closed. A client whose request is dropped repeats it
one second later.
"""

import contextlib
import ctypes
import resource
import socket
import struct

ACCEPTED_AT_ONCE = 64  # connections that the event loop takes before it does anything else
_OTHER_FILES = 128  # that the process has open beside connections: decoders, the model, its log, and a reserve
BACKLOG = 2048  # connections that wait to be accepted
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
    """Raise the limit on open files for so many connections and all other files. Raises `FewFilesError`.

    Without a free file, connections would wait instead of being refused, and the process could not open its own files.
    """
    needed = connections + ACCEPTED_AT_ONCE + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise FewFilesError(f"{connections} connections need {needed} open files, but the process may have {hard}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def open_listener(host: str, port: int) -> socket.socket:
    """A socket that listens on an address, IPv4 or IPv6. Raises OSError.

    Its connections have TCP_NODELAY, which asyncio sets only for sockets that name their protocol. Without it, the body
    of an answer waits for the client's acknowledgement of the head, which may be delayed by 40 ms.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def drop_new_connections(listener: socket.socket) -> bool:
    """Refuse new connections to `listener`; returns whether the system can do that."""
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
