"""How many gateways carry so many readers of one thread, and what they ask of the app, Redis and the network. Pure.

A model of a few formulas. Its constants were measured (docs/performance.md), on one core of one machine: what it says
is right within a factor of two, and docs/scale.md compares it with what was measured at sizes that fit there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# Seconds of CPU for a frame of FRAME_BYTES to one reader of a gateway (`bench gateways`).
DELIVERY = 8.0e-6
FRAME_BYTES = 600
# For a post that comes alone, with all that follows it (`bench gateways`); for one of many, which share a commit
# (`bench posts`); and for an anonymous page of 67 comments (`bench pages`).
POST_ALONE = 4.5e-3
ALONE_A_SECOND = 10
POST = 340e-6
PAGE = 105e-6
# What a disk that acknowledges takes, whatever the CPU (`bench posts`, 64 clients).
POSTS_A_SECOND = 2_800
# A reader who comes back and asks for what they missed (`bench connect`).
JOIN = 83e-6
READER_BYTES = 1_950
# For each gateway: the app's answer to its poll, once a second, and Redis' copy of a message. The copy was too small to
# be told from the noise: this is an upper bound (`bench gateways`).
POLL = 1.7e-3
COPY = 50e-6
# A message to Redis, for the first gateway.
PUBLISH = 170e-6
# channels/rooms/fan_out.py: changes of a tick become one frame; a tick is never shorter than so many sweeps.
TICK = 0.1
SWEEPS_A_TICK = 1.5
# Of a core. Above it a queue grows faster than it is worked off when something unforeseen comes.
FULL = 0.7
# A process that runs the app may deliver to so many besides.
AT_THE_APP = 5_000


@dataclass(frozen=True, slots=True)
class Demand:
    """`comments` a minute, in the thread that all `readers` watch; they come within `minutes`. `seconds`: how late the
    last reader may see a comment."""

    readers: int
    comments: float
    minutes: float = 10.0
    seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """`gateways` 0: the app alone. Shares are of one core; bytes per second; `back`: how long, in seconds of CPU of all
    others, the readers of a lost gateway take to come back."""

    demand: Demand
    gateways: int
    readers_of_each: int
    frames: float
    gateway: float
    app: float
    pages: float
    redis: float
    bytes_of_each: float
    memory_of_each: float
    back: float


def readers_of_one(seconds: float) -> int:
    """Return how many readers one process delivers to while a hot thread is at most so late.

    A comment waits for the tick and for its own sweep over the readers.
    """
    short_tick = (seconds - TICK) / DELIVERY
    is_stretched = short_tick * DELIVERY * SWEEPS_A_TICK > TICK
    return max(1, int(seconds / (SWEEPS_A_TICK + 1) / DELIVERY if is_stretched else short_tick))


def posting(comments: float) -> float:
    """Return the share of a core for so many posts a second."""
    return max(min(comments, ALONE_A_SECOND) * POST_ALONE, comments * POST)


def plan(demand: Demand) -> Plan:
    most = readers_of_one(demand.seconds)
    gateways = 0 if demand.readers <= min(AT_THE_APP, most) else math.ceil(demand.readers / most)
    each = math.ceil(demand.readers / max(1, gateways))
    comments = demand.comments / 60
    sweep = each * DELIVERY
    frames = min(comments, 1 / max(TICK, SWEEPS_A_TICK * sweep))
    return Plan(
        demand,
        gateways,
        each,
        frames,
        gateway=frames * sweep,
        app=posting(comments) + gateways * POLL,
        pages=demand.readers / (60 * demand.minutes) * PAGE,
        redis=comments * (PUBLISH + gateways * COPY) if gateways else 0.0,
        bytes_of_each=each * frames * FRAME_BYTES,
        memory_of_each=each * READER_BYTES,
        back=each * JOIN,
    )


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What gives out first, at how many readers (None: it does not depend on them), and the way past it."""

    what: str
    share: float
    readers: int | None
    way: str


def ceilings(found: Plan) -> list[Ceiling]:
    """Return the ceilings of a plan, the nearest first."""
    demand = found.demand
    comments, most = demand.comments / 60, readers_of_one(demand.seconds)
    for_polls = (FULL - posting(comments)) / POLL
    for_copies = (FULL / comments - PUBLISH) / COPY if comments else math.inf
    known = [
        Ceiling(
            "the app: pages of readers who arrive",
            found.pages / FULL,
            int(FULL / PAGE * 60 * demand.minutes),
            "let the proxy keep anonymous pages for a second",
        ),
        Ceiling(
            "the app: posts and polls of the gateways",
            found.app / FULL,
            max(0, int(for_polls)) * most,
            "fewer and larger gateways, with a longer --seconds",
        ),
        Ceiling(
            "Redis: copies for the gateways",
            found.redis / FULL,
            None if math.isinf(for_copies) else max(0, int(for_copies)) * most,
            "a Redis Cluster: gateways subscribe to its nodes in turn",
        ),
        Ceiling(
            "the writer: posts a second",
            comments / POSTS_A_SECOND,
            None,
            "a server for each site; one thread needs one writer",
        ),
    ]
    return sorted(known, key=lambda one: -one.share)


def report(demand: Demand) -> str:
    """Return the plan in words, a line for each part."""
    found = plan(demand)
    where = "the app alone" if not found.gateways else f"{found.gateways} gateway{'s' if found.gateways > 1 else ''}"
    asked = f"{demand.readers:,} readers of one thread, {demand.comments:,g} comments a minute"
    megabits = found.bytes_of_each * 8 / 1e6
    sent = f"{found.frames:.1f} frames of {FRAME_BYTES} bytes a second, uncompressed"
    arriving = f"{found.pages:.0%} for pages while readers arrive ({demand.minutes:g} min)"
    lines = [
        f"{asked}, at most {demand.seconds:g} s late:",
        "",
        f"  {where}, {found.readers_of_each:,} readers each",
        f"  each: {found.gateway:.0%} of a core, {found.memory_of_each / 1e6:,.0f} MB, {megabits:,.0f} Mbit/s ({sent})",
        f"  in all: {megabits * max(1, found.gateways) / 1000:,.2f} Gbit/s",
        f"  the app: {found.app:.0%} of a core for posts and polls, and {arriving}",
        f"  Redis: {found.redis:.1%} of a core",
    ]
    if found.gateways > 1:
        others = found.back / (found.gateways - 1)
        lines.append(f"  if a gateway is lost, its readers cost each of the others {others:.1f} s of CPU within 30 s")
    lines += ["", "  What gives out first:"]
    for one in ceilings(found):
        until = f" (full at {one.readers:,} readers)" if one.readers is not None else ""
        lines.append(f"  - {one.what}: {one.share:.0%} used{until}. Past it: {one.way}.")
    lines += ["", "  Within a factor of two, for cores like the one it was measured on: see docs/scale.md."]
    return "\n".join(lines)
