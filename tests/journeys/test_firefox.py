"""The core of the journey in a stock Firefox: what others do arrives, and nothing that is written is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.journeys.conftest import A_FRAME, PAINTED, SHOW_ON
from tests.journeys.firefox import Firefox, Tab, started
from tests.journeys.test_two_browsers import SETTLED, fill
from tests.processes import Server

# Whatever number stands there, the link beside it stays.
PLACES = """((comment) => ["0", "-1", "-999", "1000", "9999"].map((score) => {
  comment.querySelector(".score").textContent = score;
  return comment.querySelector(".reply").getBoundingClientRect().left;
}))"""
COUNT = "document.querySelector('.count').textContent"


@pytest.fixture(scope="module")
async def firefox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firefox]:
    async with started(tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


async def sign_up(tab: Tab, app: Server, name: str, back: str) -> None:
    await tab.go(f"{app.origin}/register?next={back}")
    await tab.click("#name")
    await tab.type(name)
    await tab.click("#password")
    await tab.type("a long password")
    await tab.click("main form button")
    await tab.until(f"location.pathname === '{back}' && document.querySelector('.connection').dataset.state === 'live'")


async def painted(tab: Tab) -> Any:
    await tab.look(f"({A_FRAME})()")
    while await tab.look(f"({SHOW_ON})()"):
        await tab.look(f"({A_FRAME})()")
    return await tab.look(f"({PAINTED})()")


@pytest.mark.scenario(40)
async def test_what_others_do_arrives_and_is_equal_to_a_fresh_load(
    app: Server, key: str, name: str, firefox: Firefox
) -> None:
    first, *_ = fill(app, key, name, 12)
    reader, fresh = await firefox.tab(), await firefox.tab()
    await reader.read(f"{app.origin}/t/{key}")
    await reader.look(f"({SETTLED})()")
    with app.commenter(f"{name} B") as other:
        below = other.post(f"/api/threads/{key}/comments", json={"body": "Below.", "nonce": "b" * 20})
        id_ = below.json()["comment"]["id"]
        await reader.until(f"document.querySelector('#c-{id_}')")
        above = other.post(f"/api/threads/{key}/comments", json={"body": "Up", "parent": first, "nonce": "u" * 20})
        await reader.until("document.querySelector('.pill').textContent === '\\u200e+1'")
        await reader.until("!document.querySelector('.pill').hidden")
        await reader.click(".pill")
        await reader.until(f"document.querySelector('#c-{above.json()['comment']['id']}')")
        other.patch(f"/api/comments/{id_}", json={"body": "Changed.", "revision": 1})
        await reader.until(f"/edited/i.test(document.querySelector('#c-{id_} .note').textContent)")
        other.put(f"/api/comments/{first}/vote", json={"value": 1})
        await reader.until(f"document.querySelector('#c-{first} .score').textContent === '1'")
    if await reader.look(f"document.querySelector('#c-{id_}').matches('.outdated')"):
        await reader.click(f"#c-{id_} .note")
    await reader.until(f"document.querySelector('#c-{id_} .body').textContent.trim() === 'Changed.'")
    await fresh.read(f"{app.origin}/t/{key}")
    assert await painted(reader) == await painted(fresh)
    assert firefox.errors == []


async def test_who_is_signed_in_writes_votes_and_edits(app: Server, key: str, name: str, firefox: Firefox) -> None:
    (id_,) = fill(app, key, f"{name} W", 1)
    writer, reader = await firefox.tab(), await firefox.tab()
    await sign_up(writer, app, name, f"/t/{key}")
    await reader.read(f"{app.origin}/t/{key}")
    await writer.click(f"#c-{id_} .vote button")
    await writer.until(f"document.querySelector('#c-{id_} .vote button').ariaPressed === 'true'")
    await writer.until(f"document.querySelector('#c-{id_} .score').textContent === '1'")
    places = await writer.look(f"{PLACES}(document.querySelector('#c-{id_}'))")
    assert places == places[:1] * 5
    await writer.click(f"#c-{id_} .reply")
    await writer.until("document.activeElement.matches('.answering textarea')")
    await writer.type("Written in *Firefox*")
    await writer.click(".answering .post")
    await writer.until("document.querySelector('li li[data-id] em')")
    await writer.click("li li .menu")
    await writer.click(".choices .edit")
    await writer.until("document.querySelector('.editor textarea')?.value")
    await writer.type("!")
    await writer.click(".editor button:not(.quiet)")
    await writer.until("document.querySelector('li li .body').textContent.includes('!')")
    await reader.until(f"document.querySelector('#c-{id_} .score').textContent === '1'")
    await reader.until(f"{COUNT} === '2'")
    await reader.until(
        "(document.querySelector('.pill:not([hidden])')?.click(), document.querySelector('li li .outdated .note, "
        "li li.outdated .note')?.click(), document.querySelector('li li .body')?.textContent.includes('!'))"
    )
    assert firefox.errors == []


async def test_a_draft_survives_a_reload_and_a_server_that_was_gone(
    app: Server, key: str, name: str, firefox: Firefox
) -> None:
    fill(app, key, name, 2)
    reader, fresh = await firefox.tab(), await firefox.tab()
    await reader.read(f"{app.origin}/t/{key}")
    await reader.click("textarea")
    await reader.type("Half-written")
    await reader.reload()
    await reader.until("document.querySelector('textarea').value === 'Half-written'")
    app.kill()
    await reader.until("document.querySelector('.status').textContent === 'Reconnecting… Your draft is saved.'")
    app.start()
    fill(app, key, f"{name} G", 3)
    await reader.until(f"{COUNT} === '5'")
    await reader.until("document.querySelector('.connection').dataset.state === 'live'")
    assert await reader.look("document.querySelector('textarea').value") == "Half-written"
    await reader.until(
        "(document.querySelector('.pill:not([hidden])')?.click(), "
        "document.querySelectorAll('li[data-id]').length === 5)"
    )
    await fresh.read(f"{app.origin}/t/{key}")
    assert await painted(reader) == await painted(fresh)


# The thread ends, and its socket, if it still has one, has closed.
END_LIVE = """new Promise((done) => {
  const { close } = WebSocket.prototype;
  const closing = [];
  WebSocket.prototype.close = function () {
    closing.push(this);
    close.call(this);
  };
  document.querySelector("live-thread").live.end();
  const open = closing.filter((socket) => socket.readyState !== WebSocket.CLOSED);
  for (const socket of open) socket.addEventListener("close", () => done(0));
  if (!open.length) done(0);
})"""


async def test_back_leads_an_account_to_its_place_until_it_logs_out(
    app: Server, key: str, name: str, firefox: Firefox
) -> None:
    """Firefox keeps no page whose socket is still closing, and fetches it again; a page without one it keeps."""
    fill(app, key, f"{name} W", 30)
    tab = await firefox.tab()
    await sign_up(tab, app, name, f"/t/{key}")
    await tab.look("void scrollTo(0, 700)")
    place = await tab.look("scrollY")
    assert place > 0
    await tab.go(f"{app.origin}/search")
    await tab.look("void setTimeout(() => history.back())")
    await tab.until("document.querySelector('.connection')?.dataset.state === 'live'")
    await tab.until(f"scrollY === {place}")
    await tab.until("document.querySelector('[aria-label=\"Previous unread\"]') && document.readyState === 'complete'")
    await tab.look(END_LIVE)
    # Nor does it keep one with a request on its way, and what was read is told as the thread ends.
    await tab.until("performance.getEntriesByType('resource').some(({name}) => name.endsWith('/visit'))")
    await tab.look("window.isSame = true")
    await tab.go(f"{app.origin}/search")
    await tab.look("void setTimeout(() => history.back())")
    await tab.until("window.isSame && document.documentElement.style.visibility === ''")
    assert await tab.look("scrollY") == place
    await tab.go(f"{app.origin}/search")
    await tab.look("fetch('/logout', {method: 'POST'}).then(() => 0)")
    await tab.look("void setTimeout(() => history.back())")
    await tab.until("location.pathname.startsWith('/t/') && document.querySelector('nav a').textContent === 'Log in'")
    assert not await tab.look("window.isSame || document.querySelector('a.viewer')")
