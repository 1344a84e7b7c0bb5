"""Each reader's own language: pages, threads on other sites' pages, errors and the script, from one server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from server.locales import real, texts
from tests.journeys.articles import Site
from tests.journeys.people import Person
from tests.processes import Server

LONG, MIRRORED, ENGLISH = texts("en-XA"), texts("ar-XB"), texts()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("app"), LIVETHREAD_LANGUAGES="en en-XA ar-XB") as server:
        yield server


def get(app: Server, path: str, wanted: str = "", **headers: str) -> httpx2.Response:
    return httpx2.get(app.origin + path, headers={"accept-language": wanted, **headers}, trust_env=False)


def test_a_page_is_in_the_language_that_the_browser_wants(app: Server, key: str, name: str) -> None:
    Person(app, name).post(key, "Words of a person")
    seen: dict[str, httpx2.Response] = {}
    # Twice: what is kept for one language is not given to another.
    for language in (LONG, MIRRORED, ENGLISH) * 2:
        answer = seen[language.language] = get(app, f"/t/{key}", f"sv, {language.language};q=0.5")
        html = answer.text
        assert f'<html lang="{language.language}" dir="{language.direction}"' in html
        assert f'<live-thread lang="{language.language}" dir="{language.direction}"' in html
        assert f">{language('action.reply')}</a>" in html.split('class="comments"')[1].split("<template")[0]
        assert language("thread.not_live") in html
        assert "Accept-Language" in answer.headers["vary"]
    assert len({one.headers["etag"] for one in seen.values()}) == 3
    etag = seen["en-XA"].headers["etag"]
    same, other = (get(app, f"/t/{key}", one, **{"if-none-match": etag}) for one in ("en-XA", "ar-XB"))
    assert (same.status_code, other.status_code) == (304, 200)
    assert "Accept-Language" in same.headers["vary"]


@pytest.mark.parametrize("path", ["/", "/login", "/search?q=x", "/nothing-is-here"])
def test_pages_around_the_threads_are_as_well(app: Server, path: str) -> None:
    answer = get(app, path, "en-XA")
    assert '<html lang="en-XA" dir="ltr"' in answer.text
    assert path == "/nothing-is-here" or "Accept-Language" in answer.headers["vary"]


def test_who_wants_none_of_ours_gets_the_language_of_the_page_and_then_ours(app: Server, key: str) -> None:
    fragment = f"/t?only=fragment&key={key}&lang="
    given = [
        get(app, fragment + lang, wanted).text.split('lang="')[1].split('"')[0]
        for lang, wanted in (("ar-XB", "sv"), ("ar-XB-x", ""), ("xx", "sv"), ("ar-XB", "en-XA"), ("x" * 500, ""))
    ]
    assert given == ["ar-XB", "ar-XB", "en", "en-XA", "en"]


def test_errors_are_said_in_the_language_of_the_reader(app: Server, key: str, name: str) -> None:
    person = Person(app, name)
    for language in (LONG, MIRRORED):
        person.http.headers["accept-language"] = language.language
        answer = person.http.post(f"/api/threads/{key}/comments", json={"body": " ", "nonce": "n" * 20})
        assert answer.json()["error"]["message"] == language("error.empty_comment")
        form = person.http.post(f"/t/{key}/comments", data={"body": " ", "nonce": "n" * 20})
        assert language("error.empty_comment") in form.text


def test_an_account_reads_what_it_chose_whatever_its_browser_wants(app: Server, key: str, name: str) -> None:
    person = Person(app, name)
    person.post(key, "Words")
    person.http.headers["accept-language"] = "en-XA"
    pages = ["/", "/account", "/inbox", f"/u/{name}", "/search", f"/t/{key}", "/login", f"/t?only=fragment&key={key}"]

    def read() -> set[str]:
        found = {person.http.get(path).text.split('lang="')[1].split('"')[0] for path in pages}
        titles = {person.http.get(path).text.split("<title>")[1].split("<")[0] for path in pages[1:3]}
        words = texts(*found)
        wanted = (words("mine.title"), words("list.replies_to_you"))
        assert titles == {words("site.titled", title=one, site="livethread") for one in wanted}
        return found

    def choose(language: str) -> httpx2.Response:
        return person.http.post("/account/language", data={"language": language})

    assert read() == {"en-XA"}
    assert choose("ar-XB").headers["location"] == "/account"
    assert read() == {"ar-XB"}
    assert '<option value="ar-XB" lang="ar-XB" selected>' in person.http.get("/account").text
    refused = choose("de")
    assert (refused.status_code, MIRRORED("error.language", names="en, en-XA, ar-XB") in refused.text) == (422, True)
    assert person.do("GET", "/api/me/export")["account"]["language"] == "ar-XB"
    answer = person.http.post(f"/t/{key}/comments", data={"body": " ", "nonce": "n" * 20})
    assert MIRRORED("error.empty_comment") in answer.text
    assert '<html lang="ar-XB"' in person.http.get("/c/999999/edit").text
    choose("")
    assert read() == {"en-XA"}


def test_feeds_are_in_the_language_of_the_server(app: Server, key: str, name: str) -> None:
    Person(app, name).post(key, "Words")
    entry = ENGLISH("feed.entry", name=name, thread=key)
    assert entry in get(app, f"/t/{key}/feed", "en-XA").text


def test_counts_are_labelled_in_the_language_of_the_page_that_asks(app: Server, key: str, name: str) -> None:
    Person(app, name).post(key, "Words")
    answer = get(app, f"/api/counts?keys={key}&lang=ar-XB", "en-XA").json()
    assert answer == {"counts": {key: 1}, "labels": {key: MIRRORED("count.counted_comments", count=1)}}
    assert get(app, f"/api/counts?keys={key}").json()["labels"] == {key: "1 comment"}


async def test_the_script_speaks_as_its_page_does(app: Server, key: str, name: str, visit: Any) -> None:
    author = Person(app, name)
    id_ = author.post(key, "Words")["id"]
    reader = await visit(locale="ar-XB")
    page = await reader.read(f"{app.origin}/t/{key}")
    await expect(page.locator(".connection")).to_have_text(f"● {MIRRORED('live.here', count=1)}")
    await page.click(f"#c-{id_} .reply")
    await expect(page.locator(".answering .actions .quiet").last).to_have_text(MIRRORED("composer.close"))
    author.post(key, "More words")
    await expect(page.locator(".pill")).to_have_attribute("aria-label", MIRRORED("unread.new_comments", count=1))


async def test_under_an_article_the_language_is_the_browsers_then_the_pages_then_the_sites(
    app: Server, site: Site, key: str, visit: Any
) -> None:
    app.run("site", "add", site.origin, "--id", "blog", "--language", "ar-XB")
    site.server, site.live = app.origin, app.live_url
    url = site.article(key, lang="en-XA")
    for wanted, tag, expected in (("en", "en-XA", ENGLISH), ("pl", "en-XA", LONG), ("pl", "nl", MIRRORED)):
        page = (await visit(locale=wanted)).page
        await page.goto(site.article(key, lang=tag))
        await expect(page.locator("live-thread .reader button")).to_have_text(expected("action.log_in"))
    assert get(app, f"/t?only=fragment&url={url}", "pl").text.count('lang="en"')
    told = get(app, f"/t?only=fragment&url={url}", "pl", origin=site.origin)
    assert 'lang="ar-XB"' in told.text
    assert "Origin" in told.headers["vary"]


async def test_marks_in_texts_are_said_in_the_language_of_the_reader(
    app: Server, key: str, name: str, visit: Any
) -> None:
    author = Person(app, name)
    first = author.post(key, "Words that are quoted")["id"]
    second = author.post(key, f"> Words that are quoted\n>\n> — [{name}](/t/{key}/c/{first})\n\nMine")["id"]
    reader = await visit(locale="ar-XB")
    page = await reader.read(f"{app.origin}/t/{key}")
    body = page.locator(f"#c-{second} blockquote")
    await expect(body).to_contain_text("Words that are quoted")
    author.do("DELETE", f"/api/comments/{first}")
    await expect(body).to_have_text(MIRRORED("comment.quote_gone"))
    assert MIRRORED("comment.quote_gone") in get(app, f"/t/{key}", "ar-XB").text
    assert ENGLISH("comment.quote_gone") in get(app, f"/t/{key}/feed", "ar-XB").text


def test_every_language_has_a_whole_page(tmp_path: Path) -> None:
    with Server(tmp_path, LIVETHREAD_LANGUAGES="") as server:
        for language in real():
            for path in ("/", "/t/a-thread", "/login", "/nothing-here"):
                answer = httpx2.get(f"{server.origin}{path}", headers={"Accept-Language": language}, trust_env=False)
                assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}"' in answer.text, path


async def _refused(url: str, wanted: str) -> str:
    """What a socket says to a frame that is none."""
    async with connect(url, additional_headers={"Accept-Language": wanted}, proxy=None) as socket:
        await socket.send('{"type":"hello","ticket":"x"}')
        said: dict[str, Any] = json.loads(await socket.recv())
        assert (said["type"], said["code"], said["field"]) == ("error", "bad_ticket", "ticket")
        return str(said["message"])


@pytest.mark.parametrize("is_gateway", [False, True], ids=["app", "gateway"])
async def test_a_socket_says_what_is_wrong_in_its_language(tmp_path: Path, *, is_gateway: bool) -> None:
    with contextlib.ExitStack() as running:
        server = running.enter_context(Server(tmp_path, LIVETHREAD_LANGUAGES="en de ar"))
        if is_gateway:
            settings = server.settings | {"LIVETHREAD_ORIGIN": server.origin}
            server = running.enter_context(Server(tmp_path, "gateway", **settings))
        url = server.live_url
        for address, wanted, language in (
            (url, "de-AT, en;q=0.5", "de"),
            (url, "ar", "ar"),
            # No page can choose the header.
            (f"{url}?lang=ar", "de", "ar"),
            (f"{url}?lang=xx", "de", "de"),
            (f"{url}?lang=" + "%00" * 500, "\xff", "en"),
            (url, "", "en"),
        ):
            assert await _refused(address, wanted) == texts(language)("error.bad_ticket"), address
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, origin=Origin("https://evil.example"), additional_headers={"Accept-Language": "de"})
        assert refused.value.response.body.decode() == texts("de")("error.foreign_socket")
        other = httpx2.get(f"{server.origin}/api/nothing", headers={"Accept-Language": "ar"}, trust_env=False)
        assert other.json()["error"]["message"] == texts("ar")("error.no_address")
