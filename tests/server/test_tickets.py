"""Tickets: signed, for one account, and for a minute."""

from __future__ import annotations

import base64
import time

import msgspec
import pytest

from server.model import Account
from server.settings import read
from server.web.requests import session
from server.web.requests.context import sign

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests"})
ANA = Account(id=7, name="Ana", role="reader")


def signed(ticket: session.Ticket) -> str:
    content = base64.urlsafe_b64encode(msgspec.json.encode(ticket)).decode()
    return f"{content}.{sign(SETTINGS, 'ticket', content)}"


def test_a_ticket_says_whom_it_signs_in_and_as_of_when() -> None:
    before = int(time.time())
    presented, expires = session.ticket(SETTINGS, ANA, 41)
    assert session.read_ticket(SETTINGS, presented) == session.Ticket(7, "Ana", 41, expires)
    assert before + 60 <= expires <= time.time() + 60


def test_a_ticket_ends_with_its_last_second(monkeypatch: pytest.MonkeyPatch) -> None:
    presented, expires = session.ticket(SETTINGS, ANA, 41)
    monkeypatch.setattr(time, "time", lambda: float(expires))
    assert session.read_ticket(SETTINGS, presented) is not None
    monkeypatch.setattr(time, "time", lambda: expires + 0.001)
    assert session.read_ticket(SETTINGS, presented) is None


def test_an_old_ticket_signs_nobody_in() -> None:
    assert session.read_ticket(SETTINGS, signed(session.Ticket(7, "Ana", 41, int(time.time()) + 9))) is not None
    assert session.read_ticket(SETTINGS, signed(session.Ticket(7, "Ana", 41, int(time.time()) - 9))) is None


def test_a_ticket_of_another_secret_or_purpose_signs_nobody_in() -> None:
    presented, _ = session.ticket(SETTINGS, ANA, 41)
    content, _, _ = presented.partition(".")
    assert session.read_ticket(read({"LIVETHREAD_SECRET": "another-secret-of-them"}), presented) is None
    assert session.read_ticket(SETTINGS, f"{content}.{sign(SETTINGS, 'device', content)}") is None
