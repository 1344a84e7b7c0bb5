"""Sessions end by their time, on the server; guesses are counted across restarts and keep no owner out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from channels.messages import AccountEvent
from server.actions import passwords, sessions, sign_in
from server.actions.passwords import Caller
from server.actions.sessions import token_hash
from server.errors import NotFound, NotSignedIn, TooMany
from server.model import Account
from server.rate_limits import Limits
from server.settings import read
from server.storage.accounts import login_attempts
from server.storage.accounts import sessions as stored
from server.storage.engine.database import Database
from server.web.requests.known_sessions import KnownSessions
from tests.processes import eventually

HOUR = 3_600
SETTINGS = read(
    {
        "LIVETHREAD_SECRET": "a-secret-of-the-tests",
        "LIVETHREAD_SESSION_IDLE_SECONDS": str(24 * HOUR),
        "LIVETHREAD_SESSION_SECONDS": str(7 * 24 * HOUR),
        "LIVETHREAD_LIMIT_LOGINS_ACCOUNT": "3/300",
        "LIVETHREAD_LIMIT_LOGINS_EVERYWHERE": "7/3600",
    }
)
LIFETIME = sessions.lifetime(SETTINGS)
LIMITS = Limits(is_on=True)
PASSWORD = "a long password"


@pytest.fixture
async def ana(database: Database) -> Account:
    made = await sign_in.create_account(database, "Ana", await passwords.hashed(PASSWORD), "reader")
    assert made is not None
    return made


async def age(database: Database, token: str, *, created: int = 0, seen: int = 0) -> None:
    """Make a session older by so many hours."""
    ago = (created * HOUR * 1000, seen * HOUR * 1000, token_hash(token))
    query = "UPDATE sessions SET created = created - ?, seen = seen - ? WHERE token_hash = ?"
    await database.write(lambda write: write.sql.execute(query, ago).rowcount)


async def count(database: Database, table: str) -> int:
    return int(await database.read(lambda sql: sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0]))


@pytest.mark.parametrize(
    ("created", "seen", "is_there"),
    [(0, 0, True), (30, 23, True), (30, 25, False), (167, 0, True), (169, 0, False), (500_000, 500_000, False)],
)
async def test_a_session_ends_unused_or_old(
    database: Database, ana: Account, created: int, seen: int, is_there: bool
) -> None:
    token = await sessions.begin_session(database, ana)
    await age(database, token, created=created, seen=seen)
    found = await KnownSessions(database, LIFETIME).account(token_hash(token))
    assert found == (ana if is_there else None)
    await sessions.sweep(database, SETTINGS)
    assert await count(database, "sessions") == int(is_there)


async def test_a_session_that_is_known_ends_as_well(
    database: Database, ana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KnownSessions(database, LIFETIME)
    token = token_hash(await sessions.begin_session(database, ana))
    assert await known.account(token) == ana
    later = __import__("time").time_ns() + 25 * HOUR * 10**9
    monkeypatch.setattr("server.web.requests.known_sessions.time.time_ns", lambda: later)
    assert await known.account(token) is None


async def test_use_keeps_a_session_and_is_written_once_for_many_requests(database: Database, ana: Account) -> None:
    token = await sessions.begin_session(database, ana)
    await age(database, token, created=20, seen=20)
    known = KnownSessions(database, LIFETIME)
    await known.account(token_hash(token))
    before = database.group_size.sum
    assert await asyncio.gather(*(known.account(token_hash(token)) for _ in range(50))) == [ana] * 50
    assert database.group_size.sum - before <= 1
    session = await database.read(lambda sql: stored.by_token(sql, token_hash(token)))
    assert session is not None
    assert session.seen - session.created >= 19 * HOUR * 1000


async def test_a_clock_that_was_set_back_ends_no_session(database: Database, ana: Account) -> None:
    token = await sessions.begin_session(database, ana)
    await age(database, token, created=-24, seen=-24)
    assert await KnownSessions(database, LIFETIME).account(token_hash(token)) == ana
    await sessions.sweep(database, SETTINGS)
    assert await count(database, "sessions") == 1


async def test_sweeping_tells_whose_sockets_end(database: Database, ana: Account) -> None:
    told: list[AccountEvent] = []
    for _ in range(stored.SWEPT_AT_ONCE + 5):
        await age(database, await sessions.begin_session(database, ana), created=200)
    kept = await sessions.begin_session(database, ana)
    database.on_account_event = told.append
    await sessions.sweep(database, SETTINGS)
    assert await count(database, "sessions") == 1
    assert {(one.account, one.is_end) for one in told} == {(ana.id, True)}
    assert await KnownSessions(database, LIFETIME).account(token_hash(kept)) == ana


async def test_nobody_ends_the_session_of_another(database: Database, ana: Account) -> None:
    bo = await sign_in.create_account(database, "Bo", None, "reader")
    assert bo is not None
    token = await sessions.begin_session(database, ana)
    (id_,) = await database.read(lambda sql: sql.execute("SELECT id FROM sessions").fetchone())
    with pytest.raises(NotFound):
        await sessions.end_own_session(database, bo, id_)
    await sessions.end_other_sessions(database, bo, token)
    assert await count(database, "sessions") == 1


async def test_a_token_of_nobody_costs_no_write(database: Database) -> None:
    before = database.group_size.sum
    for number in range(20):
        await sessions.end_session(database, f"nobody's {number}")
    assert database.group_size.sum == before


def from_(address: str, device: str = "") -> Caller:
    return Caller(address, lambda _: device)


async def guess(database: Database, caller: Caller, password: str = "a guess", name: str = "Ana") -> str:
    """Return what comes of it."""
    try:
        # What an address may do at all is not what is tried here.
        account = await sign_in.log_in(database, Limits(is_on=True), SETTINGS, name, password, caller)
    except (NotSignedIn, TooMany) as error:
        return error.code
    return account.name


async def test_guesses_from_one_address_lock_out_that_address_alone(database: Database, ana: Account) -> None:
    said = [await guess(database, from_("here")) for _ in range(5)]
    assert said == ["wrong_credentials"] * 3 + ["too_many"] * 2
    assert await guess(database, from_("here"), PASSWORD) == "too_many"
    assert await guess(database, from_("elsewhere"), PASSWORD) == "Ana"


async def test_guesses_from_everywhere_keep_a_known_browser_in(database: Database, ana: Account) -> None:
    for number in range(7):
        assert await guess(database, from_(f"bot {number}")) == "wrong_credentials"
    assert await guess(database, from_("bot 8")) == "too_many"
    assert await guess(database, from_("home"), PASSWORD) == "too_many"
    assert await guess(database, from_("home", "a browser"), PASSWORD) == "Ana"
    # It may not guess without end either.
    said = [await guess(database, from_("home", "a browser")) for _ in range(4)]
    assert said == ["wrong_credentials"] * 3 + ["too_many"]


async def test_an_unknown_name_is_answered_as_a_known_one(database: Database, ana: Account) -> None:
    for name in ("Ana", "Nobody", "\u202e"):
        said = [await guess(database, from_("here"), name=name) for _ in range(4)]
        assert said == ["wrong_credentials"] * 3 + ["too_many"], name


async def test_the_right_password_costs_nothing(database: Database, ana: Account) -> None:
    for _ in range(9):
        assert await guess(database, from_("here"), PASSWORD) == "Ana"


async def test_guesses_at_once_are_counted_one_by_one(database: Database, ana: Account) -> None:
    said = await asyncio.gather(*(guess(database, from_("here")) for _ in range(12)))
    assert sorted(said) == ["too_many"] * 9 + ["wrong_credentials"] * 3


async def test_a_restart_forgets_no_guess(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    async with Database.opened(path) as database:
        await sign_in.create_account(database, "Ana", await passwords.hashed(PASSWORD), "reader")
        for _ in range(3):
            await guess(database, from_("here"))
    async with Database.opened(path) as database:
        assert await guess(database, from_("here"), PASSWORD) == "too_many"


async def test_what_a_stranger_guesses_does_not_keep_who_is_logged_in_from_the_account(
    database: Database, ana: Account
) -> None:
    for number in range(10):
        await guess(database, from_(f"bot {number}"))
    await passwords.confirm(database, SETTINGS, ana, PASSWORD)
    for _ in range(3):
        with pytest.raises(NotSignedIn):
            await passwords.confirm(database, SETTINGS, ana, "a guess")
    with pytest.raises(TooMany):
        await passwords.confirm(database, SETTINGS, ana, PASSWORD)


async def test_attempts_come_back_with_time_and_are_forgotten_then(database: Database) -> None:
    bucket = login_attempts.Bucket(b"who", 2, 60)
    assert [await database.write(lambda write: login_attempts.take(write, [bucket])) for _ in range(3)] == [0, 0, 30]
    past = "UPDATE attempts SET at = at - 31000, full_at = full_at - 31000"
    await database.write(lambda write: write.sql.execute(past).rowcount)
    assert [await database.write(lambda write: login_attempts.take(write, [bucket])) for _ in range(2)] == [0, 29]
    assert await database.write(login_attempts.sweep) is False
    await database.write(lambda write: write.sql.execute("UPDATE attempts SET at = 0, full_at = 0").rowcount)
    assert await database.write(login_attempts.sweep) is True
    assert await count(database, "attempts") == 0


async def test_a_clock_that_was_wrong_locks_nobody_out_for_long(database: Database) -> None:
    bucket = login_attempts.Bucket(b"who", 1, 60)
    await database.write(lambda write: login_attempts.take(write, [bucket]))
    future = "UPDATE attempts SET at = at + 86400000, full_at = full_at + 86400000"
    await database.write(lambda write: write.sql.execute(future).rowcount)
    assert await database.write(lambda write: login_attempts.take(write, [bucket])) == 60
    await database.write(lambda write: write.sql.execute("UPDATE attempts SET at = at - 61000").rowcount)
    assert await database.write(lambda write: login_attempts.take(write, [bucket])) == 0


async def test_what_waits_to_be_hashed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 3)
    said = await asyncio.gather(*(passwords.hashed(PASSWORD) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, str) for one in said) == 3
    assert {getattr(one, "status", 200) for one in said} == {200, 503}
    assert isinstance(await eventually(lambda: passwords.hashed(PASSWORD)), str)
