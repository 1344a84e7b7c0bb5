"""A thread of 10,000 comments: what each view of it costs the server, made anew after every post."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import httpx2

from tests.bench.fan_out import _server
from tests.bench.figure import Figure, cpu_seconds
from tests.processes import Server

COMMENTS = 10_000
LONGEST = 1_500
REQUESTS = 30
WORDS = "of and the a comment which thread says that people quarrel in it *not* so much [here](https://e.org) as there"
_nonces = itertools.count()


def long(folder: Path, _: int) -> list[Figure]:
    file = folder / "long.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in _lines()))
    with _server(folder) as (app, pid), app.commenter("long") as client:
        app.run("import", "jsonl", str(file), "--thread", "long")
        figures = []
        for what, path in _views(client).items():
            spent = 0.0
            for _ in range(REQUESTS):
                # The page that all anonymous readers share is dropped.
                body = {"body": "One more.", "nonce": f"long-{next(_nonces):020d}"}
                assert client.post("/api/threads/long/comments", json=body).status_code == 201
                spent -= cpu_seconds(pid)
                assert _get(app, path).status_code == 200
                spent += cpu_seconds(pid)
            figures.append(Figure(f"{COMMENTS:,} comments: {what}, CPU", spent / REQUESTS * 1000, "ms"))
    return figures


def _views(client: httpx2.Client) -> dict[str, str]:
    """Return the paths to be asked for. Deep is in the middle of the thread, or of the branch of 1,500."""
    flat = client.get("/api/threads/long?sort=flat&limit=200").json()
    middle = flat["comments"][0]["id"] + COMMENTS // 2
    first = client.get("/api/threads/long?replies=30&limit=1").json()
    ((root, cut),) = first["cuts"].items()
    part = client.get(f"/api/threads/long?branch={root}&cursor={cut['cursor']}&limit=200").json()
    inside = part["comments"][-1]["id"]
    root_in_the_middle = client.get(f"/t/long/c/{middle}").text.split('data-id="')[1].split('"')[0]
    return {
        "first page": "/t/long",
        "deep page": f"/t/long?cursor={root_in_the_middle}~",
        "first page, newest": "/t/long?sort=newest",
        "first page, top": "/t/long?sort=top",
        "flat": "/t/long?sort=flat",
        "flat, deep": f"/t/long?sort=flat&cursor={middle}",
        "More replies, deep": f"/t/long?branch={root}&cursor={inside}",
        "permalink deep inside": f"/t/long/c/{inside}",
        "first page by the API": "/api/threads/long?limit=200&replies=30",
    }


def _get(app: Server, path: str) -> httpx2.Response:
    return httpx2.get(app.origin + path, trust_env=False)


def _lines() -> list[dict[str, object]]:
    """Return a thread in which the first root has a branch of 1,500, of every depth, and the others ones of 0 to 60."""
    chance = random.Random(1)
    words = WORDS.split()
    parents: dict[str, str | None] = {"0": None}
    depths = {"0": 0}
    branch = ["0"]
    left = LONGEST
    for number in range(1, COMMENTS):
        if not left:
            branch, left = [], chance.randrange(60)
        recent = [one for one in branch[-20:] if depths[one] < 24] or branch[:1]
        parent = (chance.choice(recent) if chance.random() < 0.7 else branch[0]) if branch else None
        parents[str(number)] = parent
        depths[str(number)] = depths[parent] + 1 if parent else 0
        branch.append(str(number))
        left = max(0, left - 1)
    return [
        {
            "id": id_,
            "parent": parent,
            "author": f"writer {int(id_) % 300}",
            "created": 1_700_000_000 + int(id_),
            "score": chance.randrange(9),
            "body_md": " ".join(chance.choices(words, k=chance.randrange(10, 80))),
        }
        for id_, parent in parents.items()
    ]
