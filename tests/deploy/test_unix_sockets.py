"""App and gateway on Unix sockets: nothing on the way needs a port."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import httpx2
from websockets.sync.client import unix_connect

from tests.processes import Server, until


def test_posts_and_live_changes_go_over_unix_sockets(tmp_path: Path) -> None:
    at, live_at = tmp_path / "http.sock", tmp_path / "live.sock"
    public = {"LIVETHREAD_ORIGIN": "https://talk.example"}
    with (
        Server(tmp_path, LIVETHREAD_SOCKET=str(at), **public) as app,
        Server(tmp_path, "gateway", LIVETHREAD_SOCKET=f"unix:{live_at}", LIVETHREAD_APP_URL=f"unix:{at}", **public),
        httpx2.Client(transport=httpx2.HTTPTransport(uds=str(at)), base_url="http://talk.example") as client,
        httpx2.Client(transport=httpx2.HTTPTransport(uds=str(live_at)), base_url="http://talk.example") as gateway,
    ):
        assert stat.S_IMODE(at.stat().st_mode) == 0o666
        until(lambda: gateway.get("/ready").status_code == 200)
        account = client.post("/api/accounts", json={"name": "Ana", "password": "a long password", "token": True})
        with unix_connect(str(live_at), "ws://talk.example/live", proxy=None) as reader:
            reader.send(json.dumps({"type": "join", "thread": "a"}))
            while json.loads(reader.recv(timeout=10))["type"] != "joined":
                pass
            posted = client.post(
                "/api/threads/a/comments",
                json={"body": "Over a socket.", "parent": None, "nonce": "n" * 16},
                headers={"Authorization": f"Bearer {account.json()['token']}"},
            )
            assert posted.status_code == 201
            while (frame := json.loads(reader.recv(timeout=10)))["type"] != "changes":
                pass
            assert "Over a socket." in frame["comments"][0]["html"]
        # A request through it has always come through a proxy.
        assert client.get("/metrics").status_code == 403
        second = app.run(check=False)
        assert (second.returncode, "another program listens on" in second.stderr) == (2, True)
        assert f"{at}: livethread is running" in app.run("doctor", check=False).stdout
    assert not at.exists()


def test_a_socket_left_by_a_killed_process_is_taken_and_a_file_is_not(tmp_path: Path) -> None:
    at = tmp_path / "http.sock"
    app = Server(tmp_path, LIVETHREAD_SOCKET=str(at), LIVETHREAD_ORIGIN="https://talk.example")
    app.start()
    app.kill()
    assert at.exists()
    app.start()
    assert app.stop() == 0
    at.write_text("mine")
    refused = app.run(check=False)
    assert (refused.returncode, "LIVETHREAD_SOCKET: " in refused.stderr) == (2, True)
    assert at.read_text() == "mine"
    # A name longer than a socket can have is refused in one sentence.
    app.settings["LIVETHREAD_SOCKET"] = "/" + "x" * 120
    assert "is too long" in app.run(check=False).stderr
