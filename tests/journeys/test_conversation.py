"""Editing, voting, moderating, being told, finding and leaving, over HTTP with a real server."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from websockets.sync.client import connect

from tests.journeys.people import PASSWORD, Person
from tests.processes import Server, until


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("conversation"), LIVETHREAD_LIMITS="off") as server:
        yield server


@pytest.fixture(scope="module")
def ana(app: Server) -> Person:
    return Person(app, "Ana")


@pytest.fixture(scope="module")
def bo(app: Server) -> Person:
    return Person(app, "Bo")


@pytest.fixture(scope="module")
def mod(app: Server) -> Person:
    return Person(app, "Mod", "moderator")


@pytest.fixture(scope="module")
def staff(app: Server) -> Person:
    return Person(app, "Chief", "staff")


def thread(app: Server, key: str, **query: Any) -> dict[str, Any]:
    return dict(httpx2.get(f"{app.origin}/api/threads/{key}", params=query, trust_env=False).json())


def test_an_edit_is_made_against_the_revision_that_was_shown(app: Server, ana: Person, key: str) -> None:
    comment = ana.post(key, "first text")
    edited = ana.do("PATCH", f"/api/comments/{comment['id']}", body="second text", revision=1)["comment"]
    assert (edited["revision"], "second text" in edited["html"]) == (2, True)
    assert edited["edited"]
    assert ana.do("PATCH", f"/api/comments/{comment['id']}", body="second text", revision=1)["comment"] == edited
    stale = ana.do("PATCH", f"/api/comments/{comment['id']}", 409, body="third text", revision=1)
    assert stale["error"]["field"] == "revision"
    assert stale["current"]["revision"] == 2
    assert stale["current"]["body"] == "second text"
    one = httpx2.get(f"{app.origin}/api/comments/{comment['id']}", trust_env=False).json()
    assert ["first text" in text["html"] for text in one["earlier"]] == [True]
    assert "body" not in one
    assert thread(app, key)["comments"] == [edited]


def test_a_vote_counts_once_and_can_be_changed(app: Server, ana: Person, bo: Person, mod: Person, key: str) -> None:
    path = f"/api/comments/{ana.post(key, 'vote for me')['id']}"
    assert bo.do("PUT", f"{path}/vote", value=1)["comment"]["score"] == 1
    assert bo.do("PUT", f"{path}/vote", value=1)["comment"]["score"] == 1
    assert mod.do("PUT", f"{path}/vote", value=-1)["comment"]["score"] == 0
    assert bo.do("PUT", f"{path}/vote", value=-1)["comment"]["score"] == -2
    assert bo.do("PUT", f"{path}/vote", value=0)["comment"]["score"] == -1
    assert ana.do("PUT", f"{path}/vote", 403, value=1)["error"]["code"] == "own_comment"
    assert bo.do("PUT", f"{path}/vote", 422, value=2)["error"]["field"] == "value"
    assert list(mod.do("GET", f"/api/threads/{key}/mine")["votes"].values()) == [-1]
    until(lambda: thread(app, key)["comments"][0]["score"] == -1)


def test_a_score_travels_alone_and_a_vote_makes_no_edit_stale(app: Server, ana: Person, bo: Person, key: str) -> None:
    comment = ana.post(key, "watched")
    with connect(app.live_url) as socket:
        socket.send(f'{{"type": "join", "thread": "{key}"}}')
        socket.recv()
        bo.do("PUT", f"/api/comments/{comment['id']}/vote", value=1)
        frame = httpx2.Response(200, content=socket.recv()).json()
    assert frame["comments"] == [{"id": comment["id"], "version": frame["version"], "score": 1}]
    assert ana.do("PATCH", f"/api/comments/{comment['id']}", body="edited", revision=1)["comment"]["score"] == 1


def test_what_is_removed_is_gone_from_every_answer_and_comes_back(
    app: Server, ana: Person, bo: Person, mod: Person, key: str
) -> None:
    comment = ana.post(key, "an unspeakable xylophone")
    bo.post(key, "an answer", comment["id"])
    removed = mod.do("PUT", f"/api/comments/{comment['id']}/state", state="removed")["comment"]
    # Moderators go on seeing what they have removed.
    assert (removed["state"], "xylophone" in removed["html"]) == ("removed", True)
    for path in (
        f"/t/{key}", f"/api/threads/{key}", f"/api/comments/{comment['id']}", f"/api/threads/{key}/changes?after=0",
        "/api/search?q=xylophone", "/api/accounts/Ana", f"/t/{key}/c/{comment['id']}",
    ):  # fmt: skip
        assert "unspeakable" not in httpx2.get(f"{app.origin}{path}", trust_env=False).text, path
    assert ana.do("PUT", f"/api/comments/{comment['id']}/state", 403, state="visible")["error"]["code"] == "forbidden"
    back = mod.do("PUT", f"/api/comments/{comment['id']}/state", state="visible")["comment"]
    assert "unspeakable" in back["html"]
    assert thread(app, key)["info"]["comments"] == 2


def test_a_quote_goes_and_comes_with_its_source(app: Server, ana: Person, bo: Person, mod: Person, key: str) -> None:
    source = ana.post(key, "A regrettable sesquipedalian remark")["id"]
    body = f"> A regrettable sesquipedalian remark\n>\n> — [Ana](/t/{key}/c/{source})\n\nI disagree."
    quoting = bo.post(key, body)["id"]

    def shown() -> str:
        return next(str(one["html"]) for one in thread(app, key)["comments"] if one["id"] == quoting)

    assert "sesquipedalian" in shown()
    mod.do("PUT", f"/api/comments/{source}/state", state="removed")
    assert "sesquipedalian" not in shown()
    assert "What was quoted here is gone." in shown()
    assert "I disagree." in shown()
    mod.do("PUT", f"/api/comments/{source}/state", state="visible")
    assert "sesquipedalian" in shown()


def test_every_order_visits_every_comment_once_while_others_arrive(
    app: Server, ana: Person, bo: Person, key: str
) -> None:
    made = []
    for number in range(12):
        root = ana.post(key, f"root {number}")["id"]
        made += [root, bo.post(key, f"answer {number}", root)["id"]]
        if number % 3 == 0:
            bo.do("PUT", f"/api/comments/{root}/vote", value=1)
    until(lambda: sum(one["score"] for one in thread(app, key)["comments"]) == 4)
    for sort in ("oldest", "newest", "top", "flat"):
        seen: list[int] = []
        cursor = ""
        while True:
            page = thread(app, key, sort=sort, cursor=cursor, limit=5)
            seen += [one["id"] for one in page["comments"]]
            cursor = page["next"]
            if not cursor:
                break
            ana.post(key, "in between")
        assert len(seen) == len(set(seen))
        assert set(made) <= set(seen)
    assert thread(app, key, sort="newest", limit=1)["comments"][0]["id"] > max(made)
    assert thread(app, key, sort="top", limit=1)["comments"][0]["score"] == 1
    assert httpx2.get(f"{app.origin}/api/threads/{key}?sort=best", trust_env=False).json()["error"]["field"] == "sort"


def test_who_is_answered_is_told_until_they_have_read_it(app: Server, ana: Person, bo: Person, key: str) -> None:
    comment = ana.post(key, "a question")
    before = ana.do("GET", "/api/me/changes")
    answer = bo.post(key, "an answer", comment["id"])
    told = ana.do("GET", f"/api/me/changes?after={before['version']}")
    assert [(one["kind"], one["thread"], one["comment"]["id"]) for one in told["notices"]] == [
        ("reply", key, answer["id"])
    ]
    assert told["unread"] == before["unread"] + 1
    assert ana.do("PUT", "/api/me/heard", version=told["version"])["unread"] == 0
    bo.do("DELETE", f"/api/comments/{answer['id']}")
    assert ana.do("GET", f"/api/me/changes?after={before['version']}")["notices"] == []


def test_who_is_mentioned_is_linked_and_told_but_not_within_code(app: Server, ana: Person, key: str) -> None:
    Person(app, "Two Words")
    carl = Person(app, "Carl")
    comment = ana.post(key, 'For @carl. and @"two words", not `@carl`, @nobody-there or [@carl](https://e.org), a@carl')
    html = comment["html"]
    assert html.count('<a class="mention" href="/u/Carl">@Carl</a>.') == html.count("@Carl") == 1
    assert '<a class="mention" href="/u/Two%20Words">@Two Words</a>,' in html
    told = carl.do("GET", "/api/me/changes")
    assert [(one["kind"], one["comment"]["id"]) for one in told["notices"]] == [("mention", comment["id"])]
    assert "Carl" in carl.do("GET", f"/api/threads/{key}/names?q=ca")["names"]
    assert (
        ana.do("POST", "/api/preview", body="a ||secret||")["html"]
        == '<p>a <span class="spoiler" tabindex="0">secret</span></p>'
    )


def test_feeds_tell_what_is_visible(app: Server, ana: Person, bo: Person, mod: Person, key: str) -> None:
    comment = ana.post(key, "In the feed & <valid>")
    answer = bo.post(key, "The answer", comment["id"])
    secret = ana.do("POST", "/api/me/feed", 201)["feed"]
    mod.do("PUT", f"/api/comments/{bo.post(key, 'unseemly')['id']}/state", state="removed")
    for path, ids in {
        f"{app.origin}/t/{key}/feed": [answer["id"], comment["id"]],
        f"{app.origin}/t/{key}/c/{comment['id']}/feed": [answer["id"]],
        secret: [answer["id"]],
    }.items():
        feed = ElementTree.fromstring(httpx2.get(path, trust_env=False).content)
        links = [one.attrib["href"] for one in feed.findall("{*}entry/{*}link")]
        assert links[: len(ids)] == [f"{app.origin}/t/{key}/c/{id_}" for id_ in ids]
    ana.do("POST", "/api/me/feed", 201)
    assert httpx2.get(secret, trust_env=False).status_code == 404
    assert "unseemly" not in httpx2.get(f"{app.origin}/feed", trust_env=False).text


def test_search_finds_what_is_visible_in_any_language(app: Server, ana: Person, key: str) -> None:
    first = ana.post(key, "Über den Dächern von *Prag*, 東京都庁")["id"]

    def found(q: str) -> list[int]:
        answer = httpx2.get(f"{app.origin}/api/search", params={"q": q, "thread": key}, trust_env=False)
        return [one["comment"]["id"] for one in answer.json()["comments"]]

    until(lambda: found("dächern"))
    for q in ("dächern", "DACHERN", "京都庁", "京都", "庁", "prag über", "uber"):
        assert found(q) == [first], q
    assert found("nothing like it") == found('" OR body:prag NEAR(') == []
    page = httpx2.get(f"{app.origin}/search", params={"q": "dachern 京都", "thread": key}, trust_env=False).text
    assert "Über den <mark>Dächern</mark> von <em>Prag</em>, 東<mark>京都</mark>庁" in page
    signs = httpx2.get(f"{app.origin}/api/search?q=--", trust_env=False)
    assert (signs.status_code, signs.json()["error"]["field"]) == (422, "q")
    ana.do("PATCH", f"/api/comments/{first}", body="something else", revision=1)
    assert found("dächern") == []


def test_a_visit_is_kept_for_the_account_and_never_moves_back(ana: Person, key: str) -> None:
    comment = ana.post(key, "seen")
    assert ana.do("GET", f"/api/threads/{key}/mine")["visit"] is None
    ana.do("PUT", f"/api/threads/{key}/visit", comment=comment["id"], version=comment["version"])
    assert ana.do("PUT", f"/api/threads/{key}/visit", comment=1, version=1)["visit"]["comment"] == comment["id"]


def test_a_lock_keeps_readers_out_and_a_ban_ends_sessions(
    app: Server, ana: Person, mod: Person, staff: Person, key: str
) -> None:
    mod.do("PUT", f"/api/threads/{key}/lock", locked=True)
    assert ana.do("POST", f"/api/threads/{key}/comments", 403, body="x", nonce="n" * 20)["error"]["code"] == "locked"
    troll = Person(app, "Troll")
    mod.do("PUT", "/api/accounts/Troll/ban", banned=True)
    assert troll.http.get("/api/session").json() == {"account": None}
    refused = httpx2.post(f"{app.origin}/api/session", json={"name": "Troll", "password": PASSWORD}, trust_env=False)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "banned")
    assert mod.do("PUT", f"/api/accounts/{staff.name}/ban", 422, banned=True)["error"]["field"] == "name"


def test_a_closed_account_leaves_anonymous_comments_or_none_and_no_byte(app: Server, key: str) -> None:
    stays, goes = Person(app, "Stays Behind"), Person(app, "Goes Away")
    kept, gone = stays.post(key, "kept words"), goes.post(key, "words like quetzalcoatl")
    goes.do("PATCH", f"/api/comments/{gone['id']}", body="words like popocatepetl", revision=1)
    assert goes.do("GET", "/api/me/export")["earlier_texts"][0]["body"] == "words like quetzalcoatl"
    assert goes.do("DELETE", "/api/me", 401, password="not it at all", comments="erase")["error"]["code"]
    for person, choice in ((stays, "keep"), (goes, "erase")):
        person.do("DELETE", "/api/me", password=PASSWORD, comments=choice)
        assert person.http.get("/api/session").json() == {"account": None}
    page = thread(app, key)["comments"]
    assert [(one["id"], one["author"], "kept" in one["html"]) for one in page] == [(kept["id"], None, True)]
    for path in (f"/t/{key}", "/api/search?q=popocatepetl", f"/api/threads/{key}/changes?after=0"):
        text = httpx2.get(f"{app.origin}{path}", trust_env=False).text
        assert "Goes Away" not in text
        assert "words like" not in text

    def bytes_of_all_files() -> bytes:
        folder = Path(app.environment["LIVETHREAD_DATABASE"]).parent
        return b"".join(path.read_bytes() for path in folder.glob("test.db*") if path.is_file())

    until(lambda: b"quetzalcoatl" not in bytes_of_all_files(), 60)
    assert b"popocatepetl" not in bytes_of_all_files()


def test_held_comments_are_seen_by_their_author_and_moderators_alone_until_approved(tmp_path: Path, key: str) -> None:
    with Server(tmp_path, LIVETHREAD_HOLD="all", LIVETHREAD_LIMITS="off") as app:
        ana, bo, mod = Person(app, "Ana"), Person(app, "Bo"), Person(app, "Mod", "moderator")
        root = mod.post(key, "what moderators post is shown at once")
        held = ana.post(key, "please approve of flibbertigibbet", root["id"])
        assert held["state"] == "pending"
        assert "flibbertigibbet" in held["html"]
        assert thread(app, key)["comments"] == [root]
        assert ana.do("GET", f"/api/threads/{key}/mine")["pending"] == [held]
        assert bo.do("GET", f"/api/comments/{held['id']}", 404)["error"]["code"] == "not_found"
        assert bo.do("PUT", f"/api/comments/{held['id']}/vote", 404, value=1)
        assert [one["comment"]["id"] for one in mod.do("GET", "/api/pending")["pending"]] == [held["id"]]
        assert httpx2.get(f"{app.origin}/api/search?q=flibbert", trust_env=False).json()["comments"] == []
        version = thread(app, key)["version"]
        mod.do("PUT", f"/api/comments/{held['id']}/state", state="visible")
        page = thread(app, key)
        assert [one["id"] for one in page["comments"]] == [root["id"], held["id"]]
        assert page["comments"][0]["replies"] == 1
        assert page["version"] > version
        assert mod.do("GET", "/api/me/changes")["unread"] == 1


def test_a_new_name_shows_wherever_the_old_one_stood(app: Server, key: str) -> None:
    person = Person(app, "Before Wedding")
    comment = person.post(key, "Mine")
    app.run("account", "rename", "Before Wedding", "After Wedding")
    after = thread(app, key)["comments"][0]
    assert after["author"]["name"] == "After Wedding"
    assert after["version"] > comment["version"]
    assert person.http.get("/api/session").json()["account"]["name"] == "After Wedding"
    taken = app.run("account", "rename", "After Wedding", "Ana", check=False)
    assert (taken.returncode, "taken" in taken.stderr) == (1, True)


def test_a_moderator_sees_what_was_removed_and_nobody_else_does(
    app: Server, ana: Person, mod: Person, key: str
) -> None:
    id_ = ana.post(key, "an unprintable opinion")["id"]
    mod.do("PUT", f"/api/comments/{id_}/state", state="removed")
    assert "unprintable" in mod.http.get(f"/c/{id_}/moderate").text
    assert ana.http.get(f"/c/{id_}/moderate").status_code == 403
    assert "unprintable" not in ana.http.get(f"/c/{id_}/history").text


def test_the_counts_of_what_hangs_below_are_exact(app: Server) -> None:
    with contextlib.closing(sqlite3.connect(app.environment["LIVETHREAD_DATABASE"])) as sql:
        wrong = sql.execute(
            "SELECT id FROM comments c WHERE replies <>"
            " (SELECT count(*) FROM comments r WHERE r.parent = c.id AND r.state = 'visible')"
        ).fetchall()
        assert wrong == []


def test_a_comment_is_edited_a_hundred_times_and_no_history_stops_the_server(
    app: Server, ana: Person, key: str
) -> None:
    texts = ["a " * 4_999, "a b " * 2_499]
    comment = ana.post(key, texts[0])
    for number in range(1, 101):
        path = f"/api/comments/{comment['id']}"
        comment = ana.do("PATCH", path, body=texts[number % 2], revision=comment["revision"])["comment"]
    refused = ana.do("PATCH", f"/api/comments/{comment['id']}", 403, body="Once more", revision=101)
    assert refused["error"]["code"] == "too_many_edits"
    history, times = f"{app.origin}/c/{comment['id']}/history", list[str]()
    further: re.Match[str] | None = re.match("", "")
    while further is not None:
        page = httpx2.get(history + further[0], trust_env=False, timeout=60).text
        times += re.findall("<time datetime[^<]*", page)
        further = re.search(r"\?before=\d+", page)
    assert len(times) == 101
