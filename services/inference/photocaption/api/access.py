"""Authentication by optional API keys, of which the service stores only hashes, and a rate limit for each key.

A key is a long random string (`python -m photocaption.keys` makes one), so a plain SHA-256 is as good as a slow hash.
"""

import hashlib
import hmac
import math
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Scope

from photocaption.api.problems import RATE_LIMITED, UNAUTHORIZED, ProblemError
from photocaption.serving.settings import Settings

_MINUTE = 60.0
_MAX_ADDRESS_CHARACTERS = 64
_WITH_PORT = re.compile(r"\[([^]]+)\](?::\d*)?|([^:]+):\d*")
_IPV6_PREFIX = 64  # bits, of the network that a provider gives to one customer

_bearer = HTTPBearer(auto_error=False, description="Needed only where the operator has set API keys.")


@dataclass(slots=True)
class _TokenBucket:
    """Photos that a key may still send, refilled over a minute; negative after a request with many."""

    photos: float
    updated: float


class Gatekeeper:
    """Checks API keys and charges photos to their rate limits; without keys in the settings, everyone has access."""

    def __init__(self, settings: Settings) -> None:
        entries = (entry.partition(":") for entry in settings.api_keys)
        self._names = {digest: name for name, _, digest in entries}
        self._rate = settings.rate_limit
        self._buckets = {name: _TokenBucket(self._rate, time.monotonic()) for name in self._names.values()}

    def authenticate(self, key: str | None) -> str | None:
        """The name of `key`, after charging a photo to it; None where no key is needed. Raises a `ProblemError`."""
        if not self._names:
            return None
        name = self._recognise(key or "")
        if name is None:
            detail = (
                "This API key is not known." if key else "Send an API key in the header 'Authorization: Bearer <key>'."
            )
            raise ProblemError(UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
        if self._rate:
            self._spend(self._buckets[name])
        return name

    def charge(self, name: str | None, photos: int) -> None:
        """Charge further photos to the key of that name; its bucket may become negative."""
        if name is not None and self._rate:
            self._buckets[name].photos -= photos

    def _recognise(self, key: str) -> str | None:
        digest = hashlib.sha256(key.encode()).hexdigest()
        # Every hash is compared, each in constant time, against timing attacks.
        matches = [name for known, name in self._names.items() if hmac.compare_digest(known, digest)]
        return matches[0] if matches else None

    def _spend(self, bucket: _TokenBucket) -> None:
        now = time.monotonic()
        refill = (now - bucket.updated) * self._rate / _MINUTE
        bucket.photos = min(self._rate, bucket.photos + refill)
        bucket.updated = now
        if bucket.photos < 1:
            wait = math.ceil((1 - bucket.photos) * _MINUTE / self._rate)
            detail = f"This API key may send {self._rate} photos a minute. Please try again in {wait} seconds."
            raise ProblemError(RATE_LIMITED, detail, retry_after=wait)
        bucket.photos -= 1


async def require_access(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Dependency of the routes that need a key where keys are set."""
    gatekeeper: Gatekeeper = request.app.state.gatekeeper
    request.state.key_name = gatekeeper.authenticate(credentials.credentials if credentials else None)


def charge_photos(request: Request, count: int) -> str:
    """Charge a request's photos to its key; returns the name of the client."""
    gatekeeper: Gatekeeper = request.app.state.gatekeeper
    gatekeeper.charge(request.state.key_name, count - 1)  # `require_access` has charged one
    return name_client(request)


def name_client(request: Request) -> str:
    """The client that a request's photos are counted for: the name of its key, or its network."""
    name: str | None = request.state.key_name
    return name or find_network(request.scope, request.app.state.service.settings.trusted_proxies)


def find_network(scope: Scope, proxies: int) -> str:
    """The client's network, by the first of the `proxies` in front of the service."""
    address = scope["client"][0] if scope["client"] else ""
    if proxies:
        forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for")).split(",")
        address = forwarded[-proxies:][0].strip()[:_MAX_ADDRESS_CHARACTERS] or address
    return name_network(address)


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
