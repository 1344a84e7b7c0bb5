"""Readers of threads without comments: there is nothing to deliver, and a key costs about 100 bytes."""

from __future__ import annotations

from collections.abc import Iterator

from channels.sockets.reader import Reader


class Lobby:
    """Readers by the hash of a thread's key: 64 bits under a key of this process alone, so that no two are the same."""

    def __init__(self) -> None:
        self._waiting: dict[int, Reader | dict[Reader, None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def here(self, thread: str) -> int:
        """Return how many wait for `thread`."""
        return len(_all(self._waiting.get(hash(thread))))

    def readers(self) -> Iterator[Reader]:
        for waiting in self._waiting.values():
            yield from _all(waiting)

    def enter(self, reader: Reader, thread: str) -> None:
        place = hash(thread)
        there = self._waiting.get(place)
        if there is None:
            self._waiting[place] = reader
        elif isinstance(there, dict):
            there[reader] = None
        else:
            self._waiting[place] = {there: None, reader: None}
        reader.waits_for += (place,)

    def holds(self, reader: Reader, thread: str) -> bool:
        return hash(thread) in reader.waits_for

    def leave(self, reader: Reader, place: int) -> None:
        reader.waits_for = tuple(other for other in reader.waits_for if other != place)
        there = self._waiting.get(place)
        if isinstance(there, dict):
            there.pop(reader, None)
        if not there or there is reader:
            self._waiting.pop(place, None)
            if not self._waiting:
                # A dict keeps the room of all that it ever held.
                self._waiting = {}

    def take(self, thread: str) -> tuple[Reader, ...]:
        """Return all who wait for `thread`, and let them go."""
        readers = _all(self._waiting.get(hash(thread)))
        for reader in readers:
            self.leave(reader, hash(thread))
        return readers


def _all(waiting: Reader | dict[Reader, None] | None) -> tuple[Reader, ...]:
    if waiting is None:
        return ()
    return tuple(waiting) if isinstance(waiting, dict) else (waiting,)
