"""Log-ins that are on their way: each is taken once by the browser that began it, and all have one bound."""

from __future__ import annotations

from server.web.requests.begun_logins import ATTEMPT_SECONDS, MOST_OF_ONE_BROWSER, BegunLogins, Wanted


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_attempt_is_taken_once_with_its_cookie() -> None:
    logins = BegunLogins()
    begun, other = (logins.begin("corp", Wanted("/t/a"), "here") for _ in range(2))
    assert logins.take(begun.state, other.cookie) is None
    assert logins.take("unknown", begun.cookie) is None
    assert logins.take("\ud800", "\ud800") is None
    taken = logins.take(begun.state, begun.cookie)
    assert taken == begun.attempt
    assert logins.take(begun.state, begun.cookie) is None
    assert begun.state not in repr(taken)
    assert begun.cookie not in repr(taken)


def test_an_attempt_ends_by_itself() -> None:
    clock = Clock()
    logins = BegunLogins(clock)
    early, late = logins.begin("corp", Wanted(), "here"), logins.begin("corp", Wanted(), "here")
    clock.now = ATTEMPT_SECONDS
    assert logins.take(late.state, late.cookie) is not None
    clock.now += 0.1
    assert logins.take(early.state, early.cookie) is None


def test_who_holds_most_makes_room() -> None:
    logins = BegunLogins(most=100_000)
    quiet = logins.begin("corp", Wanted(draft={"body": "é" * 1000}), "quiet")
    flood = [logins.begin("corp", Wanted("/" + "x" * 1999), "flood") for _ in range(1000)]
    assert logins.take(quiet.state, quiet.cookie) is not None
    assert logins.take(flood[0].state, flood[0].cookie) is None
    kept = [one for one in flood if logins.take(one.state, one.cookie) is not None]
    assert 20 < len(kept) < 50
    assert kept == flood[-len(kept) :]


def test_a_browser_forgets_all_but_its_latest() -> None:
    logins = BegunLogins()
    ids = [logins.begin("corp", Wanted(), "here").attempt.id for _ in range(MOST_OF_ONE_BROWSER + 2)]
    assert logins.surplus([]) == []
    assert logins.surplus(["0" * 16, *ids]) == ["0" * 16, *ids[:3]]
    # What no attempt is called is no name for a cookie either.
    assert logins.surplus(["", "a b", "=;", "A" * 16, "\u0660" * 16, "0" * 17]) == []
