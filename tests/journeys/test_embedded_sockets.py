"""What a socket from a page of another site may do with the ticket of a session that counts there alone."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.journeys.embedding import BLOG, NEWS, OWN, Tab, Window, thread_under
from tests.processes import Server, eventually


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"LIVETHREAD_ORIGIN": OWN, "LIVETHREAD_SITES": f"{BLOG} {NEWS}"}
    with Server(tmp_path_factory.mktemp("sockets"), **settings) as server:
        yield server


@pytest.fixture(scope="module")
def ana(app: Server) -> Window:
    return Window(app, "Ana")


async def test_a_socket_signs_in_by_the_sites_ticket_and_ends_with_its_session(app: Server, ana: Window) -> None:
    tab = Tab(app)
    tab.enter(ana)
    ticket = tab.send("POST", "/api/ticket").json()["ticket"]
    with connect(app.live_url, origin=Origin(BLOG), proxy=None) as socket:
        socket.send(f'{{"type":"hello","ticket":"{ticket}"}}')
        ana.http.delete("/api/me/sessions")
        with contextlib.suppress(Exception):
            while True:
                socket.recv(timeout=10)
        await eventually(lambda: socket.close_code == 4001)


def test_a_sites_ticket_types_in_threads_of_its_site_alone(app: Server, ana: Window) -> None:
    tab, news = Tab(app), Tab(app, NEWS)
    tab.enter(ana)
    news.enter(Window(app, "Nell"))
    within, foreign = thread_under(app, f"{BLOG}/2026/typing"), thread_under(app, f"{NEWS}/typing")
    # A thread of before, whose address is the site's: it has the site, and keeps its key.
    assert news.post(foreign, url=f"{NEWS}/typing").status_code == 201
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"], timeout=20)) as sql:
        sql.execute("INSERT INTO threads (key, site, created, active) VALUES ('of-before', 'blog.example.org', 0, 0)")
        sql.commit()
    refused = tab.send("POST", "/api/ticket", {"thread": foreign})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "other_site")

    def said_to_typing(ticket: str, *keys: str) -> list[dict[str, Any]]:
        """Return the refusals."""
        with connect(app.live_url, origin=Origin(BLOG), proxy=None) as socket:
            socket.send(json.dumps({"type": "hello", "ticket": ticket}))
            for key in keys:
                socket.send(json.dumps({"type": "join", "thread": key}))
                socket.send(json.dumps({"type": "typing", "thread": key}))
            socket.send('{"type":"ping"}')
            heard = []
            while (frame := json.loads(socket.recv(timeout=20)))["type"] != "pong":
                heard.append(frame)
            return [frame for frame in heard if frame["type"] == "error"]

    whole = tab.send("POST", "/api/ticket").json()["ticket"]
    (refusal,) = said_to_typing(whole, within, foreign)
    assert (refusal["code"], refusal["field"]) == ("other_site", "thread")
    assert len(said_to_typing(whole, "of-before")) == 1
    named = tab.send("POST", "/api/ticket", {"thread": "of-before"}).json()["ticket"]
    assert said_to_typing(named, within, "of-before") == []
