"""A semaphore for slow work, of which no client can hold all slots."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from threading import Lock

_SHARE = 0.75  # of the slots, that one client may hold
_WITH_PORT = re.compile(r"\[([^]]+)\](?::\d*)?|([^:]+):\d*")
_IPV6_PREFIX = 64  # bits, of the network that a provider gives to one customer


class Slots:
    """`count` slots, of which one client may hold three quarters; thread-safe. Nobody waits for one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._share = math.ceil(_SHARE * count)
        self._held = Counter[str]()
        self._lock = Lock()

    @contextmanager
    def take(self, address: str) -> Iterator[bool]:
        """Whether the client at this address holds a slot for the length of the block."""
        client = name_network(address)
        with self._lock:
            taken = self._held.total() < self._count and self._held[client] < self._share
            self._held[client] += taken
        try:
            yield taken
        finally:
            with self._lock:
                self._held[client] -= taken
                self._held += Counter()  # forgets who has none


@lru_cache(maxsize=4096)
def name_network(address: str) -> str:
    """The network that a client is counted by: its address; with IPv6 the /64 that a provider gives a customer.

    Some proxies send a port with the address; anything else that they send is taken as it is.
    """
    if with_port := _WITH_PORT.fullmatch(address):
        address = with_port[1] or with_port[2]
    if ":" not in address:
        return address
    try:
        sixteen = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(sixteen.ipv4_mapped or IPv6Network((sixteen, _IPV6_PREFIX), strict=False))
