"""A ranking that the server has forgotten is no wall: the order begins anew, and says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
from playwright.async_api import expect

from tests.processes import Server

ANEW = "it starts again"


def discussion(folder: Path) -> str:
    lines = [
        {"id": str(number), "author": "Ana", "created": number, "score": number % 7, "body_md": f"root {number}"}
        for number in range(450)
    ]
    file = folder / "long.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return str(file)


async def test_more_of_a_forgotten_ranking_begins_the_order_anew(tmp_path: Path, key: str, visit: Any) -> None:
    with Server(tmp_path, LIVETHREAD_LIMITS="off") as app:
        app.run("import", "jsonl", discussion(tmp_path), "--thread", key)
        url = f"{app.origin}/t/{key}?sort=top"
        visitor, plain = await visit(), await visit(java_script_enabled=False)
        page = await visitor.read(url)
        await plain.page.goto(url)
        items = page.locator("ol.comments > li[data-id]")
        await expect(items).to_have_count(200)
        cursor = httpx2.get(f"{app.origin}/api/threads/{key}?sort=top", trust_env=False).json()["next"]
        app.stop()
        app.start()
        with app.commenter("Eva") as writer:
            # From here on the thread is another than the one that was ranked.
            writer.post(f"/api/threads/{key}/comments", json={"body": "New", "nonce": "n" * 20})
        forgotten = httpx2.get(f"{app.origin}/api/threads/{key}?sort=top&cursor={cursor}", trust_env=False)
        assert forgotten.status_code == 422
        assert (forgotten.json()["error"]["code"], forgotten.json()["error"]["field"]) == (
            "ranking_forgotten",
            "cursor",
        )

        await page.wait_for_selector(".connection[data-state=live]")
        await page.click(".more")
        await expect(page.locator("[role=status]")).to_contain_text(ANEW)
        await page.click(".more")
        await expect(items).to_have_count(400)
        fresh = await visit()
        await fresh.read(url)
        assert await visitor.painted() == await fresh.painted()

        await plain.page.click(".more")
        await expect(plain.page).to_have_url(f"{url}&anew=yes")
        await expect(plain.page.locator(".notice:visible")).to_contain_text(ANEW)
        await expect(plain.page.locator("ol.comments > li[data-id]")).to_have_count(200)
        wrong = httpx2.get(f"{app.origin}/t/{key}?cursor=nonsense", trust_env=False)
        assert wrong.status_code == 422
