"""A thread's page is put together of parts that all share: nobody sees another's own, and what is kept is right."""

from __future__ import annotations

import gzip
import random
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from bs4 import BeautifulSoup

from tests.journeys.people import ONE_OFF, Person
from tests.processes import Server

KEY = "people"
# A ranking may be ten seconds old, so the order Top is not compared with that of a fresh start.
PATHS = (f"/t/{KEY}", f"/t/{KEY}?sort=newest", f"/t/{KEY}?sort=flat", f"/t/{KEY}?only=new")
# Other ones on every page, or of the moment.
CHANGING = re.compile(r'name="nonce" value="[^"]*"|name="at" value="\d+"|Since <time.*?</time>')


class Crowd:
    """Three readers, a moderator and somebody without an account, and what they have done in one thread."""

    def __init__(self, app: Server) -> None:
        self.app = app
        self.people = [Person(app, name) for name in ("Ana Aal", "Ben Bok", "Cleo <i> & Co")]
        self.moderator = Person(app, "Mo Derator", "moderator")
        self.nobody = httpx2.Client(base_url=app.origin, trust_env=False, limits=ONE_OFF)
        # By the index of the person.
        self.own: dict[int, list[int]] = {0: [], 1: [], 2: []}
        self.votes: dict[int, dict[int, int]] = {0: {}, 1: {}, 2: {}}
        chance = random.Random(5)
        ids: list[int] = []
        for number in range(24):
            who = chance.randrange(3)
            parent = chance.choice(ids) if ids and chance.random() < 0.6 else None
            ids.append(self.people[who].post(KEY, f"Comment {number}, *said* by {who}", parent)["id"])
            self.own[who].append(ids[-1])
        for who, person in enumerate(self.people):
            for id_ in chance.sample([id_ for id_ in ids if id_ not in self.own[who]], 5):
                person.do("PUT", f"/api/comments/{id_}/vote", value=1)
                self.votes[who][id_] = 1
        self.held = self.people[1].post(KEY, "Only Ben sees this one")["id"]
        self.moderator.do("PUT", f"/api/comments/{self.held}/state", state="pending")

    def clients(self) -> list[httpx2.Client]:
        return [*(person.http for person in self.people), self.moderator.http, self.nobody]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("people"), LIVETHREAD_VOTES="both") as server:
        yield server


@pytest.fixture(scope="module")
def crowd(app: Server) -> Crowd:
    return Crowd(app)


def page(client: httpx2.Client, path: str = f"/t/{KEY}", coding: str = "identity") -> BeautifulSoup:
    answer = client.get(path, headers={"Accept-Encoding": coding})
    assert answer.status_code == 200
    assert answer.headers.get("content-encoding", "identity") == coding
    return BeautifulSoup(answer.text, "html.parser")


def own_of(found: BeautifulSoup) -> set[int]:
    """Return which comments of a page are the viewer's own: one does not vote for them."""
    forms = found.select("ol.comments li.comment > article > footer > form.vote:has(button[disabled])")
    return {int(str(form["action"]).split("/")[2]) for form in forms}


def votes_of(found: BeautifulSoup) -> dict[int, int]:
    forms = found.select("ol.comments li.comment > article > footer > form.vote")
    return {
        int(str(form["action"]).split("/")[2]): 1 if button["aria-label"] == "Vote up" else -1
        for form in forms
        for button in form.select("button[aria-pressed=true]")
    }


def viewer_of(found: BeautifulSoup) -> str | None:
    name = found.select_one("a.viewer")
    return name.text if name else None


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_everybody_sees_their_own_and_nobody_elses_whoever_asks_at_the_same_time(crowd: Crowd, coding: str) -> None:
    asked = [(who, path) for who in range(5) for path in (*PATHS[:3], f"/t/{KEY}?sort=top")] * 3
    random.Random(1).shuffle(asked)
    clients = crowd.clients()
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda one: page(clients[one[0]], one[1], coding), asked))
    for (who, _), found in zip(asked, pages, strict=True):
        text = str(found)
        assert viewer_of(found) == [*(person.name for person in crowd.people), "Mo Derator", None][who]
        assert own_of(found) == set(crowd.own.get(who, []))
        assert votes_of(found) == crowd.votes.get(who, {})
        assert bool(found.select("form.lock")) == (who == 3)
        assert ("Only Ben sees this one" in text) == (who == 1)
        assert len(found.select('form[action="/logout"]')) == (who < 4)
        assert "\0" not in text


def test_what_is_kept_is_what_a_fresh_start_draws(crowd: Crowd) -> None:
    """Each thing that changes how a comment looks is done to comments that have been drawn before."""
    ana, ben, cleo = crowd.people

    def look() -> list[str]:
        pages = [
            client.get(path, headers={"Accept-Encoding": "gzip"}).text for client in crowd.clients() for path in PATHS
        ]
        return [CHANGING.sub("", text) for text in pages]

    first, second, third, *_, last = crowd.own[0]
    look()
    reply = ben.post(KEY, f"> Comment\n\n[Ana](/t/{KEY}/c/{first}) wrote that", second)["id"]
    look()
    ana.do("PATCH", f"/api/comments/{first}", body="Changed *words*", revision=1)
    look()
    cleo.do("PUT", f"/api/comments/{reply}/vote", value=-1)
    look()
    ben.http.delete(f"/api/comments/{crowd.own[1][0]}")
    look()
    crowd.moderator.do("PUT", f"/api/comments/{second}/state", state="removed")
    look()
    crowd.app.run("account", "rename", ana.name, "Ana Other")
    crowd.app.run("account", "role", cleo.name, "moderator")
    look()
    crowd.moderator.do("PUT", f"/api/comments/{second}/state", state="visible")
    crowd.moderator.do("PUT", f"/api/comments/{third}/state", state="removed")
    crowd.people[0].post(KEY, "One more below", last)
    # Votes are counted, and names renewed, a moment later.
    kept = look()
    until = time.monotonic() + 10
    while time.monotonic() < until and (now := look()) != kept:
        kept = now
    crowd.app.stop()
    crowd.app.start()
    for fresh, before in zip(look(), kept, strict=True):
        assert fresh.splitlines() == before.splitlines()


def test_who_has_left_or_was_banned_is_nobody(app: Server) -> None:
    key = "leaving"
    moderator, stays, leaves = Person(app, "Mo Two", "moderator"), Person(app, "Stays Here"), Person(app, "Leaves Soon")
    id_ = leaves.post(key, "I was here")["id"]
    for person in (stays, leaves, moderator):
        assert viewer_of(page(person.http, f"/t/{key}")) == person.name
    assert own_of(page(leaves.http, f"/t/{key}")) == {id_}
    moderator.do("PUT", f"/api/accounts/{leaves.name}/ban", banned=True)
    gone = page(leaves.http, f"/t/{key}")
    assert not gone.select("a.viewer, button[disabled], form[action='/logout']")
    assert stays.http.delete("/api/session").is_success
    assert not page(stays.http, f"/t/{key}").select("a.viewer, form[action='/logout']")
    assert page(moderator.http, f"/t/{key}").select("form.lock")


def test_a_page_is_an_eighth_as_long_compressed_and_the_same(app: Server) -> None:
    author = Person(app, "Long Writer")
    texts = Path(__file__).with_name("test_every_state.py").read_text().split("\n")
    for number in range(67):
        author.post("packed", f"{texts[number]} and so on, *number* {number}.", None)
    for headers in ({}, {"Authorization": author.http.headers["Authorization"]}):
        plain, packed = (
            httpx2.Request("GET", f"{app.origin}/t/packed", headers=headers | {"Accept-Encoding": coding})
            for coding in ("identity", "gzip")
        )
        with httpx2.Client(trust_env=False, limits=ONE_OFF) as client:
            whole = client.send(plain).content
            answer = client.send(packed, stream=True)
            raw = b"".join(answer.iter_raw())
            answer.close()
        assert CHANGING.sub("", gzip.decompress(raw).decode()) == CHANGING.sub("", whole.decode())
        assert len(raw) <= 12 * 1024
        assert len(whole) > 5 * len(raw)
        assert answer.headers["vary"] == "Cookie, Accept-Encoding, Accept-Language, Origin"
