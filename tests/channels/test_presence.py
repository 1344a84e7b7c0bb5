"""Readers over all processes."""

from __future__ import annotations

from channels.presence import Presence


def test_the_readers_of_a_process_that_died_are_gone_after_30_seconds() -> None:
    now = 100.0
    presence = Presence(lambda thread: 2, clock=lambda: now)
    presence.heard("one", {"t": 3})
    presence.heard("two", {"t": 1, "u": 1})
    assert presence.count("t") == 6
    now += 20
    presence.heard("two", {"t": 1})
    now += 11
    assert presence.count("t") == 3
    assert presence.count("u") == 2


def test_what_a_process_says_replaces_what_it_said_before() -> None:
    presence = Presence(lambda thread: 0)
    presence.heard("one", {"t": 3})
    presence.heard("one", {})
    assert presence.count("t") == 0
