"""Branches that are cut: their links in two browsers, without JavaScript, and in the API."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from tests.journeys.test_two_browsers import SETTLED, SHIFTS, sign_up
from tests.processes import Server

LINK = ".more-replies"


class Writer:
    def __init__(self, client: httpx2.Client, key: str) -> None:
        self.client = client
        self.key = key
        self._posts = 0

    def post(self, body: str, parent: int | None = None) -> int:
        self._posts += 1
        comment = {"body": body, "parent": parent, "nonce": f"{self.key}-{self._posts:020d}"}
        answer = self.client.post(f"/api/threads/{self.key}/comments", json=comment)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["comment"]["id"])

    def delete(self, id_: int) -> None:
        assert self.client.delete(f"/api/comments/{id_}").status_code == 200

    def branch(self, replies: int) -> list[int]:
        """Return the ids of a root and its replies, of which each third has an answer of its own."""
        ids = [self.post("The root")]
        while len(ids) <= replies:
            ids.append(self.post(f"Reply {len(ids)}", ids[-1] if len(ids) % 3 == 0 else ids[0]))
        return ids


async def test_what_happens_behind_the_link_moves_its_number_and_a_click_shows_it(
    app: Server, key: str, name: str, visit: Any
) -> None:
    with app.commenter(name) as client:
        writer = Writer(client, key)
        ids = writer.branch(60)
        other_root = writer.post("Another root")
        reader, fresh = await visit(viewport={"width": 800, "height": 600}), await visit()
        page = await reader.read(f"{app.origin}/t/{key}")
        link = page.locator(LINK)
        await expect(link).to_have_text("More replies (30)")
        await expect(page.locator(".more")).to_be_hidden()
        await link.scroll_into_view_if_needed()
        await page.evaluate(SETTLED)
        await page.evaluate(SHIFTS)
        # Its parent was never loaded here.
        hidden = writer.post("Behind the link", ids[-1])
        await expect(link).to_have_text("More replies (31)")
        writer.delete(ids[50])
        await expect(link).to_have_text("More replies (30)")
        await expect(page.locator(f"#c-{hidden}")).to_have_count(0)
        assert await page.evaluate("[window.shift, window.moved ?? []]") == [0, []]
        top = f"document.querySelector('#c-{ids[30]}').getBoundingClientRect().top"
        before = await page.evaluate(top)
        await link.click()
        await expect(page.locator(f"#c-{hidden} > article .body")).to_have_text("Behind the link")
        await expect(link).to_have_count(0)
        assert await page.evaluate(top) == before
        assert await page.evaluate("document.activeElement.closest('li').dataset.id") == str(ids[31])
        # From here on it is live like the rest.
        last = writer.post("At the end", ids[0])
        await fresh.read(f"{app.origin}/t/{key}")
        painted = await reader.painted()
        assert painted == await fresh.painted()
        assert [one["id"] for one in painted if one["id"] in (hidden, last, other_root)] == [hidden, last, other_root]


async def test_an_own_reply_behind_the_link_is_said_to_be_there(app: Server, key: str, name: str, visit: Any) -> None:
    with app.commenter(name) as client:
        ids = Writer(client, key).branch(40)
    visitor = await visit()
    await sign_up(visitor, app, f"{name} B", f"/t/{key}")
    page = visitor.page
    await page.locator(f"#c-{ids[0]} > article .reply").click()
    await page.fill(".answering textarea", "Mine")
    await page.click(".answering .post")
    await expect(page.locator(".status")).to_have_text("Your comment was posted. Show")
    await expect(page.locator(f"#c-{ids[0]} > article")).to_be_focused()
    await expect(page.locator(LINK)).to_have_text("More replies (11)")
    await page.click(LINK)
    await expect(page.locator("text=Mine")).to_be_visible()


async def test_further_parts_and_pages_are_cut_alike(app: Server, key: str, name: str, visit: Any) -> None:
    with app.commenter(name) as client:
        writer = Writer(client, key)
        writer.branch(175)
        for number in range(180):
            writer.post(f"Root {number}")
        second = writer.branch(45)
    reader, fresh = await visit(), await visit()
    page = await reader.read(f"{app.origin}/t/{key}?sort=oldest")
    await expect(page.locator(LINK)).to_have_text("More replies (145)")
    await expect(page.locator(".more")).to_have_text("More comments (57)")
    await page.click(LINK)
    await expect(page.locator(LINK)).to_have_text("More replies (45)")
    await page.click(".more")
    await expect(page.locator(LINK)).to_have_text(["More replies (45)", "More replies (15)"])
    href = await page.locator(LINK).last.get_attribute("href")
    assert href == f"/t/{key}?branch={second[0]}&cursor={second[30]}"
    await fresh.read(f"{app.origin}/t/{key}?sort=newest")
    assert len(await reader.painted()) == len(await fresh.painted()) == 176 + 180 + 46


async def test_without_javascript_the_link_leads_through_the_branch(
    app: Server, key: str, name: str, visit: Any
) -> None:
    with app.commenter(name) as client:
        writer = Writer(client, key)
        ids = writer.branch(160)
        other = writer.post("Another root")
    page = (await visit(java_script_enabled=False)).page
    seen: list[int] = []

    async def read() -> None:
        items = page.locator("li[data-id]:not(.context)")
        seen.extend(int(id_) for id_ in await items.evaluate_all("(all) => all.map((item) => item.dataset.id)"))

    await page.goto(f"{app.origin}/t/{key}")
    await read()
    await page.click("text=More replies (130)")
    await expect(page.locator("li.context").first).to_have_attribute("id", f"c-{ids[0]}")
    await expect(page.locator("li[data-id]:not(.context)")).to_have_count(100)
    await read()
    await page.click("text=More replies (30)")
    await expect(page.locator("li[data-id]:not(.context)")).to_have_count(30)
    await read()
    await expect(page.locator(LINK)).to_have_count(0)
    await page.click("a.more")
    await expect(page.locator("li[data-id]")).to_have_count(1)
    await read()
    assert sorted(seen) == sorted([*ids, other, other])
    await page.goto(f"{app.origin}/t/{key}/c/{ids[100]}")
    await expect(page.locator(f"#c-{ids[100]} > article .body")).to_be_visible()
    await expect(page.locator(f"#c-{ids[0]}")).to_have_class("comment depth-0 context")
    await page.click(f"#c-{ids[100]} > article .reply")
    await expect(page.locator(".answering textarea")).to_be_visible()


async def test_a_page_that_begins_inside_of_a_branch_asks_for_the_number_once_it_is_unsure(
    app: Server, key: str, name: str, visit: Any
) -> None:
    with app.commenter(name) as client:
        writer = Writer(client, key)
        ids = writer.branch(160)
        reader = await visit()
        page = await reader.read(f"{app.origin}/t/{key}/c/{ids[60]}")
        link = page.locator(LINK)
        behind = 160 - ids.index(int((await link.get_attribute("href") or "").rpartition("=")[2]))
        await expect(link).to_have_text(f"More replies ({behind})")
        writer.delete(ids[5])
        await expect(link).to_have_text("More replies")
        await expect(link).to_have_text(f"More replies ({behind})")
        writer.post("Behind", ids[0])
        await expect(page.locator(".count")).to_have_text("161")
        await expect(link).to_have_text(f"More replies ({behind + 1})")
        writer.delete(ids[-2])
        await expect(link).to_have_text(f"More replies ({behind})")
        await page.reload()
        await expect(link).to_have_text(f"More replies ({behind})")
        await link.click()
        await expect(page.locator(f"#c-{ids[-1]}")).to_have_count(1)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("replies=0", "replies"),
        ("replies=many", "replies"),
        ("replies=201", "replies"),
        ("replies=5&sort=flat", "replies"),
        ("replies=5&branch={root}", "replies"),
        ("branch=-1", "branch"),
        ("branch={reply}", "branch"),
        ("branch=987654321", "branch"),
        ("branch={root}&sort=flat", "branch"),
        ("branch={root}&cursor={other}", "cursor"),
        ("branch={root}&cursor=~", "cursor"),
        ("cursor={root}~~", "cursor"),
        ("cursor={root}~&sort=flat", "cursor"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_its_field(app: Server, key: str, name: str, query: str, field: str) -> None:
    with app.commenter(name) as client:
        writer = Writer(client, key)
        ids = {"root": writer.post("Root"), "other": writer.post("Other")}
        ids["reply"] = writer.post("Reply", ids["root"])
        answer = client.get(f"/api/threads/{key}?{query.format(**ids)}")
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
        if "replies" not in query:
            assert client.get(f"/t/{key}?{query.format(**ids)}").status_code == 422


def test_the_api_cuts_only_when_asked_and_gives_a_branch_part_by_part(app: Server, key: str, name: str) -> None:
    with app.commenter(name) as client:
        ids = Writer(client, key).branch(50)

        def get(query: str) -> Any:
            return client.get(f"/api/threads/{key}?{query}").json()

        whole = get("limit=200")
        assert len(whole["comments"]) == 51
        assert "cuts" not in whole
        order = [one["id"] for one in whole["comments"]]
        page = get("replies=20")
        assert page["cuts"] == {str(ids[0]): {"cursor": str(order[20]), "count": 30, "below": 50}}
        seen = [one["id"] for one in page["comments"]]
        cursor = page["cuts"][str(ids[0])]["cursor"]
        while cursor:
            part = get(f"branch={ids[0]}&cursor={cursor}&limit=8")
            seen += [one["id"] for one in part["comments"]]
            cursor = part["next"]
        assert seen == order
