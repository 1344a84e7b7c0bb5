"""Below a path of a host, behind proxies that take the path off and those that leave it: nothing leads out of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from server.app import create_app
from server.settings import read
from server.urls import OWN_SEGMENTS, inside, outside
from tests.deploy.proxies import FILES, Proxy, proxied
from tests.deploy.walk import Walk
from tests.journeys.people import PASSWORD, Person
from tests.ports import free_port
from tests.processes import Server

BASE = "/talk"
KEY = "an-article"


def test_no_link_form_redirect_cookie_or_asset_leads_out_of_the_path(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, LIVETHREAD_ORIGIN=f"http://127.0.0.1:{port}{BASE}") as app:
        staff = _talked_about(app)
        for strips in (True, False):
            ports = dict.fromkeys((8000, 8001, 8002), app.port)
            with proxied("nginx", tmp_path, ports, port, BASE, strips=strips) as proxy:
                walks = [_walk(proxy, None), _walk(proxy, "Ben"), _walk(proxy, staff.name)]
            assert [one for walk in walks for one in walk.wrong] == []
            kinds = {kind for walk in walks for kind in walk.seen}
            forms = {action for walk in walks for action, _ in walk.forms}
            assert {f"{BASE}/u/Ana", f"{BASE}/t/{KEY}/feed", f"{BASE}/c/N/history"} <= kinds
            assert {f"{BASE}/c/N/vote", f"{BASE}/c/N/state", f"{BASE}/logout", f"{BASE}/account/close"} <= forms


def _walk(proxy: Proxy, name: str | None) -> Walk:
    """Walk as this account, over all that it is shown, and send every form."""
    with httpx2.Client(trust_env=False, timeout=20) as client:
        walk = Walk(proxy.origin, client)
        if name is None:
            walk.read_all("", "/", f"/t/{KEY}", "/search?q=words", "/feed", "/nothing-here")
            walk.wrong.remove(f"{BASE}/nothing-here: 404")
        else:
            entered = client.post(
                f"{proxy.origin}/login",
                data={"name": name, "password": PASSWORD, "next": f"{BASE}/t/{KEY}"},
                headers={"Origin": walk.origin},
            )
            assert (entered.status_code, entered.headers["location"]) == (303, f"{BASE}/t/{KEY}")
            walk.read_all("/", f"/t/{KEY}", f"/t/{KEY}?only=new", "/account", "/inbox", "/pending", "/api/me/export")
            # For moderators alone; and a comment that waits stands on no page of the thread.
            known = re.compile(rf"{BASE}(/pending: 403|/t/.*/c/\d+: 404)")
            walk.wrong = [one for one in walk.wrong if not known.fullmatch(one)]
        walk.send_all()
    return walk


def test_the_api_and_the_socket_of_a_gateway_are_below_the_path_of_every_proxy(tmp_path: Path) -> None:
    port = free_port()
    public = {"LIVETHREAD_ORIGIN": f"http://127.0.0.1:{port}{BASE}"}
    with (
        Server(tmp_path, **public) as app,
        Server(tmp_path, "gateway", LIVETHREAD_APP_URL=app.origin + BASE, **public) as gateway,
    ):
        ports = {8000: app.port, 8001: gateway.port, 8002: gateway.port}
        headers = {"Authorization": f"Bearer {app.token('Ana')}"}
        for number, (kind, strips) in enumerate((kind, strips) for kind in FILES for strips in (True, False)):
            with (
                proxied(kind, tmp_path, ports, port, BASE, strips=strips) as proxy,
                connect(proxy.live_url, origin=Origin(f"http://127.0.0.1:{port}"), proxy=None) as socket,
            ):
                socket.send(json.dumps({"type": "join", "thread": KEY}))
                _until(socket, "joined")
                body = {"body": "By @Ana", "parent": None, "nonce": f"{number:016}"}
                posted = httpx2.post(
                    f"{proxy.origin}/api/threads/{KEY}/comments", json=body, headers=headers, trust_env=False
                )
                assert posted.status_code == 201
                _until(socket, "changes")
                assert _private(proxy) == [404, 404, 404]


def test_a_path_is_told_apart_from_our_own() -> None:
    app = create_app(read({"LIVETHREAD_DATABASE": "/nowhere/test.db"}))
    assert {route.path.split("/")[1] for route in app.routes} - {""} <= OWN_SEGMENTS  # type: ignore[attr-defined]
    for base in ("", "/talk", "/a/b"):
        for path in ("/", "/t/x?y=1#z", "/talking/x", "/?a=/talk/"):
            assert inside(base, path) == path
            assert inside(base, outside(base, path)) == path
            assert outside(base, outside(base, path)) == outside(base, path)
    assert inside("/talk", "/talk") == "/"
    assert inside("/talk", "/talk?a") == "/?a"


def _talked_about(app: Server) -> Person:
    """Fill a thread with all that a page can show: cut branches, edits, mentions, quotes, a comment that waits."""
    ana, ben, staff = Person(app, "Ana"), Person(app, "Ben"), Person(app, "Eve", "staff")
    first = ana.post(KEY, "Words of @Ben.")
    ben.post(KEY, f"> Words\n>\n> — [Ana](/t/{KEY}/c/{first['id']})\n\nMine, @Ana", first["id"])
    ana.do("PATCH", f"/api/comments/{first['id']}", body="Other words of @Ben.", revision=1)
    for number in range(32):
        ben.post(KEY, f"Reply {number}", first["id"])
    for number in range(168):
        ana.post(KEY, f"Root {number}")
    for person in (ana, ben):
        held = person.post(KEY, "Held.")
        staff.do("PUT", f"/api/comments/{held['id']}/state", state="pending")
    staff.do("PUT", f"/api/threads/{KEY}", title="An article", url="https://blog.example/", author="Ana")
    ben.do("POST", "/api/me/feed", 201)
    return staff


def _until(socket: ClientConnection, wanted: str) -> None:
    while (frame := json.loads(socket.recv(timeout=10)))["type"] != wanted:
        assert frame["type"] != "error", frame


def _private(proxy: Proxy) -> list[int]:
    paths = ("/metrics", "/internal/poll", "/internal/changes")
    return [httpx2.get(proxy.origin + path, trust_env=False).status_code for path in paths]
