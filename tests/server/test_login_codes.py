"""Codes that end a log-in for another site: who can claim one, until when, and how many there are."""

from __future__ import annotations

from server.errors import Forbidden
from server.model import Account
from server.sites import Site
from server.web.requests.login_codes import CODE_SECONDS, MOST_OF_ONE, LoginCodes, challenge_of

SITE = Site("blog", origins=("https://blog.example",))
VERIFIER = "v" * 43
CHALLENGE = challenge_of(VERIFIER)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def account(id_: int) -> Account:
    return Account(id_, f"Ana {id_}", "reader")


def claims(codes: LoginCodes, code: str, *, is_again: bool = False) -> bool:
    try:
        codes.claim(code, VERIFIER, SITE, is_again=is_again)
    except Forbidden:
        return False
    return True


def test_a_code_is_worth_nothing_after_its_time_even_if_it_was_claimed_once() -> None:
    clock = Clock()
    codes = LoginCodes(clock)
    early, late = (codes.issue(account(1), SITE, CHALLENGE, moderates=False) for _ in range(2))
    clock.now = CODE_SECONDS - 1
    fresh = codes.issue(account(2), SITE, CHALLENGE, moderates=False)
    codes.claimed(early, codes.claim(early, VERIFIER, SITE, is_again=False), b"session")
    clock.now = CODE_SECONDS + 1
    assert not claims(codes, early, is_again=True)
    assert not claims(codes, late)
    assert claims(codes, fresh)


def test_one_account_cannot_keep_others_from_logging_in() -> None:
    codes = LoginCodes(Clock(), most=2 * MOST_OF_ONE)
    of_one = [codes.issue(account(1), SITE, CHALLENGE, moderates=False) for _ in range(10 * MOST_OF_ONE)]
    assert claims(codes, codes.issue(account(2), SITE, CHALLENGE, moderates=False))
    assert [claims(codes, code) for code in of_one] == [False] * 9 * MOST_OF_ONE + [True] * MOST_OF_ONE


def test_the_accounts_of_one_site_take_no_room_from_another() -> None:
    codes = LoginCodes(Clock(), most=4)
    other = Site("news", origins=("https://news.example",))
    elsewhere = codes.issue(account(100), other, CHALLENGE, moderates=False)
    given = [codes.issue(account(number), SITE, CHALLENGE, moderates=False) for number in range(6)]
    assert [claims(codes, code) for code in given] == [False] * 3 + [True] * 3
    codes.claim(elsewhere, VERIFIER, other, is_again=False)


def test_a_session_that_ends_takes_its_accounts_codes_with_it() -> None:
    codes = LoginCodes(Clock())
    given = [codes.issue(account(number), SITE, CHALLENGE, moderates=False) for number in range(3)]
    codes.ended(1)
    assert [claims(codes, code) for code in given] == [True, False, True]


def test_a_code_in_the_place_of_a_cookie_counts_once_on_its_site_until_the_cookie_comes_back() -> None:
    clock = Clock()
    codes = LoginCodes(clock)
    other = Site("news", origins=("https://news.example",))

    def handed(session: bytes) -> str:
        return codes.hand_out(account(1), SITE, session)

    def exchanges(code: str, site: Site = SITE) -> bool:
        try:
            return codes.exchange(code, site).session is not None
        except Forbidden:
            return False

    first, second, third = handed(b"one"), handed(b"two"), handed(b"three")
    assert not exchanges(first, other)
    assert exchanges(first)
    assert not exchanges(first)
    codes.settle(b"two")
    assert not exchanges(second)
    clock.now = CODE_SECONDS + 1
    assert not exchanges(third)
    # Nobody who has a verifier can claim one, nor is a code of the window given without it.
    assert not claims(codes, handed(b"four"), is_again=True)
    assert not exchanges(codes.issue(account(1), SITE, CHALLENGE, moderates=False))
