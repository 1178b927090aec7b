"""One HTTP exchange with the inference service under one deadline, which `requests` alone does not offer."""

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3
from requests.adapters import HTTPAdapter

MAX_ANSWER_BYTES = 4 * 2**20
_CHUNK_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status, the headers (names of any case) and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def make_session(connections: int) -> requests.Session:
    """A session that keeps `connections` open, and takes nothing from the environment: no proxies, no credentials."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("http://", HTTPAdapter(pool_maxsize=connections))
    session.mount("https://", HTTPAdapter(pool_maxsize=connections))
    return session


def exchange(session: requests.Session, request: requests.Request, *, connect: float, deadline: float) -> Reply:
    """Send `request` and read the whole reply before `deadline` on the monotonic clock, connecting within `connect` s.

    Raises `requests.Timeout` when the time is up, `requests.RequestException` for every other failure of the transport.
    """
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise requests.ReadTimeout
    prepared = session.prepare_request(request)
    timeout = (min(connect, remaining), remaining)
    try:
        with session.send(prepared, stream=True, timeout=timeout, allow_redirects=False) as response:
            return Reply(response.status_code, response.headers, _read_body(response, deadline))
    except requests.RequestException as error:
        _release_frames(error)
        raise


def _release_frames(error: BaseException) -> None:
    """Clear the frames of the error's traceback: they hold the photo and, as a cycle, the error."""
    chained: BaseException | None = error
    while chained is not None:
        traceback.clear_frames(chained.__traceback__)
        chained = chained.__cause__ or chained.__context__


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """Read in pieces until the deadline: a read timeout alone would begin again with every byte."""
    body = bytearray()
    try:
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise requests.ReadTimeout
            if len(body) > MAX_ANSWER_BYTES:
                raise requests.exceptions.ChunkedEncodingError
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout from error
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError from error
    return bytes(body)
