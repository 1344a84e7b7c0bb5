"""Logging in by a certified provider, which checks us in turn."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import httpx2

from tests.journeys.openid import Browser
from tests.journeys.people import ONE_OFF
from tests.processes import ROOT, Server
from tests.programs import missing, path_of

SECRET = "a secret: of + them"


def agreed(to: str, name: str, back: str) -> str:
    """Log in at the provider and agree to everything, and return where it leads in the end."""
    with httpx2.Client(trust_env=False, timeout=30, limits=ONE_OFF) as person:
        answer = person.get(to)
        for _ in range(20):
            if answer.is_redirect:
                to = urljoin(str(answer.url), answer.headers["location"])
                if to.startswith(back):
                    return to
                answer = person.get(to)
            else:
                form = re.search(r'<form[^>]* action="([^"]+)"', answer.text)
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                assert form, answer.text
                assert prompt, answer.text
                said = {"prompt": prompt[1], "login": name, "password": "any"}
                answer = person.post(urljoin(str(answer.url), html.unescape(form[1])), data=said)
    raise AssertionError(f"it never led back: {answer.text}")


def test_a_certified_provider_lets_people_in(tmp_path: Path) -> None:
    if not (ROOT / "node_modules" / "oidc-provider").exists():
        missing("oidc-provider is not installed: install Node.js and npm, then `python3 run.py test` fetches it")
    node = path_of(("node",), "no Node.js: OpenID Connect was not tried with a certified provider")
    with subprocess.Popen(
        [node, str(Path(__file__).with_name("certified_provider.mjs"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as provider:  # fmt: skip
        try:
            assert provider.stdin
            assert provider.stdout
            issuer = provider.stdout.readline().strip()
            (tmp_path / "secret").write_text(SECRET)
            (tmp_path / "oidc.toml").write_text(
                f'[corp]\nissuer = "{issuer}"\nclient_id = "livethread"\nclient_secret_file = "secret"\n'
            )
            with Server(tmp_path, LIVETHREAD_OIDC=str(tmp_path / "oidc.toml")) as app:
                back = f"{app.origin}/login/corp/callback"
                print(back, file=provider.stdin, flush=True)
                assert provider.stdout.readline() == "ready\n"
                for _ in range(2):
                    browser = Browser(app)
                    answer = browser.come_back(agreed(browser.leave(next="/t/here"), "lea", back))
                    assert answer.headers.get("location") == "/t/here", answer.text + app.log.read_text()
                    assert browser.account["name"] == "Certified lea"
        finally:
            provider.kill()
