"""People with an account of a running server and a client of their own."""

from __future__ import annotations

from typing import Any

import httpx2

from tests.processes import Server

# Nothing is left open that somebody would have to close.
ONE_OFF = httpx2.Limits(max_keepalive_connections=0)
PASSWORD = "a long password"
_nonces = iter(range(10**16, 10**17))


class Person:
    """Somebody with a client of their own."""

    def __init__(self, app: Server, name: str, role: str = "reader") -> None:
        self.name = name
        if role != "reader":
            app.run("account", "create", name, "--role", role, stdin=PASSWORD + "\n")
            token = httpx2.post(
                f"{app.origin}/api/session",
                json={"name": name, "password": PASSWORD, "token": True},
                trust_env=False,
            ).json()["token"]
        else:
            token = app.token(name)
        self.http = httpx2.Client(
            base_url=app.origin,
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
            timeout=30,
            limits=ONE_OFF,
        )

    def post(self, key: str, body: str, parent: int | None = None) -> dict[str, Any]:
        answer = self.http.post(
            f"/api/threads/{key}/comments", json={"body": body, "parent": parent, "nonce": str(next(_nonces))}
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["comment"])

    def do(self, method: str, path: str, expect: int = 200, **content: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, json=content or None)
        assert answer.status_code == expect, answer.text
        return dict(answer.json())
