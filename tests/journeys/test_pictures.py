"""Pictures of one's own: given by a form or by a program, shown at once everywhere, and gone when they are removed."""

from __future__ import annotations

import base64
import io
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from PIL import Image

from server.pictures import MAX_BYTES
from tests.journeys.people import ONE_OFF, PASSWORD, Person
from tests.processes import Server, until

ADDRESS = re.compile(r"/picture/[0-9a-f]{32}\.webp")


def picture(colour: str = "red", kind: str = "PNG", size: tuple[int, int] = (300, 200)) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, colour).save(written, kind)
    return written.getvalue()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("pictures"), LIVETHREAD_SITES="https://blog.example") as server:
        yield server


@pytest.fixture(scope="module")
def moderator(app: Server) -> Person:
    return Person(app, "Mo", "moderator")


@pytest.fixture(scope="module")
def nobody(app: Server) -> httpx2.Client:
    return httpx2.Client(base_url=app.origin, trust_env=False, limits=ONE_OFF)


def given(person: Person, content: bytes | None = None) -> str:
    answer = person.http.put("/api/me/picture", content=content or picture())
    assert answer.status_code == 200, answer.text
    return str(answer.json()["account"]["picture"])


def is_in_files(app: Server, content: bytes) -> bool:
    """Say whether the database or its log holds the picture; the beginning is that of every WebP."""
    return any(content[30:] in (app.folder / name).read_bytes() for name in ("test.db", "test.db-wal"))


def authors(client: httpx2.Client, key: str) -> list[dict[str, Any]]:
    return [one["author"] for one in client.get(f"/api/threads/{key}").json()["comments"]]


def test_a_picture_is_shown_beside_what_was_and_will_be_written(app: Server, nobody: httpx2.Client) -> None:
    ana = Person(app, "Ana")
    ana.post("shown", "before")
    drawn = nobody.get("/t/shown").text
    assert "/picture/" not in drawn
    version = nobody.get("/api/threads/shown").json()["version"]
    name = given(ana)
    ana.post("shown", "after")
    assert [one["picture"] for one in authors(nobody, "shown")] == [name, name]
    told = nobody.get(f"/api/threads/shown/changes?after={version}").json()
    assert [one["author"]["picture"] for one in told["comments"]] == [name, name]
    for page in ("/t/shown", "/u/Ana"):
        html = nobody.get(page).text
        assert f'src="/picture/{name}.webp" alt="" width="32" height="32" loading="lazy" decoding="async"' in html
        # The drawn one stays below.
        assert 'src="/avatar/A-' in html
    assert nobody.get("/api/accounts/Ana").json()["account"]["picture"] == name
    assert Person(app, "Bo").post("shown", "mine")["author"].keys() == {"name", "avatar", "badge"}


def test_a_picture_has_an_address_of_its_own_that_holds_nothing_else(app: Server, nobody: httpx2.Client) -> None:
    cy = Person(app, "Cy")
    name = given(cy, picture("blue", "JPEG"))
    answer = nobody.get(f"/picture/{name}.webp", headers={"origin": "https://any.example"})
    assert answer.content[:4] + answer.content[8:12] == b"RIFFWEBP"
    expected = {
        "content-type": "image/webp",
        "cache-control": "public, max-age=86400, immutable",
        "content-security-policy": "default-src 'none'",
        "x-content-type-options": "nosniff",
        "cross-origin-resource-policy": "cross-origin",
        "access-control-allow-origin": "*",
    }
    assert {header: answer.headers.get(header) for header in expected} == expected
    assert "set-cookie" not in answer.headers
    # Two who have the same share its address, and one of them can go.
    dot = Person(app, "Dot")
    assert given(dot, picture("blue", "JPEG")) == name
    cy.do("DELETE", "/api/me/picture")
    assert nobody.get(f"/picture/{name}.webp").status_code == 200
    dot.do("DELETE", "/api/me/picture")
    for gone in (name, "0" * 32, "x", name.upper()):
        answer = nobody.get(f"/picture/{gone}.webp")
        assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-store")


@pytest.mark.parametrize(
    ("content", "code", "status"),
    [
        (b"", "invalid", 422),
        (b"<svg/>", "invalid", 422),
        (b"GIF89a", "invalid", 422),
        (picture(size=(5000, 4000)), "invalid", 422),
        (picture()[:-40], "invalid", 422),
        (bytes(MAX_BYTES + 1), "too_large", 413),
    ],
    ids=["nothing", "SVG", "GIF", "too many pixels", "cut off", "a byte too much"],
)
def test_what_cannot_be_used_is_refused_by_its_field_and_changes_nothing(
    app: Server, name: str, content: bytes, code: str, status: int
) -> None:
    eve = Person(app, name)
    kept = given(eve)
    # Whatever it says that it is.
    answer = eve.http.put("/api/me/picture", content=content, headers={"content-type": "image/png"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["field"] == "picture"
    in_pieces = eve.http.put(
        "/api/me/picture", content=(content[at : at + 65536] for at in range(0, len(content), 65536))
    )
    assert (in_pieces.status_code, in_pieces.json()["error"]["field"]) == (status, "picture")
    form = eve.http.post("/account/picture", files={"picture": ("me.png", content, "image/png")})
    assert form.status_code == status
    assert answer.json()["error"]["message"] in form.text
    assert 'aria-invalid="true"' in form.text
    assert eve.do("GET", f"/api/accounts/{eve.name}")["account"]["picture"] == kept


def test_what_is_much_too_large_is_refused_by_its_head(app: Server, name: str) -> None:
    token = app.token(name)
    with socket.create_connection((app.host, app.port)) as peer:
        peer.sendall(
            b"PUT /api/me/picture HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n"
            b"Authorization: Bearer " + token.encode() + b"\r\n\r\n"
        )
        answer = peer.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"A picture can have at most 5 MB." in answer


def test_only_who_is_logged_in_sends_more_than_others(app: Server, nobody: httpx2.Client) -> None:
    large = bytes(300_000)
    assert nobody.put("/api/me/picture", content=large).status_code == 401
    assert nobody.post("/account/picture", files={"picture": ("a", large)}).status_code == 401
    fay = Person(app, "Fay")
    assert fay.http.put("/api/me/name", content=large).status_code == 413
    assert fay.http.put("/api/me/picture", content=large).status_code == 422


def test_a_form_of_another_page_and_a_session_of_another_site_give_no_picture(app: Server) -> None:
    signed = httpx2.Client(base_url=app.origin, trust_env=False, limits=ONE_OFF)
    signed.post("/api/accounts", json={"name": "Gil", "password": PASSWORD})
    for origin in ("https://evil.example", "https://blog.example", "null"):
        for method, path in (
            ("PUT", "/api/me/picture"),
            ("DELETE", "/api/me/picture"),
            ("POST", "/account/picture"),
            ("POST", "/account/picture/remove"),
            ("POST", "/u/Gil/picture/remove"),
        ):
            answer = signed.request(method, path, content=picture(), headers={"origin": origin})
            assert (answer.status_code, "foreign_origin" in answer.text or "another" in answer.text) == (403, True)
    assert signed.put("/api/me/picture", content=picture(), headers={"origin": app.origin}).status_code == 200


def test_it_is_in_the_export_and_goes_with_the_account(app: Server, nobody: httpx2.Client) -> None:
    hal = Person(app, "Hal")
    hal.post("closed", "words")
    assert hal.do("GET", "/api/me/export")["picture"] is None
    name = given(hal, picture("green"))
    exported = hal.do("GET", "/api/me/export")["picture"]
    assert exported["type"] == "image/webp"
    content = nobody.get(f"/picture/{name}.webp").content
    assert base64.b64decode(exported["base64"]) == content
    assert is_in_files(app, content)
    hal.do("DELETE", "/api/me", password=PASSWORD, comments="keep")
    assert authors(nobody, "closed") == [None]
    assert nobody.get(f"/picture/{name}.webp").status_code == 404
    assert "/picture/" not in nobody.get("/t/closed").text
    until(lambda: not is_in_files(app, content))


def test_a_picture_that_is_removed_leaves_the_files_and_another_takes_its_place(
    app: Server, nobody: httpx2.Client
) -> None:
    ned = Person(app, "Ned")
    names = [given(ned, picture(colour, size=(40, 90))) for colour in ("purple", "brown")]
    contents = [nobody.get(f"/picture/{name}.webp") for name in names]
    assert [one.status_code for one in contents] == [404, 200]
    ned.do("DELETE", "/api/me/picture")
    assert "picture" not in ned.do("GET", "/api/accounts/Ned")["account"]
    until(lambda: not is_in_files(app, contents[1].content))
    # Once more changes nothing.
    version = ned.do("GET", "/api/me/changes")["version"]
    ned.do("DELETE", "/api/me/picture")
    assert ned.do("GET", "/api/me/changes")["version"] == version


def test_moderators_remove_a_picture_and_readers_do_not(app: Server, moderator: Person, nobody: httpx2.Client) -> None:
    ivy, jo = Person(app, "Ivy"), Person(app, "Jo")
    ivy.post("moderated", "words")
    name = given(ivy, picture("orange"))
    assert jo.http.delete("/api/accounts/Ivy/picture").status_code == 403
    assert jo.http.post("/u/Ivy/picture/remove").status_code == 403
    assert "Remove picture" not in jo.http.get("/u/Ivy").text
    assert "Remove picture" in moderator.http.get("/u/Ivy").text
    answer = moderator.http.post("/u/Ivy/picture/remove")
    assert (answer.status_code, answer.headers["location"]) == (303, "/u/Ivy")
    assert "picture" not in authors(nobody, "moderated")[0]
    assert nobody.get(f"/picture/{name}.webp").status_code == 404
    given(ivy, picture("orange"))
    assert "picture" not in moderator.do("DELETE", "/api/accounts/Ivy/picture")["account"]
    assert moderator.http.delete("/api/accounts/Nobody at all/picture").status_code == 404


def test_so_many_in_an_hour_and_no_more(tmp_path: Any) -> None:
    with Server(tmp_path, LIVETHREAD_LIMITS="on", LIVETHREAD_LIMIT_CHANGES_ACCOUNT="2/3600") as app:
        kim = Person(app, "Kim")
        statuses = [kim.http.put("/api/me/picture", content=b"no picture").status_code for _ in range(3)]
        assert statuses == [422, 422, 429]
        form = kim.http.post("/account/picture", files={"picture": ("a", picture())})
        assert (form.status_code, "Retry-After" in form.headers) == (429, True)


def test_where_pictures_are_off_none_is_taken_and_none_is_shown_until_they_are_on_again(tmp_path: Any) -> None:
    with Server(tmp_path) as app:
        lee = Person(app, "Lee")
        lee.post("off", "words")
        name = given(lee)
        version = lee.do("GET", "/api/threads/off")["version"]
        app.stop()
        app.settings["LIVETHREAD_PICTURES"] = "off"
        app.start()
        until(lambda: lee.do("GET", f"/api/threads/off/changes?after={version}")["comments"] != [])
        assert "picture" not in authors(lee.http, "off")[0]
        assert lee.http.get(f"/picture/{name}.webp").status_code == 404
        assert "picture" not in lee.http.get("/account").text
        refused = lee.http.put("/api/me/picture", content=picture())
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "pictures_off")
        app.stop()
        app.settings["LIVETHREAD_PICTURES"] = "on"
        app.start()
        assert authors(lee.http, "off")[0]["picture"] == name
        assert lee.http.get(f"/picture/{name}.webp").status_code == 200
