"""Behind a proxy each visitor counts for themselves, whatever form the addresses have, and /metrics stays shut."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest

from tests.processes import Server


def register(app: Server, number: int, **headers: str) -> int:
    account = {"name": f"Visitor {number}", "password": "a long password"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = httpx2.post(f"http://127.0.0.1:{app.port}/api/accounts", json=account, headers=named, trust_env=False)
    return answer.status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "::"])
def test_visitors_behind_a_local_proxy_have_limits_of_their_own(tmp_path: Path, host: str) -> None:
    settings = {"LIVETHREAD_HOST": host, "LIVETHREAD_LIMITS": "on", "LIVETHREAD_LIMIT_REGISTRATIONS_ADDRESS": "1/3600"}
    with Server(tmp_path, **settings) as app:
        assert register(app, 1, x_forwarded_for="198.51.100.1") == 201
        assert register(app, 2, x_forwarded_for="198.51.100.1") == 429
        assert register(app, 3, x_forwarded_for="198.51.100.2") == 201
        assert register(app, 4, x_forwarded_for="::ffff:198.51.100.2") == 429
        # What the visitor claims stands before what the proxy adds.
        assert register(app, 5, x_forwarded_for="203.0.113.9, 198.51.100.2") == 429
        metrics = f"http://127.0.0.1:{app.port}/metrics"
        assert httpx2.get(metrics, trust_env=False).status_code == 200
        for header in ("X-Real-IP", "Forwarded", "X-Forwarded-For", "CF-Connecting-IP", "Via"):
            assert httpx2.get(metrics, headers={header: "127.0.0.1"}, trust_env=False).status_code == 403
        assert httpx2.get(metrics, headers={"host": "talk.example.org"}, trust_env=False).status_code == 403


def test_a_proxy_that_is_not_named_is_not_believed_and_the_log_says_so(tmp_path: Path) -> None:
    settings = {
        "LIVETHREAD_LIMITS": "on",
        "LIVETHREAD_PROXIES": "10.0.0.0/8",
        "LIVETHREAD_LIMIT_REGISTRATIONS_ADDRESS": "1/3600",
    }
    with Server(tmp_path, **settings) as app:
        assert register(app, 1, x_forwarded_for="198.51.100.1") == 201
        assert register(app, 2, x_forwarded_for="198.51.100.2") == 429
        assert app.log.read_text().count("LIVETHREAD_PROXIES does not name it") == 1


def test_a_redirect_leads_to_where_browsers_see_the_server(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_ORIGIN="https://talk.example.org") as app:
        answer = httpx2.get(f"{app.origin}/t/key/", headers={"host": "talk.example.org"}, trust_env=False)
        assert (
            urljoin("https://talk.example.org/t/key/", answer.headers["location"]) == "https://talk.example.org/t/key"
        )
