"""What the tests of logging in by an OpenID provider have in common: a browser, and what pages say to it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.journeys.people import ONE_OFF
from tests.journeys.rogue_provider import Rogue
from tests.processes import Server

DRAFT = {"draft_thread": "here", "draft_parent": "", "draft_body": "Words that took long", "draft_nonce": "n" * 20}


@contextmanager
def knowing(folder: Path, rogue: Rogue, *names: str, **settings: str) -> Iterator[Server]:
    """A server with these tenants as its providers."""
    (folder / "oidc.toml").write_text(rogue.toml(*names))
    with Server(folder, LIVETHREAD_OIDC=str(folder / "oidc.toml"), **settings) as server:
        yield server


class Browser:
    """A browser by its requests: it follows what a page says, with its cookies."""

    def __init__(self, app: Server) -> None:
        self.http = httpx2.Client(
            base_url=app.origin, trust_env=False, timeout=30, limits=ONE_OFF, headers={"origin": app.origin}
        )

    def press(self, provider: str = "corp", path: str = "/login/", **form: str) -> httpx2.Response:
        return self.http.post(path + provider, data=form)

    def leave(self, provider: str = "corp", path: str = "/login/", **form: str) -> str:
        """Return where the button leads."""
        return self.where(self.press(provider, path, **form))

    def where(self, answer: httpx2.Response) -> str:
        """Return where a page leads by itself."""
        found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
        assert found, answer.text
        return html.unescape(found[1])

    def agree(self, to: str) -> str:
        """Return where the provider sends the browser back to."""
        return httpx2.get(to, trust_env=False).headers["location"]

    def come_back(self, to: str) -> httpx2.Response:
        """As a browser that navigates from another site."""
        headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        del self.http.headers["origin"]
        try:
            return self.http.get(to, headers=headers)
        finally:
            self.http.headers["origin"] = str(self.http.base_url).rstrip("/")

    def log_in(self, provider: str = "corp", **form: str) -> httpx2.Response:
        return self.come_back(self.agree(self.leave(provider, **form)))

    @property
    def account(self) -> Any:
        return self.http.get("/api/session").json()["account"]


def refused(answer: httpx2.Response, status: int = 403) -> str:
    """Return what the page says."""
    assert answer.status_code == status, answer.text
    found = re.search(r'<p [^>]*class="says" role="alert">(.+?)</p>', answer.text)
    assert found, answer.text
    return re.sub("<[^>]+>", "", html.unescape(found[1]))


def said_last(app: Server) -> str:
    return str(json.loads(app.log.read_text().splitlines()[-1])["message"])
