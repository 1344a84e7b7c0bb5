"""The doctor asks livethread through its public name, and names what each wrongly set up proxy does."""

from __future__ import annotations

import asyncio
from pathlib import Path

from server.doctor import public
from server.doctor.finding import Finding
from server.settings import read
from tests.deploy.proxies import FILES, Proxy
from tests.ports import free_port
from tests.processes import Server

UPGRADE = ("        proxy_set_header Upgrade $http_upgrade;\n        proxy_set_header Connection upgrade;\n", "")
SETS = "proxy_set_header X-Forwarded-For $remote_addr;"
PRIVATE = ("location ~ ^/(internal/|metrics$) {\n        return 404;", "location /nowhere {\n        return 404;")
WRONG: dict[str, tuple[tuple[tuple[str, str], ...], str]] = {
    "the Upgrade is dropped": ((UPGRADE,), "the proxy drops the Upgrade header"),
    "claims of visitors are passed on": (((SETS, ""),), "so each can claim any address"),
    "another header": (((SETS, 'proxy_set_header X-Forwarded-For ""; proxy_set_header X-Real-IP $remote_addr;'),),
                       "It sets x-real-ip: choose that in LIVETHREAD_PROXY_HEADER"),
    "no header": (((SETS, 'proxy_set_header X-Forwarded-For "";'),), "it sets no X-Forwarded-For"),
    "private paths are open": ((PRIVATE,), "reaches livethread, which refuses it"),
    "nothing serves the socket": ((("proxy_pass http://livethread_live;", "proxy_pass http://127.0.0.1:9;"),),
                                  "the proxy cannot reach what serves /live (502)"),
    "another site": ((("proxy_pass http://livethread_app;", "return 200 hello;"),), "is answered by something else"),
}  # fmt: skip


class Changed(Proxy):
    changes: tuple[tuple[str, str], ...] = ()

    def _written(self) -> str:
        text = super()._written()
        for before, after in self.changes:
            assert before in text
            text = text.replace(before, after)
        return text


def test_nothing_is_wrong_behind_the_proxies_of_deploy(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, LIVETHREAD_ORIGIN=f"http://127.0.0.1:{port}") as app:
        for kind in FILES:
            found = asked(app, kind, port)
            assert {one.grade for one in found} == {"fine"}, (kind, found)
            assert [one.sentence for one in found if one.subject == f"ws://127.0.0.1:{port}/live"]
        done = app.run("doctor", "--public", check=False)
        # The proxy is gone.
        assert done.returncode == 2
        assert f"FAULT   http://127.0.0.1:{port}: cannot be reached" in done.stdout
        assert f"127.0.0.1:{app.port}: livethread is running" in done.stdout


def test_what_a_proxy_does_wrong_is_named(tmp_path: Path) -> None:
    port = free_port()
    with Server(tmp_path, LIVETHREAD_ORIGIN=f"http://127.0.0.1:{port}") as app:
        for changes, said in WRONG.values():
            assert said in told(asked(app, "nginx", port, changes))
        app.stop()
        app.settings |= {"LIVETHREAD_PROXIES": "none"}
        app.start()
        assert "LIVETHREAD_PROXIES does not name 127.0.0.1" in told(asked(app, "nginx", port))
        app.settings |= {"LIVETHREAD_SECRET": "another secret than the app has"}
        assert "is answered by a livethread with another secret" in told(asked(app, "nginx", port))


def test_a_gateway_with_another_origin_is_named(tmp_path: Path) -> None:
    port = free_port()
    with (
        Server(tmp_path, LIVETHREAD_ORIGIN=f"http://127.0.0.1:{port}") as app,
        Server(tmp_path, "gateway", LIVETHREAD_APP_URL=app.origin, LIVETHREAD_ORIGIN="https://talk.example") as gateway,
    ):
        proxy = Proxy("nginx", tmp_path, {8000: app.port, 8001: gateway.port, 8002: gateway.port}, port)
        proxy.start()
        try:
            assert "Give gateways the same LIVETHREAD_ORIGIN" in told(doctor(app))
        finally:
            proxy.stop()


def asked(app: Server, kind: str, port: int, changes: tuple[tuple[str, str], ...] = ()) -> list[Finding]:
    proxy = Changed(kind, app.folder, dict.fromkeys((8000, 8001, 8002), app.port), port)
    proxy.changes = changes
    proxy.start()
    try:
        return doctor(app)
    finally:
        proxy.stop()


def doctor(app: Server) -> list[Finding]:
    """Return what the doctor finds on the way from a browser."""
    return asyncio.run(public.look(read(app.environment)))


def told(found: list[Finding]) -> str:
    return "\n".join(one.sentence for one in found if one.grade != "fine")
