"""Bad input, over HTTP and on the socket: the right status, a code, a readable message, and nothing changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.processes import Server

NONCE = "n" * 22


@pytest.fixture(scope="module")
def writer(app: Server) -> Iterator[httpx2.Client]:
    with app.commenter("Bad Input") as client:
        for thread in ("used", "other"):
            answer = client.post(f"/api/threads/{thread}/comments", json={"body": thread, "nonce": f"{thread}-{NONCE}"})
            assert answer.status_code == 201
        yield client


def comment_id(app: Server, thread: str) -> int:
    page = httpx2.get(f"{app.origin}/api/threads/{thread}", trust_env=False).json()
    return int(page["comments"][0]["id"])


def refusal(answer: httpx2.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    assert error["message"].endswith((".", "_", "~"))
    return answer.status_code, error["code"], error.get("field")


BODIES: dict[str, tuple[Any, tuple[int, str, str | None]]] = {
    "empty body": ({"body": " \n ", "nonce": NONCE}, (422, "invalid", "body")),
    "only invisible characters": ({"body": "\u200b\u202e\u0000", "nonce": NONCE}, (422, "invalid", "body")),
    "over-long body": ({"body": "x" * 10_001, "nonce": NONCE}, (422, "invalid", "body")),
    "unknown parent": ({"body": "x", "nonce": NONCE, "parent": 10**9}, (422, "unknown_parent", "parent")),
    "parent of another thread": ({"body": "x", "nonce": NONCE, "parent": "other"}, (422, "unknown_parent", "parent")),
    "parent that is no id": ({"body": "x", "nonce": NONCE, "parent": 2**70}, (422, "invalid", "parent")),
    "malformed JSON": (b'{"body": ', (400, "malformed", None)),
    "JSON nested deeply": (b'{"body":' * 5000, (422, "invalid", "body")),
    "not UTF-8": (b'{"body": "\xff\xfe", "nonce": "nnnnnnnnnnnnnnnnnnnn"}', (400, "malformed", None)),
    "an array": ([], (422, "invalid", None)),
    "unknown field": ({"body": "x", "nonce": NONCE, "colour": 1}, (422, "invalid", "colour")),
    "wrong type": ({"body": 1, "nonce": NONCE}, (422, "invalid", "body")),
    "no nonce": ({"body": "x"}, (422, "invalid", "nonce")),
    "short nonce": ({"body": "x", "nonce": "short"}, (422, "invalid", "nonce")),
    "nonce with a line end": ({"body": "x", "nonce": NONCE + "\n"}, (422, "invalid", "nonce")),
    "reused nonce": ({"body": "another", "nonce": f"used-{NONCE}"}, (409, "nonce_reused", "nonce")),
}


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES.keys())
def test_a_bad_comment_is_refused_and_changes_nothing(
    app: Server, writer: httpx2.Client, body: Any, expected: tuple[int, str, str | None]
) -> None:
    if isinstance(body, dict) and body.get("parent") == "other":
        body = body | {"parent": comment_id(app, "other")}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    before = writer.get("/api/threads/used").json()
    assert refusal(writer.post("/api/threads/used/comments", content=content)) == expected
    assert writer.get("/api/threads/used").json() == before


def test_a_body_above_64_kib_is_refused(writer: httpx2.Client) -> None:
    assert writer.post("/api/threads/used/comments", content=b" " * 70_000).status_code == 413


@pytest.mark.parametrize("key", ["with%20space", "a%2Fb%3F", "x" * 201, "%00", "ü"])
def test_a_malformed_key_is_refused(writer: httpx2.Client, key: str) -> None:
    answer = writer.post(f"/api/threads/{key}/comments", json={"body": "x", "nonce": NONCE})
    assert answer.status_code in (404, 422)
    assert answer.json()["error"]["message"]
    assert writer.get(f"/t/{key}").status_code == 404


def test_who_is_not_logged_in_posts_nothing(app: Server) -> None:
    answer = httpx2.post(f"{app.origin}/api/threads/used/comments", json={"body": "x", "nonce": NONCE}, trust_env=False)
    assert refusal(answer) == (401, "not_signed_in", None)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_a_write_from_elsewhere_is_refused(app: Server, writer: httpx2.Client, headers: dict[str, str]) -> None:
    answer = writer.post("/api/threads/used/comments", json={"body": "x", "nonce": NONCE}, headers=headers)
    assert refusal(answer) == (403, "foreign_origin", "origin")


def test_a_cookie_without_an_origin_writes_nothing_but_a_program_may_keep_its_cookies(app: Server) -> None:
    comment = {"body": "x", "nonce": NONCE}
    with httpx2.Client(base_url=app.origin, trust_env=False) as client:
        for name in ("Cookie Jar", "Another Jar"):
            account = {"name": name, "password": "a long password", "token": True}
            token = client.post("/api/accounts", json=account).json()["token"]
        assert client.cookies
        assert refusal(client.post("/api/threads/jar/comments", json=comment))[1] == "foreign_origin"
        bearer = {"authorization": f"Bearer {token}"}
        assert client.post("/api/threads/jar/comments", json=comment, headers=bearer).status_code == 201
        own = {"origin": app.origin}
        assert client.post("/api/threads/jar/comments", json=comment, headers=own).status_code == 200


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/threads/used?limit=0", "limit"),
        ("/api/threads/used?limit=201", "limit"),
        ("/api/threads/used?limit=ten", "limit"),
        ("/api/threads/used?cursor=999999", "cursor"),
        ("/api/threads/used?cursor=x", "cursor"),
        ("/api/threads/used?sort=loudest", "sort"),
        ("/api/threads/used/changes?after=-1", "after"),
        ("/api/threads/used/changes?after=" + "9" * 40, "after"),
    ],
)
def test_a_bad_query_names_its_field(writer: httpx2.Client, path: str, field: str) -> None:
    status, _, named = refusal(writer.get(path))
    assert (status, named) == (422, field)


def test_only_its_author_deletes_a_comment_and_only_staff_describes_a_thread(app: Server) -> None:
    with app.commenter("Somebody Else") as other:
        assert refusal(other.delete(f"/api/comments/{comment_id(app, 'used')}"))[:2] == (403, "forbidden")
        assert refusal(other.delete("/api/comments/99999999"))[:2] == (404, "not_found")
        assert refusal(other.put("/api/threads/used", json={"title": "Mine"}))[:2] == (403, "forbidden")


@pytest.mark.parametrize(
    ("account", "field"),
    [
        ({"name": "", "password": "long enough"}, "name"),
        ({"name": "x" * 41, "password": "long enough"}, "name"),
        ({"name": "a\u202eb", "password": "long enough"}, "name"),
        ({"name": "!!!", "password": "long enough"}, "name"),
        ({"name": "Short Pass", "password": "short"}, "password"),
        ({"name": "Long Pass", "password": "x" * 257}, "password"),
    ],
    ids=str,
)
def test_a_bad_account_names_its_field(app: Server, account: dict[str, str], field: str) -> None:
    status, _, named = refusal(httpx2.post(f"{app.origin}/api/accounts", json=account, trust_env=False))
    assert (status, named) == (422, field)


def test_a_name_that_looks_like_another_is_taken(app: Server, writer: httpx2.Client) -> None:
    account = {"name": "Bаd lnput", "password": "long enough"}  # a Cyrillic letter, and an l for an I
    answer = httpx2.post(f"{app.origin}/api/accounts", json=account, trust_env=False)
    assert refusal(answer) == (409, "name_taken", "name")


def test_reading_sets_no_cookie_and_every_answer_is_guarded(app: Server, writer: httpx2.Client) -> None:
    for path in ("/", "/t/used", "/t/never-used", "/login", "/nothing", "/api/threads/used", "/api/nothing", "/health"):
        answer = httpx2.get(app.origin + path, trust_env=False)
        assert "set-cookie" not in answer.headers
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_passwords_cannot_be_guessed_without_end(tmp_path: Any) -> None:
    with Server(tmp_path, LIVETHREAD_LIMITS="on", LIVETHREAD_LIMIT_LOGINS_ACCOUNT="3/300") as app:
        statuses = [
            httpx2.post(f"{app.origin}/api/session", json={"name": name, "password": "a guess"}, trust_env=False)
            for name in ("Ana", "Ana", "Ana", "Ana", "Bo")
        ]
        assert [one.status_code for one in statuses] == [401, 401, 401, 429, 401]
        assert int(statuses[3].headers["retry-after"]) > 0


# The socket


async def ask(socket: ClientConnection, frame: str | bytes) -> dict[str, Any]:
    await socket.send(frame)
    return dict(json.loads(await socket.recv()))


FRAMES: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("hello", "malformed"),
    "an array": ("[]", "invalid"),
    "no type": ("{}", "unknown_type"),
    "unknown type": ('{"type":"shout"}', "unknown_type"),
    "type that is no text": ('{"type":1}', "unknown_type"),
    "binary": (b'{"type":"ping"}', "binary"),
    "malformed key": ('{"type":"join","thread":"a b"}', "invalid"),
    "no thread": ('{"type":"join"}', "invalid"),
    "unknown field": ('{"type":"join","thread":"used","loud":true}', "invalid"),
    "negative after": ('{"type":"join","thread":"used","after":-1}', "invalid"),
    "bad ticket": ('{"type":"hello","ticket":"1.2.3"}', "bad_ticket"),
    "ticket that is none": ('{"type":"hello","ticket":"x"}', "bad_ticket"),
    "nested deeply": ('{"type":"join","thread":' + "[" * 5000 + "}", "invalid"),
}


@pytest.mark.parametrize(("frame", "code"), FRAMES.values(), ids=FRAMES.keys())
async def test_a_bad_frame_is_answered_and_the_socket_goes_on(
    app: Server, writer: httpx2.Client, frame: str | bytes, code: str
) -> None:
    async with connect(app.live_url, proxy=None) as socket:
        error = await ask(socket, frame)
        assert (error["type"], error["code"]) == ("error", code)
        assert error["message"]
        assert await ask(socket, '{"type":"ping"}') == {"type": "pong"}


async def test_an_over_long_frame_is_named_and_ends_the_socket_with_1009(app: Server) -> None:
    async with connect(app.live_url, proxy=None) as socket:
        error = await ask(socket, json.dumps({"type": "ping", "padding": "x" * 17_000}))
        assert error["code"] == "too_large"
        with pytest.raises(ConnectionClosed) as ended:
            await socket.recv()
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1009


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Cookie": "livethread=x"}], ids=str)
async def test_a_socket_from_elsewhere_is_refused_before_it_is_accepted(app: Server, headers: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(app.live_url, additional_headers=headers, proxy=None)
    assert refused.value.response.status_code == 403


async def test_a_socket_follows_at_most_20_threads(app: Server) -> None:
    async with connect(app.live_url, proxy=None) as socket:
        for number in range(20):
            assert (await ask(socket, json.dumps({"type": "join", "thread": f"many-{number}"})))["type"] == "joined"
        assert (await ask(socket, '{"type":"join","thread":"one-more"}'))["code"] == "too_many_threads"
        await socket.send('{"type":"leave","thread":"many-0"}')
        assert (await ask(socket, '{"type":"join","thread":"one-more"}'))["type"] == "joined"


async def test_a_join_catches_up_and_then_is_live(app: Server, writer: httpx2.Client) -> None:
    head = writer.get("/api/threads/used").json()
    async with connect(app.live_url, proxy=None) as socket:
        changes = await ask(socket, '{"type":"join","thread":"used","after":0}')
        assert [one["id"] for one in changes["comments"]] == [one["id"] for one in head["comments"]]
        joined = json.loads(await socket.recv())
        assert (joined["type"], joined["version"], joined["readers"]) == ("joined", head["version"], 1)
        posted = writer.post("/api/threads/used/comments", json={"body": "live", "nonce": f"live-{NONCE}"}).json()
        change = json.loads(await socket.recv())
        assert (change["after"], change["version"]) == (head["version"], posted["comment"]["version"])
        assert [one["nonce"] for one in change["comments"]] == [f"live-{NONCE}"]
        await socket.send('{"type":"leave","thread":"used"}')
        assert (await ask(socket, '{"type":"join","thread":"used"}'))["version"] == change["version"]


@pytest.mark.parametrize("wanted", [{"epoch": "another"}, {"after": 10**9}], ids=str)
async def test_what_cannot_be_caught_up_is_reset(app: Server, wanted: dict[str, Any]) -> None:
    async with connect(app.live_url, proxy=None) as socket:
        reset = await ask(socket, json.dumps({"type": "join", "thread": "used", "after": 0} | wanted))
        assert reset["type"] == "reset"
        assert reset["after_ms"] >= 0


async def test_a_ticket_signs_a_socket_in(app: Server, writer: httpx2.Client) -> None:
    ticket = writer.post("/api/ticket").json()["ticket"]
    async with connect(app.live_url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
        assert await ask(socket, '{"type":"ping"}') == {"type": "pong"}
