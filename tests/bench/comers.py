"""Readers who come, stay for two seconds and go: `comers PORT RATE`, until stdin ends. Exit status 1: one had a gap."""

from __future__ import annotations

import select
import sys
import time

from tests.bench.crowd import OFFER, Crowd, Watched
from tests.bench.fan_out import JOIN

STEPS_A_SECOND = 4
STAY_SECONDS = 2
WATCHED = 10


def come_and_go(port: int, rate: int) -> bool:
    """Return whether everybody who was looked at got every change after the one at which they joined."""
    crowd = Crowd()
    here: list[list[int]] = []
    step = time.monotonic()
    is_whole = True
    while not select.select([sys.stdin], [], [], 0)[0]:
        fresh = crowd.connect(port, rate // STEPS_A_SECOND, offer=OFFER)
        for descriptor in fresh[:WATCHED]:
            crowd.watched[descriptor] = Watched()
        for descriptor in fresh:
            crowd.sockets[descriptor].sendall(JOIN)
        here.append(fresh)
        step += 1 / STEPS_A_SECOND
        crowd.drain_for(max(0.0, step - time.monotonic()))
        if len(here) > STAY_SECONDS * STEPS_A_SECOND:
            gone = here.pop(0)
            is_whole &= all(_is_whole(crowd.watched.pop(descriptor)) for descriptor in gone[:WATCHED])
            crowd.leave(gone)
    crowd.close()
    return is_whole


def _is_whole(one: Watched) -> bool:
    stands_at: int | None = None
    for _, message in one.messages():
        if message["type"] == "joined":
            stands_at = message["version"]
        elif message["type"] == "changes":
            if stands_at is None or message["after"] > stands_at:
                return False
            stands_at = max(stands_at, message["version"])
    return stands_at is not None


if __name__ == "__main__":
    sys.exit(not come_and_go(int(sys.argv[1]), int(sys.argv[2])))
