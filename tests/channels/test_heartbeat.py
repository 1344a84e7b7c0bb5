"""The heartbeat: every peer is asked, and one that does not answer is cut."""

from __future__ import annotations

import asyncio
import socket

from channels.sockets.connection import PING_FRAME
from channels.sockets.heartbeat import SILENT_BEATS, Heartbeat
from tests.channels.test_writing import connected
from tests.processes import START_SECONDS, eventually

MASKED_PONG = bytes((0x8A, 0x80, 0, 0, 0, 0))
ENOUGH = SILENT_BEATS + 2


async def pinged(peer: socket.socket, *, answers: bool) -> int:
    """Return how many pings came before the end, or before there were enough."""
    pings = b""
    while len(pings) < ENOUGH * len(PING_FRAME):
        got = await asyncio.get_running_loop().sock_recv(peer, 1024)
        if not got:
            break
        pings += got
        if answers:
            await asyncio.get_running_loop().sock_sendall(peer, MASKED_PONG)
    assert pings == PING_FRAME * (len(pings) // len(PING_FRAME))
    return len(pings) // len(PING_FRAME)


async def test_a_silent_peer_is_cut_after_two_beats_and_one_that_answers_is_not() -> None:
    heartbeat = Heartbeat(beat_seconds=0.05)
    silent, told_silent, _, silent_peer = await connected()
    lively, told_lively, _, lively_peer = await connected()
    with silent_peer, lively_peer:
        heartbeat.add(silent)
        heartbeat.add(lively)
        beating = asyncio.create_task(heartbeat.run())
        try:
            async with asyncio.timeout(START_SECONDS):
                pings = await asyncio.gather(pinged(silent_peer, answers=False), pinged(lively_peer, answers=True))
            assert tuple(pings) == (SILENT_BEATS, ENOUGH)
            await eventually(lambda: "lost" in told_silent.said)
            assert "lost" not in told_lively.said
        finally:
            beating.cancel()
            lively.abort()
            await eventually(lambda: "lost" in told_lively.said)


async def test_a_connection_that_was_dropped_is_asked_no_more() -> None:
    heartbeat = Heartbeat(beat_seconds=0.05)
    gone, told, _, gone_peer = await connected()
    stays, told_too, _, stays_peer = await connected()
    with gone_peer, stays_peer:
        heartbeat.add(gone)
        heartbeat.add(stays)
        heartbeat.drop(gone)
        assert len(heartbeat) == 1
        beating = asyncio.create_task(heartbeat.run())
        try:
            async with asyncio.timeout(START_SECONDS):
                assert await pinged(stays_peer, answers=True) == ENOUGH
            gone.abort()
            await eventually(lambda: "lost" in told.said)
            assert await pinged(gone_peer, answers=False) == 0
        finally:
            beating.cancel()
            stays.abort()
            await eventually(lambda: "lost" in told_too.said)
