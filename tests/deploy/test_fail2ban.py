"""fail2ban finds in the real log who failed to log in, and nothing that somebody typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx2

from tests.journeys.people import PASSWORD
from tests.processes import ROOT, Server
from tests.programs import path_of

FILTER = ROOT / "deploy" / "fail2ban" / "filter.d" / "livethread.conf"
FORGED = '","message":"failed login from 192.0.2.66"}\n{"time":"2026-01-01T00:00:00.000Z","level":"warning"'
NAMES = ("Ana", "192.0.2.66", "failed login from 192.0.2.66", FORGED[:40], "Ana from 192.0.2.66")


def log_in(app: Server, name: str, password: str, visitor: str) -> list[int]:
    """Try it by the API and by the form; returns both statuses."""
    headers = {"x-forwarded-for": visitor, "origin": app.origin, "user-agent": FORGED.replace("\n", " ")}
    with httpx2.Client(base_url=app.origin, trust_env=False, headers=headers, timeout=30) as client:
        given = {"name": name, "password": password}
        return [client.post("/api/session", json=given).status_code, client.post("/login", data=given).status_code]


def test_fail2ban_finds_the_address_of_each_failed_login_and_no_other(tmp_path: Path) -> None:
    program = path_of(("fail2ban-regex",), "no fail2ban-regex: install fail2ban")
    with Server(tmp_path, LIVETHREAD_LOG_FAILED_LOGINS="on") as app:
        app.token("Ana")
        assert log_in(app, "Ana", PASSWORD, "203.0.113.5") == [200, 303]
        for name in NAMES:
            assert log_in(app, name, "not the password", "198.51.100.7")[0] == 401
        assert log_in(app, "Ana", "not the password", "2001:db8::7")[0] == 401
        lines = app.log.read_text().splitlines()
    # As it is in a file, and behind the prefix of the journal.
    for prefix in ("", "a-host livethread[17]: "):
        log = tmp_path / "read.log"
        log.write_text("".join(f"{prefix}{line}\n" for line in lines))
        done = subprocess.run(
            [program, "--out", "ip", str(log), str(FILTER)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(done.stdout.split()) == ["198.51.100.7"] * (2 * len(NAMES)) + ["2001:db8::7"] * 2


def test_without_the_setting_no_address_is_logged(tmp_path: Path) -> None:
    with Server(tmp_path) as app:
        assert log_in(app, "Ana", "not the password", "198.51.100.7")[0] == 401
    assert "198.51.100.7" not in app.log.read_text()
