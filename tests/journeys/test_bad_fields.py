"""Bad values for every field of every request: the field is named, the text of a form is kept, and nothing breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest
from websockets.sync.client import connect

from server.settings import read
from server.web.live import gateway_api, live_socket
from server.web.requests import schemas
from tests.journeys.people import ONE_OFF, PASSWORD, Person
from tests.processes import ROOT, SECRET, Server

# As JSON: of each type, too large, too long, empty, and text that is no text.
VALUES = [
    "null", "true", "1", "-1", "1.5", "1e999", "9" * 400, "0", '""', '"x"', '"yes"', "[]", "{}", "[" * 2000, "{no",
    '"\\u0000"', '"a\\u0000bcd"', '"\\ud800"', '"\\u202e\\u2066"', '"' + "x" * 12_000 + '"', '"' + "ü" * 5_000 + '"',
    '"' + "a\\u0301" * 100 + '"', '"\\"; DROP TABLE comments; --"', '"<script>alert(1)</script>"', '"../../etc/passwd"',
]  # fmt: skip
NONCE = "n" * 22
SITE = "https://blog.example"
# A request of each schema that is right but for what is put into it.
GOOD: dict[type[msgspec.Struct], list[tuple[str, str, dict[str, Any]]]] = {
    schemas.PostComment: [("POST", "/api/threads/{key}/comments", {"body": "x", "nonce": NONCE})],
    schemas.DescribeThread: [("PUT", "/api/threads/{key}", {"title": "T"})],
    schemas.EditComment: [("PATCH", "/api/comments/{id}", {"body": "x", "revision": 1})],
    schemas.Vote: [("PUT", "/api/comments/{id}/vote", {"value": 1})],
    schemas.SetState: [("PUT", "/api/comments/{id}/state", {"state": "visible"})],
    schemas.Lock: [("PUT", "/api/threads/{key}/lock", {"locked": False})],
    schemas.Ban: [("PUT", "/api/accounts/Victim/ban", {"banned": False})],
    schemas.Heard: [("PUT", "/api/me/heard", {"version": 1})],
    schemas.Visited: [("PUT", "/api/threads/{key}/visit", {"comment": 1, "version": 1})],
    schemas.Preview: [("POST", "/api/preview", {"body": "x"})],
    schemas.ChangeName: [("PUT", "/api/me/name", {"name": "Victim"})],
    schemas.ChangeAppearance: [("PATCH", "/api/me/appearance", {"theme": "auto"})],
    schemas.ChangePassword: [("PUT", "/api/me/password", {"password": "wrong one", "new_password": PASSWORD})],
    schemas.CloseAccount: [("DELETE", "/api/me", {"password": "wrong one", "comments": "keep"})],
    schemas.Credentials: [
        ("POST", "/api/accounts", {"name": "Victim", "password": PASSWORD}),
        ("POST", "/api/session", {"name": "Victim", "password": PASSWORD}),
    ],
    schemas.Claim: [("CLAIM", "/api/session", {"code": "x", "verifier": "v" * 43})],
    schemas.Entry: [("CLAIM", "/api/session", {"sso": "a.b.c"})],
    schemas.SignedOut: [("POST", "/api/sites/blog.example/logout", {"logout_token": "a.b.c"})],
    schemas.TicketFor: [("POST", "/api/ticket", {"thread": "bad"})],
    gateway_api.Poll: [("POST", "/internal/poll", {"gateway": "g", "clock": 0, "readers": {}})],
    live_socket.Hello: [("SOCKET", "hello", {"ticket": "x"})],
    live_socket.Join: [("SOCKET", "join", {"thread": "bad"})],
    live_socket.Leave: [("SOCKET", "leave", {"thread": "bad"})],
    live_socket.Typing: [("SOCKET", "typing", {"thread": "bad"})],
    live_socket.Ping: [("SOCKET", "ping", {})],
}
CASES = [(schema, *one) for schema, several in GOOD.items() for one in several]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("fields"), LIVETHREAD_LIMITS="off", LIVETHREAD_SITES=SITE) as server:
        Person(server, "Victim")
        yield server


@pytest.fixture(scope="module")
def staff(app: Server) -> Person:
    return Person(app, "Chief", "staff")


@pytest.fixture(scope="module")
def other(app: Server) -> dict[str, Any]:
    """A comment to be voted on, of somebody else."""
    return Person(app, "Another").post("bad", "words")


def test_every_schema_of_a_request_is_tried() -> None:
    found = {
        one
        for module in (schemas, gateway_api, live_socket)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == module.__name__
    }
    assert set(GOOD) == found - {gateway_api.PollAnswer}


def with_field(good: dict[str, Any], name: str, raw: str) -> bytes:
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in good.items() if key != name]
    return ("{" + ", ".join([*parts, f"{json.dumps(name)}: {raw}"]) + "}").encode()


def refusal_of(schema: type[msgspec.Struct], content: bytes) -> type[Exception] | None:
    """Say what the schema itself thinks of it."""
    try:
        msgspec.json.decode(content, type=schema)
    except msgspec.ValidationError:
        return msgspec.ValidationError
    except (msgspec.DecodeError, RecursionError) as error:
        return type(error)
    return None


class Sender:
    """Sends requests of any schema, and returns (status, error)."""

    def __init__(self, app: Server, staff: Person, comment: int) -> None:
        self.app, self.staff, self.comment = app, staff, comment

    def send(self, method: str, where: str, content: bytes) -> tuple[int, dict[str, Any]]:
        if method == "SOCKET":
            return self._frame(content)
        path = where.format(key="bad", id=self.comment)
        headers = {"content-type": "application/json"}
        if method == "CLAIM":
            # By a page of another site, which brings a code.
            method, headers["origin"] = "POST", SITE
        if path.startswith("/internal/"):
            headers[gateway_api.SIGNATURE_HEADER] = gateway_api.signature(
                read({"LIVETHREAD_SECRET": SECRET}), "poll", content
            )
        answer = self.staff.http.request(method, path, content=content, headers=headers)
        self.staff.http.cookies.clear()
        return answer.status_code, answer.json().get("error") or {}

    def _frame(self, content: bytes) -> tuple[int, dict[str, Any]]:
        with connect(self.app.live_url) as socket:
            socket.send(content.decode())
            socket.send('{"type":"ping"}')
            said = json.loads(socket.recv())
        return (422 if said["type"] == "error" else 200), said


@pytest.mark.parametrize(("schema", "method", "where", "good"), CASES, ids=lambda one: getattr(one, "__name__", None))
def test_a_bad_value_of_any_field_is_refused_by_its_name(
    app: Server, staff: Person, other: dict[str, Any], schema: type[msgspec.Struct], method: str, where: str,
    good: dict[str, Any],
) -> None:  # fmt: skip
    sender = Sender(app, staff, other["id"])
    if method == "SOCKET":
        good = {"type": where} | good
    for field in msgspec.structs.fields(schema):
        for raw in VALUES:
            content = with_field(good, field.encode_name, raw)
            status, error = sender.send(method, where, content)
            case = f"{field.name} = {raw[:40]}: {status} {error}"
            assert status < 500, case
            thinks = refusal_of(schema, content)
            if thinks is msgspec.ValidationError:
                assert (status, error.get("field")) == (422, field.encode_name), case
            elif thinks is not None:
                assert status >= 400, case
            if status >= 400:
                assert error["code"], case
                assert error["message"], case
        if field.required:
            without = json.dumps({name: value for name, value in good.items() if name != field.encode_name}).encode()
            status, error = sender.send(method, where, without)
            assert (status, error.get("field")) == (422, field.encode_name)
    if schema is not live_socket.Ping:
        status, error = sender.send(method, where, with_field(good, "colour", "1"))
        assert (status, error.get("field")) == (422, "colour")


# What stands in addresses and in forms

TEXTS = [
    "-1", "1.5", "x", "9" * 400, "0" * 30 + "9" * 30, "0" * 5000, "٣", "²", "1e3", " 1", "\x00", "a\x00bcd", "\u202e",
    "'", '"', "%", "\\", "../x", "<b>", "x" * 300, "ü" * 300, "🦊" * 40, "a" + "\u0301" * 5, "\ufffe\uffff", "//e.org",
]  # fmt: skip
# Where each parameter stands, and whether a value that is none of its kind is refused (by its name, in the API).
QUERIES = {
    "limit": ["/api/threads/bad", "/api/search?q=words", "/api/accounts/Victim"],
    "after": ["/api/threads/bad/changes", "/api/me/changes"],
    "done": ["/pending"],
    "before": ["/api/search?q=words", "/search?q=words", "/api/accounts/Victim", "/u/Victim"],
    "cursor": ["/api/threads/bad", "/t/bad", "/api/threads/bad?sort=newest", "/api/threads/bad?sort=flat"],
    "sort": ["/api/threads/bad", "/t/bad"],
    "thread": ["/api/search?q=words", "/search?q=words"],
    "lang": ["/t?only=fragment&key=bad", "/t/bad", "/api/counts?keys=bad", "/nothing-here"],
    "epoch": ["/api/threads/bad/changes"],
    "q": ["/api/search", "/search", "/api/threads/bad/names"],
    "key": ["/t", "/api/threads"],
    "url": ["/api/threads"],
    "site": ["/api/threads?key=bad", "/api/counts?keys=bad"],
    "keys": ["/api/counts"],
    "part": ["/t/bad?only=fragment"],
    "gone": ["/t/bad"],
    "comment": ["/t/?key=bad"],
    "reply": ["/t/bad"],
    "replies": ["/api/threads/bad"],
    "branch": ["/api/threads/bad", "/t/bad", "/api/threads/bad?sort=newest"],
    "only": ["/t/bad"],
    "next": ["/login", "/register"],
    # A setting serves it.
    "theme": ["/gallery"],
    "density": ["/gallery/pages"],
}
FLAGS = {"held", "anew", "print"}
STRICT = {"limit", "after", "before", "sort"}
NUMBERS = {"limit", "done", "after", "before", "reply", "replies", "branch"}


def test_every_parameter_and_field_of_a_form_is_tried() -> None:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "server" / "web").rglob("*.py"))
    queries = set(re.findall(r'query(?:_params)?(?:\.get\(|\[)"(\w+)"', texts))
    assert queries == set(QUERIES)
    assert set(re.findall(r'"(\w+)" in visit\.query_params', texts)) == FLAGS
    forms = set(re.findall(r'(?:form|given|form\(\)\))\.get\("(\w+)"', texts)) - {"origin"} - OF_PROGRAMS
    assert forms == {field for _, fields in FORMS.values() for field in fields} - READ_ELSEWHERE


@pytest.mark.parametrize("name", QUERIES)
def test_a_bad_parameter_is_named_and_breaks_nothing(app: Server, staff: Person, name: str) -> None:
    for path in QUERIES[name]:
        for text in TEXTS:
            answer = staff.http.get(httpx2.URL(path).copy_merge_params({name: text}))
            case = f"{path}, {name} = {text[:40]!r}: {answer.status_code} {answer.text[:200]}"
            assert answer.status_code < 500, case
            is_api = path.startswith("/api/")
            if name in NUMBERS and not (text.isascii() and text.isdigit() and len(text) < 17):
                # The page of the search says what is wrong where its results would be.
                assert answer.status_code == (200 if path.startswith("/search") else 422), case
            if is_api and answer.status_code >= 400:
                assert answer.json()["error"]["field"] == name, case
            if is_api and name in STRICT:
                assert answer.status_code == 422, case


@pytest.mark.parametrize(
    "path",
    [
        "/api/comments/{}", "/c/{}/history", "/c/{}/edit", "/c/{}/delete", "/c/{}/moderate", "/t/bad/c/{}", "/t/{}",
        "/t/bad/c/{}/feed", "/t/{}/feed", "/api/threads/{}", "/api/threads/{}/changes", "/api/threads/{}/mine",
        "/api/accounts/{}", "/u/{}", "/avatar/{}", "/picture/{}", "/feed/mine/{}", "/static/v/{}",
        "/api/threads/{}/names",
    ],
)  # fmt: skip
def test_a_bad_address_is_refused_and_breaks_nothing(app: Server, staff: Person, path: str) -> None:
    for text in TEXTS:
        url = path.format("".join(f"%{byte:02x}" for byte in text.encode()))
        answer = staff.http.get(url)
        assert answer.status_code in (200, 302, 404, 422), f"{path}: {text[:40]!r}: {answer.status_code}"


# Each form with values that are right, and the field whose text must be there again when it is refused.
FORMS: dict[str, tuple[str | None, dict[str, str]]] = {
    "/t/bad/comments": ("body", {"body": "MY TEXT", "nonce": NONCE, "parent": "", "preview": ""}),
    "/c/{id}/edit": ("body", {"body": "MY TEXT", "revision": "1"}),
    "/c/{id}/vote": (None, {"value": "1"}),
    "/c/{id}/state": (None, {"state": "visible", "from": "pending"}),
    "/c/{id}/ban": (None, {"name": "Victim", "banned": "no"}),
    "/t/bad/lock": (None, {"locked": "no"}),
    "/t/bad/visit": (None, {"version": "1", "at": "1"}),
    "/inbox": (None, {"version": "1"}),
    "/account/sessions": (None, {"id": "others"}),
    "/account/logins": (None, {"issuer": "https://login.example", "subject": "1"}),
    "/account/language": (None, {"language": ""}),
    "/account/appearance": (None, {"density": "compact", "theme": "auto", "shortcuts": "on"}),
    "/account/name": (None, {"name": ""}),
    "/account/password": (None, {"password": "wrong one", "new_password": PASSWORD}),
    "/account/picture": (None, {"picture": ""}),
    "/account/close": (None, {"password": "wrong one", "comments": "keep"}),
    "/login": (
        "draft_body",
        {"name": "Victim", "password": "wrong one", "next": "/", "draft_thread": "bad", "draft_body": "MY TEXT"},
    ),
    "/register": (
        "draft_body",
        {"name": "Victim", "password": PASSWORD, "next": "/", "draft_thread": "bad", "draft_body": "MY TEXT"},
    ),
    "/logout": (None, {"next": "/"}),
    "/sites": ("name", {"origins": "https://new.example", "name": "MY TEXT"}),
    "/sites/blog.example": (
        "name",
        {"origins": SITE, "name": "MY TEXT", "keep_query": "p", "moderates": "yes", "theme": "dark", "language": "de"},
    ),
    "/sites/blog.example/remove": (None, {"sure": "no"}),
    "/sites/blog.example/keys": ("public_key", {"key_id": "k", "algorithm": "ES256", "public_key": "MY TEXT"}),
    "/sites/blog.example/keys/remove": (None, {"key_id": "none", "leaked": "yes"}),
    "/embed/login": (
        None,
        {
            "site": SITE, "challenge": "c" * 43, "back": f"{SITE}/a", "as": "login", "name": "Victim",
            "password": "wrong one", "moderates": "",
        },
    ),
}  # fmt: skip
# Sent as a form by another site's server, which is answered as a program.
OF_PROGRAMS = {"logout_token"}
# Read by other means, or where the log-in fails alone.
READ_ELSEWHERE = {"draft_body", "draft_thread", "site", "challenge", "back"}


@pytest.mark.parametrize("path", FORMS)
def test_a_form_with_a_bad_field_is_answered_with_a_page_that_keeps_the_text(
    app: Server, staff: Person, other: dict[str, Any], path: str
) -> None:
    kept, good = FORMS[path]
    # Who logs out is another each time: nobody.
    client = httpx2.Client(base_url=app.origin, trust_env=False, limits=ONE_OFF) if path == "/logout" else staff.http
    for field in good:
        for text in [*TEXTS, "", "x" * 12_000]:
            answer = client.post(path.format(id=other["id"]), data=good | {field: text})
            client.cookies.clear()
            case = f"{path}, {field} = {text[:40]!r}: {answer.status_code} {answer.text[:200]}"
            assert answer.status_code < 500, case
            if answer.status_code >= 400:
                assert answer.headers["content-type"].startswith("text/html"), case
                if kept and field not in (kept, "draft_thread"):
                    assert "MY TEXT" in answer.text, case
        file = client.post(path.format(id=other["id"]), data=good, files={field: ("name", b"\x00\xff")})
        client.cookies.clear()
        assert file.status_code < 500, f"{path}, {field} is a file: {file.text[:200]}"


def test_what_is_no_form_is_refused(app: Server, staff: Person, other: dict[str, Any]) -> None:
    for path in FORMS:
        for kind in (
            "multipart/form-data",
            "multipart/form-data; boundary=x",
            "application/x-www-form-urlencoded",
            "x/y",
        ):
            answer = staff.http.post(
                path.format(id=other["id"]), content=b"--x\r\n\xff\x00=%zz&&;=", headers={"content-type": kind}
            )
            staff.http.cookies.clear()
            assert answer.status_code < 500, f"{path} as {kind}: {answer.text[:200]}"
            if path == "/logout":
                again = Person(app, f"Again {kind}".replace("/", " ")[:40])
                staff.http.headers["authorization"] = again.http.headers["authorization"]
