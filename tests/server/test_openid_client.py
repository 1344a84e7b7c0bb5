"""What is remembered of a provider, for how long, and when it is asked again."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from server.errors import Forbidden, Unavailable
from server.openid import fetching
from server.openid.client import Answer, Client
from server.settings.providers import Provider
from tests.journeys.rogue_provider import CLIENT, SECRET, Rogue, Tenant, fresh_key, running
from tests.processes import until
from tests.programs import path_of

DISCOVERY = "/.well-known/openid-configuration"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def rogue() -> Iterator[Rogue]:
    with running() as server:
        yield server


@pytest.fixture
def tenant(rogue: Rogue, request: pytest.FixtureRequest) -> Tenant:
    return rogue.tenant(request.node.name)


@asynccontextmanager
async def client_of(tenant: Tenant, clock: Clock, secret: str = SECRET) -> AsyncIterator[Client]:
    async with fetching.client(is_here=True) as asking:
        provider = Provider("corp", tenant.issuer, CLIENT, "Corp", secret)
        yield Client(provider, "http://127.0.0.1/login/corp/callback", asking, clock)


async def log_in(client: Client) -> str:
    """Return whom the provider names."""
    to = await client.address("state", "nonce", "verifier")
    async with httpx2.AsyncClient(trust_env=False) as browser:
        back = parse_qs(urlsplit((await browser.get(to)).headers["location"]).query)
    answer = Answer(back["code"][0], back["iss"][0], "")
    return (await client.prove(answer, "nonce", "verifier")).statement.subject


async def test_metadata_and_keys_are_kept_for_a_day(tenant: Tenant) -> None:
    clock = Clock()
    async with client_of(tenant, clock) as client:
        for hours, times in ((0, 1), (1, 1), (22.9, 1), (0.2, 2)):
            clock.now += hours * 3600
            assert await log_in(client) == "1"
            assert (tenant.asked.count(DISCOVERY), tenant.asked.count("/keys")) == (times, times), hours


async def test_keys_are_fetched_again_once_a_minute_at_most(tenant: Tenant) -> None:
    clock = Clock()
    async with client_of(tenant, clock) as client:
        await log_in(client)
        tenant.key = fresh_key()
        assert await log_in(client) == "1"
        assert tenant.asked.count("/keys") == 2
        tenant.key, tenant.key_id = fresh_key(), "k2"
        for seconds in (0, 59):
            clock.now += seconds
            with pytest.raises(Forbidden):
                await log_in(client)
        assert tenant.asked.count("/keys") == 2
        clock.now += 2
        assert await log_in(client) == "1"
        assert tenant.asked.count("/keys") == 3


async def test_who_leaves_while_keys_are_fetched_keeps_nobody_out(tenant: Tenant) -> None:
    async with client_of(tenant, Clock()) as client:
        await log_in(client)
        tenant.key = fresh_key()
        answers = threading.Event()
        tenant.spoils["holds"] = {"/keys": answers}
        leaving = asyncio.create_task(log_in(client))
        await asyncio.to_thread(until, lambda: tenant.asked.count("/keys") == 2)
        leaving.cancel()
        await asyncio.wait([leaving])
        answers.set()
        tenant.spoils.clear()
        assert await log_in(client) == "1"


async def test_a_statement_that_is_not_true_costs_no_keys(tenant: Tenant) -> None:
    async with client_of(tenant, Clock()) as client:
        await log_in(client)
        tenant.spoils["claims"] = {"nonce": "another"}
        with pytest.raises(Forbidden):
            await log_in(client)
        assert tenant.asked.count("/keys") == 1


async def test_who_waits_for_a_provider_that_is_down_does_not_ask_it_once_more(tenant: Tenant) -> None:
    clock = Clock()
    tenant.spoils["status"] = {DISCOVERY: 500}
    async with client_of(tenant, clock) as client:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await client.address("state", "nonce", "verifier")
        assert tenant.asked == [DISCOVERY]
        tenant.spoils.clear()
        clock.now += 3
        assert await log_in(client) == "1"


async def test_keys_of_a_provider_that_is_down_for_a_moment_stay(tenant: Tenant) -> None:
    clock = Clock()
    async with client_of(tenant, clock) as client:
        await log_in(client)
        old, tenant.key = tenant.key, fresh_key()
        tenant.spoils["status"] = {"/keys": 500}
        with pytest.raises(Unavailable):
            await log_in(client)
        tenant.key = old
        assert await log_in(client) == "1"


@pytest.mark.parametrize("methods", [None, ["client_secret_post"], ["client_secret_basic", "client_secret_post"]])
async def test_the_secret_is_told_as_the_provider_wants_it(tenant: Tenant, methods: list[str] | None) -> None:
    tenant.spoils["metadata"] = {"token_endpoint_auth_methods_supported": methods}
    async with client_of(tenant, Clock()) as client:
        assert await log_in(client) == "1"
    async with client_of(tenant, Clock(), "another secret") as client:
        with pytest.raises(Forbidden):
            await log_in(client)


async def test_a_promise_of_iss_is_what_makes_it_needed(tenant: Tenant) -> None:
    tenant.spoils["metadata"] = {"authorization_response_iss_parameter_supported": None}
    async with client_of(tenant, Clock()) as client:
        with pytest.raises(Forbidden):
            await client.prove(Answer("x", "https://other.example", ""), "nonce", "verifier")
        to = await client.address("state", "nonce", "verifier")
        async with httpx2.AsyncClient(trust_env=False) as browser:
            code = parse_qs(urlsplit((await browser.get(to)).headers["location"]).query)["code"][0]
        assert (await client.prove(Answer(code, "", ""), "nonce", "verifier")).statement.subject == "1"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """Return a certificate and its key."""
    openssl = path_of(("openssl",), "no openssl: providers under TLS were not tried")
    key, made = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


async def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with running(certified=context) as server:
        tenant = server.tenant("corp")
        async with client_of(tenant, Clock()) as client:
            with pytest.raises(Unavailable):
                await client.address("state", "nonce", "verifier")
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        async with client_of(tenant, Clock()) as client:
            assert (await client.address("state", "nonce", "verifier")).startswith("https://127.0.0.1:")
