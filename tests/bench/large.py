"""A database of a million comments beside one of ten thousand: the cost to import, start, read, write and back up."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from tests.bench.figure import Figure, cpu_seconds, on_the_servers_core, resident_bytes
from tests.bench.long import WORDS
from tests.bench.rounds import EFFORT
from tests.processes import ROOT, Server

COMMENTS, FEW = 1_000_000, 4_000
TIMES = 100
# Of these one has a tenth of the comments.
COMMENTS_A_THREAD = 50
LARGEST = 10
AUTHORS = 5_000
REQUESTS = 10
MOST_DEPTH = 8
_nonces = itertools.count()


def large(folder: Path, _: int) -> list[Figure]:
    count = FEW if EFFORT.is_small else COMMENTS
    houses = {size: _house(folder / str(size), size) for size in (count // TIMES, count)}
    small, big = houses.values()
    return [
        Figure(f"{count:,} comments: {what}", value, unit, f"{count // TIMES:,}", small[what, unit])
        for (what, unit), value in big.items()
    ]


def _house(folder: Path, count: int) -> dict[tuple[str, str], float]:
    """Return (what, unit) → figure."""
    folder.mkdir()
    file = folder / "house.backup"
    with file.open("w") as lines:
        lines.writelines(json.dumps(line) + "\n" for line in _lines(count))
    app = Server(folder)
    found = {("imported", "a second of CPU"): count / _command(app, "import", "remark42", str(file))}
    file.unlink()
    with sqlite3.connect(folder / "test.db") as database:
        ((largest,),) = database.execute(
            "SELECT key FROM threads t ORDER BY (SELECT count(*) FROM comments c WHERE c.thread = t.id) DESC LIMIT 1"
        )
        ((some,),) = database.execute(
            "SELECT id FROM comments WHERE thread = (SELECT id FROM threads WHERE key = ?) LIMIT 1 OFFSET ?",
            (largest, count // LARGEST // 2),
        )
    database.close()
    began_at = time.monotonic()
    with on_the_servers_core():
        app.start()
    found["start", "s"] = time.monotonic() - began_at
    with contextlib.ExitStack() as stack:
        stack.callback(app.stop)
        client = stack.enter_context(app.commenter("large"))
        assert app.process is not None
        pid = app.process.pid
        found["memory after the start", "MiB"] = resident_bytes(pid) / 2**20
        for what, path in _views(largest, some).items():
            found[f"{what}, CPU", "ms"] = _cost(app, pid, client, largest, path)
        began = cpu_seconds(pid)
        for _ in range(REQUESTS * 10):
            _post(client, largest)
        found["a post, CPU", "ms"] = (cpu_seconds(pid) - began) / REQUESTS / 10 * 1000
        found["memory", "MiB"] = resident_bytes(pid) / 2**20
        began_at = time.monotonic()
        _command(app, "backup", str(folder / "copy.db"))
        found["a backup", "s"] = time.monotonic() - began_at
        began_at = time.monotonic()
        _command(app, "export", "jsonl", str(folder / "out.jsonl"), "--thread", largest)
        lines_out = sum(1 for _ in (folder / "out.jsonl").open())
        found["exported", "a second"] = lines_out / (time.monotonic() - began_at)
    return found


def _views(thread: str, comment: int) -> dict[str, str]:
    return {
        "home": "/",
        "first page of the largest thread": f"/t/{thread}",
        "the same, newest": f"/t/{thread}?sort=newest",
        "the same, top": f"/t/{thread}?sort=top",
        "the same, flat": f"/t/{thread}?sort=flat",
        "a permalink deep in it": f"/t/{thread}/c/{comment}",
        "a search for a rare word": f"/search?q=rare{comment % 97}",
        "a search for a usual word": "/search?q=quarrel",
    }


def _cost(app: Server, pid: int, client: httpx2.Client, thread: str, path: str) -> float:
    """Return the milliseconds of CPU of one request, with a post before each, so that no answer is kept."""
    spent = 0.0
    for _ in range(REQUESTS):
        _post(client, thread)
        spent -= cpu_seconds(pid)
        answer = httpx2.get(app.origin + path, trust_env=False, follow_redirects=True, timeout=60)
        assert answer.is_success, f"{path}: {answer.status_code}"
        spent += cpu_seconds(pid)
    return spent / REQUESTS * 1000


def _post(client: httpx2.Client, thread: str) -> None:
    body = {"body": "One more.", "nonce": f"large-{next(_nonces):020d}"}
    answer = client.post(f"/api/threads/{thread}/comments", json=body)
    assert answer.status_code == 201, answer.text


def _command(server: Server, *arguments: str) -> float:
    """Run a command on the server's core; return its seconds of CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with on_the_servers_core():
        subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            env=server.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _lines(count: int) -> Iterator[dict[str, object]]:
    """Yield a Remark42 backup: threads of fifty comments, and the first of a tenth of all."""
    chance = random.Random(1)
    words = WORDS.split()
    yield {"version": 1, "users": [], "posts": []}
    recent: list[tuple[str, int]] = []
    thread, left = 0, count // LARGEST
    for number in range(count):
        if not left:
            thread, left, recent = thread + 1, COMMENTS_A_THREAD, []
        left -= 1
        parent, depth = chance.choice(recent) if recent and chance.random() < 0.6 else ("", 0)
        if depth < MOST_DEPTH:
            recent = [*recent[-20:], (f"{number:08d}", depth + 1)]
        text = " ".join(chance.choices(words, k=chance.randrange(5, 60))) + f" rare{number}"
        author = f"writer {chance.randrange(AUTHORS)}"
        at = 1_500_000_000 + number
        yield {
            "id": f"{number:08d}", "pid": parent, "text": f"<p>{text}</p>", "orig": text, "title": f"Article {thread}",
            "user": {"name": author, "id": f"github_{author}"}, "score": chance.randrange(-3, 9),
            "locator": {"site": "large", "url": f"https://large.example/article-{thread}"},
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)),
        }  # fmt: skip
