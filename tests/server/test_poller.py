"""What a gateway tells its app: all of it within a round, in requests that the app takes."""

from __future__ import annotations

import httpx2
import msgspec
import pytest

from channels.messages import AccountEvent
from channels.rooms.hub import Hub
from channels.tasks import Health, Tasks
from server.gateway_poller import ROUND_POLLS, AppSource, Poller, Signed
from server.settings import read
from server.sites import Sites
from server.storage.accounts import accounts
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.web.live.gateway_api import MAX_BODY_BYTES, PollAnswer
from tests.channels.test_empty_threads import Threads, fresh, hub_of
from tests.processes import eventually

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_PORT": "1"})


class App(Signed):
    """An app that takes every poll within its limit, and remembers what it was told."""

    def __init__(self, *answers: PollAnswer | httpx2.Response | bytes) -> None:
        self.known: dict[str, int] = {}
        self.sizes: list[int] = []
        self.clocks: list[int | None] = []
        self.answers = list(answers)

    async def post(self, path: str, purpose: str, content: object, seconds: float) -> bytes:
        body = msgspec.json.encode(content)
        self.sizes.append(len(body))
        asked = msgspec.json.decode(body)
        self.known.update(asked["readers"])
        self.clocks.append(asked["clock"])
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, httpx2.Response):
                answer.raise_for_status()
            return answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        return msgspec.json.encode(PollAnswer("e", 1, {}, {}, [], 1))


class Rooms(Hub):
    """A hub that says it has these rooms."""

    def __init__(self, rooms: dict[str, tuple[int, int]]) -> None:
        super().__init__(AppSource.__new__(AppSource), Health())
        self.said = rooms

    def heads(self) -> dict[str, tuple[int, int]]:
        return self.said


@pytest.mark.parametrize("count", [0, 10, 15_000])
async def test_every_room_is_told_of_in_requests_below_the_limit_and_forgotten_when_it_is_gone(count: int) -> None:
    rooms = {f"{number:05d}-{'x' * 190}": (1, 1) for number in range(count)}
    hub, app = Rooms(rooms), App()
    poller = Poller(app, SETTINGS, hub, Sites())
    for _ in range(1 + ROUND_POLLS):
        await poller._poll()
    assert app.known == dict.fromkeys(rooms, 1)
    assert max(app.sizes) <= MAX_BODY_BYTES
    hub.said = dict.fromkeys(list(rooms)[: count // 2], (2, 1))
    for _ in range(2 * ROUND_POLLS):
        await poller._poll()
    assert {thread: count for thread, count in app.known.items() if count} == dict.fromkeys(hub.said, 2)
    # Where nothing changes, a tenth is told of again.
    app.sizes.clear()
    await poller._poll()
    assert sum(app.sizes) <= 1_000 + 220 * (1 + count // ROUND_POLLS)


async def test_what_concerned_accounts_is_told_in_parts_each_write_whole_and_nothing_twice(
    database: Database,
) -> None:
    def concern_thirty(write: Write) -> None:
        for number in range(1, 31):
            # Three by each write; of every fourth account sessions ended as well.
            ended = 40 + number if number % 4 == 0 else 0
            write.sql.execute(
                "INSERT INTO accounts (name, key, created, kind, bell, ended) VALUES (?, ?, 0, 'local', ?, ?)",
                (f"a{number}", f"a{number}", (number + 2) // 3, ended),
            )

    await database.write(concern_thirty)
    told: list[AccountEvent] = []
    after: int | None = 0
    while after is not None:
        part, after = await database.read(lambda sql, after=after: accounts.concerns(sql, after, 8))  # type: ignore[misc]
        assert len(part) <= 8
        told += part
    assert len({(one.account, one.is_end) for one in told}) == len(told) == 37
    assert [one.version for one in told] == sorted(one.version for one in told)


async def test_a_gateway_asks_at_once_for_the_rest_of_what_concerned_accounts() -> None:
    app = App(PollAnswer("e", 9, {}, {}, [AccountEvent(1, 5, False)], 9, None, 5), PollAnswer("e", 9, {}, {}, [], 9))
    poller = Poller(app, SETTINGS, Rooms({}), Sites())
    await poller._poll()
    assert poller._wake.is_set()
    poller._wake.clear()
    await poller._poll()
    assert not poller._wake.is_set()
    await poller._poll()
    assert app.clocks == [None, 5, 9]


async def test_whoever_joins_before_the_first_poll_hears_of_the_first_comment() -> None:
    """A gateway that starts beside its app: the comment comes after the join, and before the first answer."""
    threads = Threads()
    hub = hub_of(threads)
    poller = Poller(App(PollAnswer("first", 1, {}, {}, [], 1)), SETTINGS, hub, Sites())
    reader = fresh()
    async with hub.running():
        hub.join(reader, "t", None, 0)
        await eventually(lambda: reader.kinds() == ["joined"])
        threads.heads["t"] = 1
        await poller._poll()
        await eventually(lambda: reader.comments == {1: 1})
        # What is heard of all is told of no unused thread.
        other = fresh()
        hub.join(other, "u", None, 0)
        await eventually(lambda: other.kinds() == ["joined"])
        assert (len(hub.lobby), set(hub.heads())) == (1, {"t"})


async def test_whoever_waits_while_the_app_becomes_one_of_the_version_before_comes_back() -> None:
    threads = Threads()
    hub = hub_of(threads)
    refusal = httpx2.Response(422, request=httpx2.Request("POST", "http://app"))
    before = msgspec.json.encode({"epoch": "first", "clock": 1, "heads": {}, "readers": {}, "concerns": []})
    app = App(PollAnswer("first", 0, {}, {}, [], 0), refusal, *[before] * 60)
    poller = Poller(app, SETTINGS, hub, Sites())
    reader = fresh()
    async with hub.running(), Tasks(Health()) as tasks:
        tasks.keep("poll", poller.run)
        await eventually(lambda: hub.hears_of_all)
        hub.join(reader, "t", None, 0)
        await eventually(lambda: reader.kinds() == ["joined"])
        assert len(hub.lobby) == 1
        await eventually(lambda: reader.is_cut)
        assert not hub.hears_of_all
