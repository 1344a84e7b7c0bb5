"""The memory held for HTTP connections, and which ones to cut if it is too much. Knows no protocol.

Nobody has said who they are while a request is being read or an answer waits to be taken. So all of it together has one
bound in bytes, and beyond it those go that have been waited for longest: an honest request is over in milliseconds.
Answers that are taken at a decent rate go last.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from channels.event_loop_budget import Rounds
from server import memory_trimming
from server.send_buffers import SendBuffers

# Above the first, connections are cut that neither send nor take data; above the second, those waited for longest.
MAX_BYTES = 12 * 1024 * 1024
MAX_BYTES_OF_ALL = 24 * 1024 * 1024
# Measured: transport, protocol, parser and what is kept here; a task with its request and what the application makes.
CONNECTION_BYTES = 6 * 1024
REQUEST_BYTES = 16 * 1024
# What may wait for peers also where our own work takes the rest: those who come meanwhile are no help if they are cut.
SPARED_BYTES = 4 * 1024 * 1024
# Smaller ones lie in the kernel's buffers, or in what a connection is counted with.
MIN_COUNTED_ANSWER_BYTES = 4 * 1024
# No more than a browser opens.
FEW_CONNECTIONS = 8
MOST_LOOKED_AT = 64
# Where nobody was stalled: so much more before the next look.
LOOK_BYTES = 64 * 1024
SECONDS_BETWEEN_LINES = 60.0
log = logging.getLogger("livethread.http")


class Guest(Protocol):
    """A connection, as the budget knows it."""

    def is_stalled(self) -> bool:
        """Say whether its peer does not take, at a decent rate, what we have for it. Asked while it waits."""

    def let_go(self, *, is_late: bool) -> None:
        """End it, at once. Called at most once."""


@dataclass(slots=True)
class Tally:
    """Since the process began."""

    malformed: int = 0
    # The fault of the latest one.
    latest: str = ""
    cut: int = 0
    refused: int = 0


class Share:
    """What one connection holds."""

    __slots__ = ("_answers", "_budget", "address", "deadline", "guest", "held_bytes", "is_open")

    def __init__(self, budget: HttpBudget, address: str | None, guest: Guest) -> None:
        self._budget = budget
        self._answers: list[bytes] = []
        self.address = address
        self.guest = guest
        self.deadline = 0.0
        self.held_bytes = 0
        self.is_open = True

    @property
    def weight(self) -> int:
        """The bytes that would be free without it, but for answers that others wait for, too."""
        return self.held_bytes + sum(map(len, self._answers))

    def hold(self, count: int) -> None:
        """Count so many bytes more, and let others go if it is too much; a negative count gives back."""
        if self.is_open:
            self.held_bytes += count
            self._budget.held_bytes += count
            if count > 0:
                self._budget.make_room(self)
            else:
                self._budget.looks_sooner()

    def hold_no_more(self) -> None:
        """A request and its data are gone."""
        self.hold(CONNECTION_BYTES - self.held_bytes)

    def hold_answer(self, answer: bytes) -> None:
        """Count an answer that was not taken yet; many who wait for the same bytes hold them once."""
        if self.is_open and len(answer) >= MIN_COUNTED_ANSWER_BYTES:
            self._answers.append(answer)
            self._budget.hold_answer(answer)

    def release_answers(self) -> None:
        for answer in self._answers:
            self._budget.release_answer(answer)
        self._answers.clear()

    def waits(self, deadline: float) -> None:
        """From now on it is the peer's turn, until `deadline` by the loop's time."""
        if self.is_open:
            self.deadline = deadline
            self._budget.waits(self)

    def works(self) -> None:
        """From now on it is our turn."""
        self._budget.works(self)

    def close(self) -> None:
        """The connection is gone, or is no HTTP connection any more."""
        if self.is_open:
            self._budget.works(self)
            self.release_answers()
            self.hold(-self.held_bytes)
            self.is_open = False
            self._budget.leave(self)


class HttpBudget:
    """`most_from_address`: how many connections one address has at a time, None: any number.

    `rounds` says when what arrives is read. `sockets_of` an address are counted elsewhere.
    """

    def __init__(self, most_from_address: int | None = None, sockets_of: Callable[[str], int] = lambda _: 0) -> None:
        self._most_from_address = most_from_address
        self._answers: dict[int, tuple[bytes, int]] = {}
        # In the order in which they began to wait for their peers.
        self._waiting: dict[Share, None] = {}
        self._waiting_of: dict[str, dict[Share, None]] = {}
        self._here: dict[str, int] = {}
        self.held_bytes = 0
        self._trimmer = memory_trimming.Trimmer()
        self._looks_above = MAX_BYTES
        self._requests = 0
        self.connections = 0
        self.tally = Tally()
        self._sockets_of = sockets_of
        self.rounds = Rounds(self.load)
        self.send_buffers = SendBuffers()
        self._late: deque[Share] = deque()
        self._told, self._tells_at = 0, 0.0

    def load(self, address: str) -> int:
        """Return how many connections an address has here."""
        return self._here.get(address, 0) + self._sockets_of(address)

    @property
    def asks_for_addresses(self) -> bool:
        return self._most_from_address is not None

    def open(self, address: str | None, guest: Guest) -> Share | None:
        """Return a new connection's share; None if its address has too many that are being served.

        Where the address has too many and one of them waits for its peer, that one goes instead: a school behind one
        address is never refused. `address` None: a proxy's, which stands for many.
        """
        if address is not None and self._most_from_address is not None:
            if self._here.get(address, 0) >= self._most_from_address:
                oldest = next(iter(self._waiting_of.get(address, ())), None)
                if oldest is None:
                    self.tally.refused += 1
                    return None
                self.cut(oldest)
            self._here[address] = self._here.get(address, 0) + 1
        else:
            address = None
        share = Share(self, address, guest)
        self.connections += 1
        share.hold(CONNECTION_BYTES)
        return share

    def cut_oldest(self, active: Share | None = None) -> bool:
        """Let go of a connection that has long been waited for, other than `active`; False if none is waited for."""
        oldest = self._heaviest_stalled(active) or self._oldest(active)
        if oldest is not None:
            self.cut(oldest)
        return oldest is not None

    def make_room(self, active: Share | None = None) -> None:
        """Let others than the `active` one go, of which something has just come, while too much is held."""
        if self.held_bytes > self._looks_above:
            while self.held_bytes > MAX_BYTES and (stalled := self._heaviest_stalled(active)):
                self.cut(stalled)
            # Where none was found the next look would find none either, and each byte that comes would cost one.
            self._looks_above = max(MAX_BYTES, self.held_bytes + LOOK_BYTES)
        while self.held_bytes > MAX_BYTES_OF_ALL and self._beside_work > SPARED_BYTES and self.cut_oldest(active):
            pass

    def looks_sooner(self) -> None:
        """Less is held: what is added to that is looked at again."""
        self._looks_above = max(MAX_BYTES, min(self._looks_above, self.held_bytes + LOOK_BYTES))

    @property
    def _beside_work(self) -> int:
        return self.held_bytes - self._requests * (REQUEST_BYTES + CONNECTION_BYTES)

    def is_crowd(self, address: str | None) -> bool:
        """Say whether the address has more connections than a browser opens."""
        return self.load(address or "") > FEW_CONNECTIONS

    def is_full(self, address: str | None) -> bool:
        """Say whether our own work takes so much that no more can be begun: the sooner, the more they have here."""
        return self.held_bytes > MAX_BYTES_OF_ALL + SPARED_BYTES // max(1, self.load(address or ""))

    def _heaviest_stalled(self, active: Share | None) -> Share | None:
        """Return the one that holds most, with all that its address has. Those that hold nothing yet are no help, and
        an honest request may be on its way to them.
        """
        stalled = (
            one
            for one in islice(self._waiting, MOST_LOOKED_AT)
            if one is not active and one.weight > CONNECTION_BYTES and one.guest.is_stalled()
        )
        return max(stalled, key=lambda one: one.weight * max(1, self.load(one.address or "")), default=None)

    def _oldest(self, active: Share | None) -> Share | None:
        """Return the first of an address that has no fewer connections than the others; None if nobody waits."""
        waiting = (one for one in islice(self._waiting, MOST_LOOKED_AT) if one is not active)
        return max(waiting, key=lambda one: self.load(one.address or ""), default=None)

    def every_second(self, now: float) -> None:
        """Cut connections whose time is up, log, and release memory. `now` is the loop's time."""
        self._looks_above = MAX_BYTES
        self.make_room()
        if not self._late:
            self._late.extend(one for one in self._waiting if one.deadline < now)
            self._go_on_cutting()
        self._say_what_was_malformed(now)
        self.send_buffers.take_back()
        self._trimmer.give_back()
        memory_trimming.collect_cycles(is_calm=not self.rounds.is_busy)

    def _go_on_cutting(self) -> None:
        # Thousands may be late at once: they take turns with what arrives, one of them waits for its turn at a time.
        if self._late:
            self.rounds.later("", self._cut_one_late)

    def _cut_one_late(self) -> None:
        share = self._late.popleft()
        if share in self._waiting and share.deadline < asyncio.get_running_loop().time():
            self.cut(share, is_late=True)
        self._go_on_cutting()

    def _say_what_was_malformed(self, now: float) -> None:
        """One line a minute at most, so that nobody can fill the log."""
        fresh = self.tally.malformed - self._told
        if fresh and now >= self._tells_at:
            log.warning("%d malformed requests were answered 400, the latest: %s", fresh, self.tally.latest)
            self._told, self._tells_at = self.tally.malformed, now + SECONDS_BETWEEN_LINES

    def begin_request(self) -> None:
        self._requests += 1
        self.held_bytes += REQUEST_BYTES
        self.make_room()

    def end_request(self) -> None:
        self._requests -= 1
        self.held_bytes -= REQUEST_BYTES

    def malformed(self, why: str) -> None:
        self.tally.malformed += 1
        self.tally.latest = why

    def cut(self, share: Share, *, is_late: bool = False) -> None:
        self.tally.cut += 1
        share.close()
        share.guest.let_go(is_late=is_late)

    def waits(self, share: Share) -> None:
        self._waiting.pop(share, None)
        self._waiting[share] = None
        if share.address is not None:
            of_address = self._waiting_of.setdefault(share.address, {})
            of_address.pop(share, None)
            of_address[share] = None

    def works(self, share: Share) -> None:
        self._waiting.pop(share, None)
        if share.address is not None:
            of_address = self._waiting_of.get(share.address)
            if of_address is not None:
                of_address.pop(share, None)
                if not of_address:
                    del self._waiting_of[share.address]

    def leave(self, share: Share) -> None:
        self.connections -= 1
        if share.address is not None:
            self._here[share.address] -= 1
            if not self._here[share.address]:
                del self._here[share.address]

    def hold_answer(self, answer: bytes) -> None:
        _, holders = self._answers.get(id(answer), (answer, 0))
        self._answers[id(answer)] = (answer, holders + 1)
        if not holders:
            self.held_bytes += len(answer)
            self.make_room()

    def release_answer(self, answer: bytes) -> None:
        _, holders = self._answers[id(answer)]
        if holders > 1:
            self._answers[id(answer)] = (answer, holders - 1)
        else:
            del self._answers[id(answer)]
            self.held_bytes -= len(answer)
