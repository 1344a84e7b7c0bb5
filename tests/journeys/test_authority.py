"""Every role at every endpoint with every kind of object: exact answers, and nobody reads what is not theirs to."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from server.app import create_app
from server.settings import read
from tests.journeys.authority import MODERATORS, NOBODY, OBJECTS, ROLES, ROWS, Row, reads, sees
from tests.journeys.people import ONE_OFF, PASSWORD, Person
from tests.processes import Server, eventually

ELSEWHERE = {"x-forwarded-for": "203.0.113.7"}
ENDING = ("POST /logout", "DELETE /api/session")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Object:
    """A comment of Ana's; `words` is in its text, `earlier` in the one before where it was edited."""

    id: int
    key: str
    state: str
    revision: int
    words: str
    earlier: str

    def hidden_from(self, role: str, path: str) -> list[str]:
        """Return which of its texts the role must not find in an answer of `path`."""
        all_words = [self.words, *([self.earlier] if self.earlier else [])]
        is_own_export = role == "author" and path == "/api/me/export" and self.state != "deleted"
        return [] if is_own_export or reads(role, self.state) else all_words


class World:
    """A server where readers' comments are held, somebody in every role, and objects of every kind."""

    def __init__(self, app: Server) -> None:
        self.app = app
        self.people = {
            "other": Person(app, "Bo"),
            "author": Person(app, "Ana"),
            "moderator": Person(app, "Mod", "moderator"),
            "staff": Person(app, "Chief", "staff"),
            "banned": Person(app, "Banned"),
            "closed": Person(app, "Closed"),
        }
        Person(app, "Door")
        self.people["moderator"].do("PUT", "/api/accounts/Banned/ban", banned=True)
        self.people["closed"].do("DELETE", "/api/me", password=PASSWORD, comments="keep")
        feed = self.people["author"].do("POST", "/api/me/feed", 201)["feed"]
        self.secret = feed.rsplit("/", 1)[1]
        self.objects = [self.make(state, locked=locked) for state, locked in OBJECTS]

    def make(self, state: str, *, locked: bool) -> Object:
        ana, mod = self.people["author"], self.people["moderator"]
        number = next(_numbers)
        key, first, second = f"thread-{number}", f"firstwords{number}x", f"secondwords{number}x"
        root = mod.post(key, "A root, so that something can be answered")["id"]
        id_ = ana.post(key, first, root)["id"]
        words, earlier = first, ""
        if state not in ("pending", "rejected"):
            mod.do("PUT", f"/api/comments/{id_}/state", state="visible")
        if state != "visible":
            ana.do("PATCH", f"/api/comments/{id_}", body=second, revision=1)
            words, earlier = second, first
        if state in ("held", "removed", "rejected"):
            mod.do("PUT", f"/api/comments/{id_}/state", state="pending" if state == "held" else "removed")
        if state == "deleted":
            ana.do("DELETE", f"/api/comments/{id_}")
        if locked:
            mod.do("PUT", f"/api/threads/{key}/lock", locked=True)
        return Object(id_, key, state, 2 if earlier else 1, words, earlier)

    def client(self, role: str) -> httpx2.Client:
        return self.people[role].http if role in self.people else self.stranger

    @property
    def stranger(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.app.origin, trust_env=False, limits=ONE_OFF)

    def renew(self, role: str) -> None:
        """Log the role in again."""
        if role not in NOBODY:
            person = self.people[role]
            session = {"name": person.name, "password": PASSWORD, "token": True}
            person.http.headers["authorization"] = (
                f"Bearer {self.stranger.post('/api/session', json=session).json()['token']}"
            )
            person.http.cookies.clear()

    def kept(self, one: Object) -> Any:
        """What is kept of an object, by the file."""
        with contextlib.closing(sqlite3.connect(self.app.environment["LIVETHREAD_DATABASE"])) as sql:
            return sql.execute(
                "SELECT c.state, c.body, c.revision, t.locked, t.title,"
                " (SELECT count(*) FROM votes v WHERE v.comment = c.id AND v.value <> 0),"
                " (SELECT count(*) FROM comments o WHERE o.thread = c.thread)"
                " FROM comments c JOIN threads t ON t.id = c.thread WHERE c.id = ?",
                (one.id,),
            ).fetchone()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Server(tmp_path_factory.mktemp("authority"), LIVETHREAD_LIMITS="off", LIVETHREAD_HOLD="all") as app:
        yield World(app)


def routes() -> set[str]:
    """Return every route of the application, by its own routing table."""
    app = create_app(read({"LIVETHREAD_SECRET": "a-secret-of-the-tests"}))
    found = {
        f"{method} {route.path}"  # type: ignore[attr-defined]
        for route in app.routes
        for method in getattr(route, "methods", None) or ("SOCKET",)
        if method != "HEAD"
    }
    # Its frames have a matrix of their own: tests/journeys/test_signed_in_sockets.py.
    return found - {"SOCKET /live"}


def test_every_route_has_a_row() -> None:
    assert set(ROWS) == routes()


def said_of(one: Object, answer: httpx2.Response) -> str:
    """Return what an answer says of the comment: its text, a tombstone or nothing."""
    found = [] if answer.status_code == 404 else [*forms(answer.json(), one.id)]
    texts = {("text" if one.words in str(form["html"]) else "tombstone") for form in found}
    assert all(bool(form["author"]) == bool(form["html"]) for form in found)
    assert len(texts) <= 1, f"two forms in one answer: {found}"
    return texts.pop() if texts else "nothing"


def forms(content: Any, id_: int) -> Iterator[dict[str, Any]]:
    """Yield each public form of the comment, wherever it is in the content."""
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from forms(inner, id_)
    if isinstance(content, dict) and content.get("id") == id_ and "html" in content:
        yield content


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "place", range(len(OBJECTS)), ids=[f"{state}{', locked' * locked}" for state, locked in OBJECTS]
)
async def test_what_one_sees_of_a_comment_is_the_same_everywhere(world: World, role: str, place: int) -> None:
    one, client = world.objects[place], world.client(role)
    own = "text" if reads(role, one.state) else "tombstone" if sees(role, one.state) else "nothing"
    public = "text" if reads("nobody", one.state) else "tombstone" if sees("nobody", one.state) else "nothing"
    listed = public if public == "text" else "nothing"
    is_waiting, is_rejected = one.state in ("pending", "held"), one.state == "rejected"
    expected = {
        f"/api/comments/{one.id}": own,
        # What goes to all is the same for all, also where the one who asks could read more of it.
        f"/api/threads/{one.key}/changes?after=0": public,
        f"/api/threads/{one.key}": listed,
        f"/api/threads/{one.key}?sort=flat": listed,
        "/api/accounts/Ana?limit=100": listed,
        f"/api/search?q={one.words}": listed,
    }
    if role not in NOBODY:
        is_own = role == "author"
        expected[f"/api/threads/{one.key}/mine"] = own if is_own and (is_waiting or is_rejected) else "nothing"
        # The author is told what became of it, and the moderator, whom it answers, that it is there.
        is_told = is_own or role == "moderator"
        expected["/api/me/changes"] = own if is_own and is_rejected else listed if is_told else "nothing"
    if role in MODERATORS:
        expected["/api/pending"] = own if is_waiting else "nothing"
    if listed == "text":
        # It is found a moment after it was posted.
        await eventually(lambda: one.words in client.get(f"/api/search?q={one.words}").text)
    for path, what in expected.items():
        assert said_of(one, client.get(path)) == what, path

    drawn = {
        f"/t/{one.key}": own if role == "author" and (is_waiting or is_rejected) else listed,
        f"/t/{one.key}/feed": listed,
        "/feed": listed,
        "/u/Ana": own if role == "author" and (is_waiting or is_rejected) else listed,
        f"/c/{one.id}/moderate": own if role in MODERATORS else "nothing",
    }
    for path, what in drawn.items():
        assert (one.words in client.get(path).text) == (what == "text"), path


def filled(row: Row, one: Object, world: World, victim: str) -> dict[str, Any] | None:
    number = next(_numbers)
    values = {
        "{revision}": one.revision,
        "{nonce}": f"nonce-{number:016d}",
        "{new}": f"Newcomer {number}",
        "{victim}": victim,
    }
    return None if row.sent is None else {name: values.get(str(value), value) for name, value in row.sent.items()}


def victim_of(world: World, route: str) -> str:
    """Somebody to be banned; else a name that is there."""
    if not route.endswith("/ban"):
        return "Ana"
    return Person(world.app, f"Victim {next(_numbers)}").name


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROWS)
def test_each_role_is_answered_exactly_and_reads_nothing_that_is_not_its_own(
    world: World, route: str, role: str
) -> None:
    method, template = route.replace(":path", "").split(" ")
    row = ROWS[route]
    is_about_one = "{id}" in route or "{key}" in route
    for place, (state, locked) in enumerate(OBJECTS if is_about_one else OBJECTS[:1]):
        one = world.make(state, locked=locked) if row.changes else world.objects[place]
        victim = victim_of(world, route)
        before = world.kept(one)
        path = template.format(key=one.key, id=one.id, secret=world.secret, name=victim, version="v", site="none")
        sent = filled(row, one, world, victim)
        is_page = not path.startswith(("/api/", "/internal/"))
        content = {"data": sent} if is_page and sent is not None else {"json": sent}
        query = {"q": "words", "after": "0"} if method == "GET" and path != "/t" else {}
        answer = world.client(role).request(method, path, params=query, headers=ELSEWHERE, **content)
        if route in ENDING:
            world.renew(role)
        cell = f"{role}: {route}, {state}{', locked' * locked}"
        expected = row.status(role, state, locked)
        assert answer.status_code == expected, f"{cell}: {answer.status_code}, not {expected}: {answer.text[:300]}"
        if expected >= 400:
            assert world.kept(one) == before, f"{cell} was refused and changed something"
        read_by_it = answer.content.decode()
        for other in {*world.objects, one}:
            for words in other.hidden_from(role, path):
                assert words not in read_by_it, f"{cell} tells of what is {other.state}"
