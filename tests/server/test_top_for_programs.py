"""The order Top by the API: its pages name a ranking, and must not be kept longer than that is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from server.actions import sign_in
from server.actions.post import Post, post_comment
from server.app import create_app
from server.rate_limits import Limits
from server.settings import read


async def test_a_page_is_not_kept_beyond_the_ranking_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.storage.threads.orders.RANKINGS_BYTES", 1)
    settings = read(
        {
            "LIVETHREAD_DATABASE": str(tmp_path / "test.db"),
            "LIVETHREAD_SECRET": "a-secret-of-the-tests",
            "LIVETHREAD_PORT": "1",
        }
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app) as state:
        assert state is not None
        known: Any = state
        database = known["context"].database
        ana = await sign_in.create_account(database, "Ana", None, "reader")
        assert ana is not None
        for number in range(6):
            post = Post("one" if number < 3 else "other", "Hello", f"{number:016d}", None, "")
            await post_comment(database, Limits(is_on=False), settings, ana, post)

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": known}, receive, send)

        transport = httpx2.ASGITransport(app=with_state)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as program:
            for key in ("one", "other", "one"):
                page = (await program.get(f"/api/threads/{key}?sort=top&limit=2")).json()
            following = await program.get(f"/api/threads/one?sort=top&limit=2&cursor={page['next']}")
    assert following.status_code == 200
