"""A reader of another site's page, as the server sees them: by exact headers, with the cookies of that page's jar."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import secrets
from typing import Any

import httpx2

from tests.journeys.people import ONE_OFF, PASSWORD
from tests.processes import Server

OWN = "https://comments.example.org"
BLOG = "https://blog.example.org"
NEWS = "https://news.example"
_numbers = itertools.count(1)


class Window:
    """The first-party window of one person: it has the server's own cookie."""

    def __init__(self, app: Server, name: str) -> None:
        self.app = app
        self.name = name
        self.http = httpx2.Client(
            base_url=app.origin, trust_env=False, limits=ONE_OFF, headers={"origin": OWN}, timeout=20
        )
        self.http.post("/api/accounts", json={"name": name, "password": PASSWORD})
        self.log_in()

    def log_in(self) -> None:
        self.http.headers.pop("cookie", None)
        answer = self.http.post("/api/session", json={"name": self.name, "password": PASSWORD})
        # Secure, and these tests speak plain http.
        self.http.cookies.clear()
        self.http.headers["cookie"] = answer.headers["set-cookie"].split(";")[0]

    def ask(self, origin: str, challenge: str, **form: str) -> httpx2.Response:
        given = {"site": origin, "challenge": challenge, "back": f"{origin}/2026/hello", "as": "viewer", **form}
        return self.http.post("/embed/login", data=given)

    def code(self, origin: str, challenge: str, **form: str) -> str:
        answer = self.ask(origin, challenge, **form)
        found = re.search(r'data-code="([^"]+)"', answer.text)
        assert found, answer.text
        return found[1]


def pair() -> tuple[str, str]:
    """Return a verifier and its challenge."""
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


class Tab:
    """A page of `origin` with a thread in it. `jar` is the cookie that its partition holds."""

    def __init__(self, app: Server, origin: str = BLOG) -> None:
        self.origin = origin
        self.jar = ""
        self.http = httpx2.Client(
            base_url=app.origin, trust_env=False, limits=ONE_OFF, headers={"origin": origin}, timeout=20
        )
        self.verifier, self.challenge = pair()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        given = {"cookie": self.jar, **headers} if self.jar else headers
        answer = self.http.request(method, path, json=body, headers=given)
        if (cookie := answer.headers.get("set-cookie")) and cookie.startswith("__Host-livethread-"):
            self.jar = cookie.split(";")[0] if "Max-Age=0" not in cookie else ""
        self.http.cookies.clear()
        return answer

    def claim(self, code: str, verifier: str = "", **more: Any) -> httpx2.Response:
        return self.send("POST", "/api/session", {"code": code, "verifier": verifier or self.verifier, **more})

    def enter(self, window: Window, **form: str) -> None:
        assert self.claim(window.code(self.origin, self.challenge, **form)).status_code == 200

    @property
    def account(self) -> Any:
        return self.send("GET", "/api/session").json()["account"]

    def post(self, key: str, text: str = "From the page", **more: Any) -> httpx2.Response:
        page = {"url": f"{self.origin}/2026/hello", "title": "Hello", **more}
        nonce = f"embedded-{next(_numbers):012d}"
        return self.send("POST", f"/api/threads/{key}/comments", {"body": text, "nonce": nonce, **page})


def thread_under(app: Server, page: str) -> str:
    """Return the key of the thread under an address, as a stranger's browser learns it."""
    origin = "/".join(page.split("/")[:3])
    answer = Tab(app, origin).send("GET", f"/api/threads?url={page}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["thread"])
