"""API keys, rate limits and CORS: off unless asked for, strict when asked for."""

import httpx
import pytest
from support.photos import photo_bytes
from support.problems import check_problem
from support.serving import Serve

from photocaption import keys
from photocaption.api.access import find_network, name_network

pytestmark = pytest.mark.anyio

RED = photo_bytes("red")
PNG = {"Content-Type": "image/png"}
ORIGIN = "https://friend.example"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_known_key_is_let_in(serve: Serve) -> None:
    key, entry = keys.make_key("someone")
    _, other = keys.make_key("another")
    async with serve(api_keys=(other, entry)) as client:
        assert (await client.post("/caption", content=RED, headers=PNG | bearer(key))).status_code == 200
        assert (await client.get("/model", headers=bearer(key))).status_code == 200


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), {"Authorization": "Basic d2hv"}, bearer("é")])
@pytest.mark.parametrize("route", ["/caption", "/captions", "/model"])
async def test_nobody_else_is(serve: Serve, route: str, headers: dict[str, str]) -> None:
    _, entry = keys.make_key("someone")
    async with serve(api_keys=(entry,)) as client:
        method = "GET" if route == "/model" else "POST"
        response = await client.request(
            method, route, headers=[(name.encode(), value.encode()) for name, value in headers.items()]
        )

        check_problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"


async def test_the_hash_of_a_key_is_no_key(serve: Serve) -> None:
    _, entry = keys.make_key("someone")
    async with serve(api_keys=(entry,)) as client:
        check_problem(await client.get("/model", headers=bearer(entry.partition(":")[2])), 401, "unauthorized")


async def test_probes_need_no_key(serve: Serve) -> None:
    async with serve(api_keys=(keys.make_key("someone")[1],)) as client:
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_key_beyond_its_rate_waits_and_others_do_not(serve: Serve) -> None:
    key, entry = keys.make_key("someone")
    other_key, other_entry = keys.make_key("another")
    async with serve(api_keys=(entry, other_entry), rate_limit=2) as client:
        statuses = [(await client.get("/model", headers=bearer(key))).status_code for _ in range(2)]
        refused = await client.get("/model", headers=bearer(key))

        assert statuses == [200, 200]
        assert 1 <= check_problem(refused, 429, "rate-limited")["retry_after"] <= 30
        assert (await client.get("/model", headers=bearer(other_key))).status_code == 200


async def test_a_rate_counts_photos(serve: Serve) -> None:
    key, entry = keys.make_key("someone")
    photos = [("image", (f"{n}.png", photo_bytes("red"), "image/png")) for n in range(8)]
    async with serve(api_keys=(entry,), rate_limit=10) as client:
        statuses = [(await client.post("/captions", files=photos, headers=bearer(key))).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]


async def test_a_rate_recovers(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("photocaption.api.access.time.monotonic", lambda: now)
    key, entry = keys.make_key("someone")
    async with serve(api_keys=(entry,), rate_limit=1) as client:
        assert (await client.get("/model", headers=bearer(key))).status_code == 200
        assert (await client.get("/model", headers=bearer(key))).status_code == 429
        now += 60
        assert (await client.get("/model", headers=bearer(key))).status_code == 200


async def test_pages_of_other_origins_are_not_let_in_by_default(client: httpx.AsyncClient) -> None:
    response = await client.get("/model", headers={"Origin": ORIGIN})

    assert "access-control-allow-origin" not in response.headers


async def test_pages_of_a_named_origin_are(serve: Serve) -> None:
    async with serve(cors_origins=(ORIGIN,)) as client:
        added = "authorization,baggage,traceparent,x-requested-with,x-stainless-os"  # some by libraries
        preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": added}
        friend = await client.options("/caption", headers={"Origin": ORIGIN} | preflight)
        stranger = await client.get("/model", headers={"Origin": "https://stranger.example"})
        error = await client.get("/nowhere", headers={"Origin": ORIGIN})

    assert friend.status_code == 200
    assert friend.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-origin" not in stranger.headers
    assert error.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:2::3", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("192.0.2.7:49152", "192.0.2.7"),
        ("[2001:db8:0:1:2::3]:49152", "2001:db8:0:1::/64"),
        ("no address: at all", "no address: at all"),
        ("", ""),
    ],
)
async def test_whoever_has_a_network_of_addresses_is_one_client(address: str, network: str) -> None:
    assert name_network(address) == network


@pytest.mark.parametrize(
    ("proxies", "forwarded", "network"),
    [
        (0, ["192.0.2.7"], "198.51.100.1"),
        (1, [], "198.51.100.1"),
        (1, ["192.0.2.6, 192.0.2.7"], "192.0.2.7"),
        (1, ["192.0.2.6", "2001:db8::1"], "2001:db8::/64"),
        (2, ["192.0.2.5, 192.0.2.6, 192.0.2.7"], "192.0.2.6"),
        (2, ["192.0.2.7"], "192.0.2.7"),
    ],
)
async def test_proxies_that_are_trusted_tell_whose_request_it_is(
    proxies: int, forwarded: list[str], network: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "client": ("198.51.100.1", 5000), "headers": headers}

    assert find_network(scope, proxies) == network
