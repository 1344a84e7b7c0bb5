"""What was deleted is in no answer, feed, search or socket at once, and in no byte of the database a little later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.sync.client import connect

from tests.journeys.people import PASSWORD, Person
from tests.processes import Server, until


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("erasure"), LIVETHREAD_LIMITS="off") as server:
        yield server


def bytes_of_all_files(app: Server) -> bytes:
    folder = Path(app.environment["LIVETHREAD_DATABASE"]).parent
    return b"".join(path.read_bytes() for path in folder.glob("test.db*") if path.is_file())


def quote(words: str, key: str, source: int) -> str:
    return f"> {words}\n>\n> — [Somebody](/t/{key}/c/{source})\n\n"


def test_what_was_deleted_or_closed_is_in_no_answer_and_in_no_byte_of_the_files(app: Server, key: str) -> None:
    ana, bo, cy, eve = (Person(app, name) for name in ("Ana", "Bo", "Cy", "Eve"))
    mod = Person(app, "Mod", "moderator")
    secret = bo.do("POST", "/api/me/feed", 201)["feed"].removeprefix(app.origin)
    root = bo.post(key, "Bo asks")["id"]
    anas = ana.post(key, "quetzalcoatl was first", root)["id"]
    ana.do("PATCH", f"/api/comments/{anas}", body="popocatepetl came then", revision=1)
    bos = bo.post(key, quote("popocatepetl came", key, anas) + "Bo says no")["id"]
    bo.do("PATCH", f"/api/comments/{bos}", body=quote("popocatepetl", key, anas) + "Bo says maybe", revision=1)
    cys = cy.post(key, quote("popocatepetl", key, bos) + "Cy says yes")["id"]
    eves = eve.post(key, "huitzilopochtli for @Bo", root)["id"]
    quoting_eve = bo.post(key, quote("huitzilopochtli for", key, eves) + "Bo thanks")["id"]
    until(lambda: httpx2.get(f"{app.origin}/api/search?q=popocatepetl", trust_env=False).json()["comments"])
    assert all(word in bytes_of_all_files(app) for word in (b"quetzalcoatl", b"popocatepetl", b"huitzilopochtli"))

    heard = ""
    with connect(app.live_url) as socket:
        socket.send(f'{{"type": "join", "thread": "{key}"}}')
        socket.recv()
        ana.do("DELETE", f"/api/comments/{anas}")
        eve.do("DELETE", "/api/me", password=PASSWORD, comments="erase")
        while not all(f'"id":{id_},' in heard for id_ in (anas, bos, cys, eves, quoting_eve)):
            heard += str(socket.recv(timeout=30))
    assert not [word for word in ("quetzalcoatl", "popocatepetl", "huitzilopochtli") if word in heard]

    ids = (root, anas, bos, cys, eves, quoting_eve)
    words = ("quetzalcoatl", "popocatepetl", "huitzilopochtli")
    paths = [
        f"/t/{key}", f"/t/{key}?sort=flat", f"/api/threads/{key}", f"/api/threads/{key}?sort=flat",
        f"/api/threads/{key}/changes?after=0", f"/api/threads/{key}/mine", f"/t/{key}/feed", "/feed", secret,
        "/inbox", "/pending", "/u/Bo", "/u/Ana", "/api/accounts/Bo", "/api/accounts/Cy", "/api/me/changes",
        "/api/me/export", "/api/pending",
        *(f"{path}?q={word[:-1]}" for path in ("/api/search", "/search") for word in words),
        *(path.format(id=id_, key=key) for id_ in ids for path in (
            "/t/{key}/c/{id}", "/t/{key}/c/{id}/feed", "/api/comments/{id}", "/c/{id}/history", "/c/{id}/edit",
            "/c/{id}/delete", "/c/{id}/moderate",
        )),
    ]  # fmt: skip
    for person in (ana, bo, cy, mod):
        for path in paths:
            text = person.http.get(path).text
            said = {word for word in ("quetzalcoatl", "popocatepetl", "huitzilopochtli") if word in text}
            # A page of the search repeats what was asked for: none of these words whole.
            assert not said, f"{path} says {said} to {person.name}"
    own = bo.do("GET", f"/api/comments/{bos}")
    assert own["body"] == "> What was quoted here is gone.\n\nBo says maybe"
    assert "Bo says no" in own["earlier"][0]["html"]
    assert bo.do("PATCH", f"/api/comments/{bos}", body=own["body"], revision=2)["comment"]["revision"] == 2

    until(lambda: b"popocatepetl" not in bytes_of_all_files(app), 60)
    kept = bytes_of_all_files(app)
    for word in (b"quetzalcoatl", b"popocatepetl", b"huitzilopochtli", b"Eve"):
        assert word not in kept, word
    for word in (b"Bo says no", b"Bo says maybe", b"Cy says yes", b"Bo thanks"):
        assert word in kept


@pytest.mark.scenario(22)
def test_a_link_into_a_branch_that_is_gone_leads_at_once_to_what_is_left_above_it(app: Server, key: str) -> None:
    ana = Person(app, "Ana Deep")
    root = ana.post(key, "What stays")["id"]
    ids = [ana.post(key, "What goes", root)["id"]]
    for _ in range(24):
        ids.append(ana.post(key, "What goes", ids[-1])["id"])
    for id_ in reversed(ids):
        ana.do("DELETE", f"/api/comments/{id_}")
    # A browser follows twenty redirects.
    assert ana.http.get(f"/t/{key}/c/{ids[-1]}").headers["location"] == f"/t/{key}/c/{root}?gone=deleted"
    ana.do("DELETE", f"/api/comments/{root}")
    assert ana.http.get(f"/t/{key}/c/{ids[-1]}").headers["location"] == f"/t/{key}?gone=deleted"
    element = ana.http.get(f"/t/{key}/c/{ids[-1]}?only=fragment&lang=pl")
    assert element.headers["location"] == f"/t/{key}?gone=deleted&only=fragment&lang=pl"
    assert "was deleted by its author" in ana.http.get(f"/t/{key}?gone=deleted").text
