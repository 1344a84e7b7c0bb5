"""Somebody asks for hundreds of pages that have to be made: they wait behind themselves, and others are served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx2
import pytest

from tests.journeys.people import Person
from tests.processes import Server

ATTACKER = {"x-forwarded-for": "192.0.2.66"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"LIVETHREAD_LIMITS": "on", "LIVETHREAD_LIMIT_PAGES_ADDRESS": "30"}
    with Server(tmp_path_factory.mktemp("hammering"), **limits) as server:
        yield server


async def test_others_read_and_post_while_one_address_hammers(app: Server, key: str) -> None:
    ana = await asyncio.to_thread(Person, app, "Ana")
    ids = [(await asyncio.to_thread(ana.post, key, f"Comment {number}"))["id"] for number in range(60)]
    asked = [f"/t/{key}/c/{id_}?{number}" for number in range(5) for id_ in ids]
    more = httpx2.Limits(max_connections=400)
    async with httpx2.AsyncClient(base_url=app.origin, trust_env=False, timeout=60, limits=more) as client:
        hammering = [asyncio.ensure_future(client.get(path, headers=ATTACKER)) for path in asked]
        # Those are refused of whom too many wait: from now on the attacker's queue is full.
        done, _ = await asyncio.wait(hammering, return_when=asyncio.FIRST_COMPLETED)
        # Who has an account does not wait behind the address.
        neighbour = await asyncio.to_thread(ana.http.get, f"/t/{key}/c/{ids[1]}", headers=ATTACKER)
        own = await client.get(f"/t/{key}/c/{ids[0]}")
        posted = await asyncio.to_thread(ana.post, key, "In between")
        assert own.status_code == 200
        assert neighbour.status_code == 200
        assert posted["id"] > ids[-1]
        answers = await asyncio.gather(*hammering)
    assert done
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.headers["retry-after"] for answer in refused} == {"2"}


async def test_what_is_kept_for_all_is_answered_to_a_crowd_of_one_address(app: Server, key: str) -> None:
    ana = await asyncio.to_thread(Person, app, "Bo")
    await asyncio.to_thread(ana.post, key, "Hello")
    more = httpx2.Limits(max_connections=100)
    async with httpx2.AsyncClient(base_url=app.origin, trust_env=False, timeout=60, limits=more) as client:
        for path in (f"/t/{key}", f"/api/threads/{key}"):
            answers = await asyncio.gather(*(client.get(path, headers=ATTACKER) for _ in range(200)))
            assert {answer.status_code for answer in answers} == {200}
