"""The command `replay`: posts a discussion into a running server, in its order and timing, by its commenters."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx2

from server import operator_commands
from server.errors import CannotStart, CommandFailed, DomainError
from server.importing.import_command import check_key, key_of, read_records
from server.importing.record import Record
from server.settings import Settings
from server.text import links

MAX_GAP_SECONDS = 5.0
ATTEMPTS = 30
GUEST = "Guest"
_PLACEHOLDER = "(removed)"


@dataclass
class Report:
    posted: int = 0
    tombstones: int = 0
    not_posted: list[tuple[int, str]] = field(default_factory=list)


class Replay:
    """One pass over the records of a discussion, into thread `key` of the server at `origin`."""

    def __init__(self, owner: operator_commands.Owner, client: httpx2.AsyncClient, key: str, speed: float) -> None:
        self._owner = owner
        self._client = client
        self._key = key
        self._speed = speed
        self._tokens: dict[str, str] = {}
        self._ids: dict[str, int] = {}
        self._awaited: Counter[str] = Counter()
        self._to_delete: dict[str, str] = {}
        self.report = Report()

    async def post_all(self, records: list[Record], progress: Callable[[int], None] = lambda done: None) -> Report:
        """Post every record; what cannot be posted is in the report with its reason, and the rest goes on."""
        self._awaited.update(record.parent for record in records if record.parent is not None)
        earlier: int | None = None
        for number, record in enumerate(records, start=1):
            if earlier is not None:
                gap = min(MAX_GAP_SECONDS, max(0.0, (record.created - earlier) / 1000))
                await asyncio.sleep(gap / self._speed)
            earlier = record.created
            why = record.skip or await self._post(record)
            if record.parent is not None:
                self._awaited[record.parent] -= 1
            for id_ in (record.id, record.parent or ""):
                if id_ in self._to_delete and not self._awaited[id_]:
                    why = await self._delete(id_) or why
            if why is not None:
                self.report.not_posted.append((record.line, why))
            progress(number)
        return self.report

    def know(self, ids: dict[str, int]) -> None:
        """Tell of comments that are in the thread already: replies find their parents among them."""
        self._ids.update(ids)

    async def _post(self, record: Record) -> str | None:
        """Post one record and return None, or why it could not be posted.

        Authors without a name post as guests. A removed comment is posted, and deleted after its last reply.
        """
        if record.parent is not None and record.parent not in self._ids:
            return f"it replies to {record.parent}, which is missing"
        text = links.from_file(record.body, self._key, record.links, self._ids)
        body = _PLACEHOLDER if record.removed else text
        try:
            token = await self._token(GUEST if record.author is None else record.author)
        except (DomainError, CommandFailed) as error:
            return f"its author cannot log in: {error}"
        message = {"body": body, "parent": self._ids.get(record.parent or ""), "nonce": self._nonce(record)}
        answer = await self._send("POST", f"/api/threads/{self._key}/comments", token, message)
        if answer.status_code not in (200, 201):
            return _reason(answer)
        self._ids[record.id] = answer.json()["comment"]["id"]
        self.report.posted += 1
        if record.removed:
            self._to_delete[record.id] = token
        return None

    async def _delete(self, id_: str) -> str | None:
        answer = await self._send("DELETE", f"/api/comments/{self._ids[id_]}", self._to_delete.pop(id_), None)
        if answer.status_code != 200:
            return f"{id_} was posted, but could not be deleted: {_reason(answer)}"
        self.report.tombstones += 1
        return None

    def _nonce(self, record: Record) -> str:
        return hashlib.sha256(f"{self._key}\0{record.line}\0{record.id}".encode()).hexdigest()[:32]

    async def _token(self, name: str) -> str:
        if name not in self._tokens:
            self._tokens[name] = (await self._owner.ask("commenter", {"name": name}))["token"]
        return self._tokens[name]

    async def _send(self, method: str, path: str, token: str, message: Mapping[str, object] | None) -> httpx2.Response:
        """Send until it is answered: the nonce makes sure that what was answered unheard is not done twice."""
        for attempt in range(ATTEMPTS):
            try:
                answer = await self._client.request(
                    method, path, json=message, headers={"authorization": f"Bearer {token}"}
                )
            except httpx2.TransportError:
                if attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(min(0.1 * 2**attempt, 2.0))
                continue
            if answer.status_code not in (429, 503):
                break
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        return answer


async def replay_file(settings: Settings, given: Namespace) -> int:
    """Replay a jsonl file into the running server that owns the database of these settings."""
    check_key(given.thread)
    records = read_records(given.file)
    key = given.thread or key_of(given.file)

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done:,} of {len(records):,} records", end="", file=sys.stderr, flush=True)

    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(operator_commands.running_owner(settings))
        origin = (await owner.ask("origin", {}))["origin"]
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=origin, timeout=30, trust_env=False))
        print(f"replaying {len(records):,} records into {origin}/t/{key}", flush=True)
        try:
            report = await Replay(owner, client, key, given.speed).post_all(records, progress)
        except httpx2.TransportError as error:
            raise CannotStart(f"The server at {origin} stopped responding: {error!r}.") from error
    print(f"\n  {report.posted:>7,} posted, of these {report.tombstones:,} deleted again as tombstones")
    print(f"  {len(report.not_posted):>7,} could not be posted")
    for line, why in report.not_posted:
        print(f"          record {line}: {why}")
    return 0 if not report.not_posted else 1


def _reason(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {answer.status_code}"
