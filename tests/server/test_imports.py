"""The command `import`: several pages are several threads, and what is not understood changes nothing."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server import cli, thread_keys
from tests.processes import Server

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on a database of its own: (exit status, output, errors)."""
    monkeypatch.setenv("LIVETHREAD_DATABASE", str(tmp_path / "own.db"))

    def command(*words: object) -> tuple[int, str, str]:
        status = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return command


def asked(database: Path, question: str, *values: Any) -> list[tuple[Any, ...]]:
    sql = sqlite3.connect(database)
    try:
        return sql.execute(question, values).fetchall()
    finally:
        sql.close()


def lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


def one(id_: str, parent: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": id_, "parent": parent, "author": "Ana", "created": 1_600_000_000, "body_md": f"Says {id_}."} | more


def remark(id_: str, pid: str = "", *, url: str = "https://blog.example/a/", **more: Any) -> dict[str, Any]:
    return {
        "id": id_, "pid": pid, "text": f"<p>Says {id_}.</p>", "user": {"name": "Ana", "id": "u1"}, "score": 0,
        "time": "2020-01-01T00:00:00Z", "locator": {"site": "blog", "url": url},
    } | more  # fmt: skip


def backup(path: Path, comments: list[dict[str, Any]], posts: list[dict[str, Any]] | None = None) -> Path:
    return lines(path, [{"version": 1, "users": [], "posts": posts or []}, *comments])


def tree_of(database: Path, key: str = "") -> dict[str, str | None]:
    """Return which comment of the file each of its comments hangs from."""
    found = asked(
        database,
        "SELECT c.source, p.source FROM comments c JOIN threads t ON t.id = c.thread"
        " LEFT JOIN comments p ON p.id = c.parent WHERE ? IN (t.key, '')",
        key,
    )
    return {own.partition(":")[2]: above and above.partition(":")[2] for own, above in found}


# Threads


def test_each_page_of_a_backup_is_a_thread_with_its_address_and_title(run: Run, tmp_path: Path) -> None:
    file = backup(
        tmp_path / "site.backup",
        [
            remark("1", title="The first"),
            remark("2", url="https://blog.example/b?page=2", title="The second"),
            remark("3", "1", url="http://BLOG.example/a/index.html"),
            remark("4", url="https://blog.example/caf%C3%A9"),
            remark("5", url="https://other.example/a"),
        ],
        [{"url": "https://blog.example/b", "read_only": True}],
    )
    status, output, _ = run("import", "remark42", file)
    assert status == 0
    other = thread_keys.key_of("https://other.example/a", is_long=True)
    cafe = thread_keys.key_of("https://blog.example/café")
    assert all(f"thread {key} " in output for key in ("a", "b", cafe, other))
    threads = {row[0]: row[1:] for row in asked(tmp_path / "own.db", "SELECT key, url, title, locked FROM threads")}
    assert threads == {
        "a": ("https://blog.example/a/", "The first", 0),
        "b": ("https://blog.example/b", "The second", 1),
        cafe: ("https://blog.example/caf%C3%A9", "", 0),
        other: ("https://other.example/a", "", 0),
    }
    assert tree_of(tmp_path / "own.db") == {"1": None, "2": None, "3": "1", "4": None, "5": None}
    before = asked(tmp_path / "own.db", "SELECT * FROM comments")
    assert run("import", "remark42", file)[0] == 0
    assert asked(tmp_path / "own.db", "SELECT * FROM comments") == before
    assert len(asked(tmp_path / "own.db", "SELECT 1 FROM threads")) == 4


def test_a_page_goes_to_the_thread_that_has_its_address(run: Run, tmp_path: Path) -> None:
    lines(tmp_path / "own.jsonl", [{"thread": {"url": "https://blog.example/a/", "title": "Here"}}, one("x")])
    run("import", "jsonl", tmp_path / "own.jsonl", "--thread", "mine")
    run("import", "remark42", backup(tmp_path / "b", [remark("1", title="There")]))
    assert asked(tmp_path / "own.db", "SELECT key, title, comments FROM threads") == [("mine", "Here", 2)]


def test_what_one_thread_can_have_is_not_for_a_file_of_several(run: Run, tmp_path: Path) -> None:
    file = backup(tmp_path / "b", [remark("1"), remark("2", url="https://blog.example/b")])
    for words in (("--thread", "x"), ("--title", "X"), ("--author", "Ana")):
        status, _, errors = run("import", "remark42", file, *words)
        assert (status, "2 pages" in errors) == (2, True)
    assert not (tmp_path / "own.db").exists()


@pytest.mark.parametrize("key", ["blog/2020/café", "..", "", "a b", "a" * 201])
def test_a_thread_that_nobody_could_open_is_not_made(run: Run, tmp_path: Path, key: str) -> None:
    file = lines(tmp_path / "x.jsonl", [one("1")])
    for command in (["import", "jsonl", file], ["replay", file]):
        status, _, errors = run(*command, "--thread", key)
        assert (status, "a thread's key is" in errors) == (2, True)
    assert not (tmp_path / "own.db").exists()


# Files


@pytest.mark.parametrize(
    ("format_", "content", "says"),
    [
        ("jsonl", b"", "it is empty"),
        ("jsonl", b"\xef\xbb\xbf", "it is empty"),
        ("jsonl", b"<?xml version='1.0'?>\n<disqus/>\n", "line 1: not a record"),
        ("jsonl", b"\n\n{}\n", "line 3: not a record"),
        ("jsonl", b'[{"id": "1"}]', "line 1: not a record"),
        ("jsonl", json.dumps(remark("1")).encode(), "line 1: not a record"),
        ("jsonl", b"PK\x03\x04....", "ZIP"),
        ("jsonl", '{"id"}\n'.encode("utf-16"), "UTF-16"),
        ("jsonl", gzip.compress(json.dumps(one("1")).encode(), mtime=0)[:-9], "damaged .gz"),
        ("jsonl", b"\x1f\x8bnot", "damaged .gz"),
        ("jsonl", gzip.compress(bytes(50_000_000), mtime=0), "200 times its size"),
        ("jsonl", bytes(range(256)), "line 1: not a record"),
        ("remark42", b"", "it is empty"),
        ("remark42", json.dumps(one("1")).encode(), "line 1: not a Remark42 comment"),
        ("remark42", b"<rss/>", "not a Remark42 backup, tree or list"),
        ("remark42", b'{"comments": [{"commentHex": "1"}]}', "not a Remark42 comment"),
        ("remark42", b'{"comments": 5}', "not a Remark42 backup, tree or list"),
        ("remark42", b"[" * 100_000, "not a Remark42 backup, tree or list"),
        ("remark42", json.dumps([remark("1")], indent=1).encode()[:-9], "not a Remark42 backup, tree or list"),
    ],
)
def test_what_is_not_understood_is_an_error_and_changes_nothing(
    run: Run, tmp_path: Path, format_: str, content: bytes, says: str
) -> None:
    file = tmp_path / "given"
    file.write_bytes(content)
    status, _, errors = run("import", format_, file)
    assert status == 2
    assert says in errors
    assert str(file) in errors
    assert not (tmp_path / "own.db").exists()


def test_a_comment_comes_in_without_the_fields_that_hold_something_else(run: Run, tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"user": None}, {"user": {"name": 5}}, {"user": "Ana"}, {"score": 10**30}, {"votes": [1]}, {"pid": 7},
        {"edit": "yesterday"}, {"title": None, "score": "1"},
    ]  # fmt: skip
    comments = [remark(str(number), **more) for number, more in enumerate(wrong)]
    status, output, _ = run("import", "remark42", backup(tmp_path / "b", comments))
    assert (status, f"{len(wrong)} imported" in output, "3 by Anonymous" in output) == (0, True, True)
    for field, records in (("user", "2, 3, 4"), ("score", "5, 9"), ("votes", "6"), ("pid", "7"), ("edit", "8")):
        assert f"the field {field} was not understood and is left out (record {records})" in output
    # Without these it would be another comment.
    worse: list[dict[str, Any]] = [
        {"text": 7}, {"delete": "no"}, {"locator": 7}, {"id": None}, {"time": 5}, {"time": "0000-00-00T00:00:00Z"},
    ]  # fmt: skip
    comments = [remark("good"), *(remark(f"x{number}") | more for number, more in enumerate(worse))]
    status, output, _ = run("import", "remark42", backup(tmp_path / "c", comments))
    assert (status, "1 imported" in output, "6 skipped" in output) == (0, True, True)
    assert "1: time is not a time (record 8)" in output
    for field in ("text", "delete", "locator", "id", "time"):
        assert f"at `$.{field}`" in output


def test_a_file_that_cannot_be_read_is_an_error(run: Run, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        status, _, errors = run("import", "jsonl", path)
        assert (status, str(path) in errors) == (2, True)
    assert not (tmp_path / "own.db").exists()


@pytest.mark.parametrize("content", [b"[]", b'{"comments": []}', b'{"version": 1, "users": [], "posts": []}\n'])
def test_an_understood_file_without_comments_makes_no_thread(run: Run, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b").write_bytes(content)
    assert run("import", "remark42", tmp_path / "b")[0] == 0
    assert asked(tmp_path / "own.db", "SELECT 1 FROM threads") == []


@pytest.mark.parametrize("form", ["packed", "marked", "windows", "blank", "packed twice", "indented"])
def test_a_file_is_read_as_others_write_it(run: Run, tmp_path: Path, form: str) -> None:
    text = "\n".join(map(json.dumps, [remark("1"), remark("2", "1")])).encode()
    contents = {
        "packed": gzip.compress(text, mtime=0),
        "marked": b"\xef\xbb\xbf" + text,
        "windows": text.replace(b"\n", b"\r\n") + b"\r\n",
        "blank": b"\n \n" + text.replace(b"\n", b"\n\n"),
        "packed twice": gzip.compress(text[:100], mtime=0) + gzip.compress(text[100:], mtime=0),
        "indented": b"\xef\xbb\xbf" + json.dumps([remark("1"), remark("2", "1")], indent="\t").encode(),
    }
    (tmp_path / "b").write_bytes(contents[form])
    status, output, _ = run("import", "remark42", tmp_path / "b")
    assert (status, "2 imported" in output) == (0, True)
    assert tree_of(tmp_path / "own.db") == {"1": None, "2": "1"}


def test_a_line_that_is_too_long_is_named_and_the_next_ones_come_in(run: Run, tmp_path: Path) -> None:
    file = lines(tmp_path / "x.jsonl", [one("1"), one("2", body_md="x" * (16 * 2**20)), one("3")])
    _, output, _ = run("import", "jsonl", file, "--verbose")
    assert "record 2: skipped: a line of more than 16 MiB" in output
    assert tree_of(tmp_path / "own.db") == {"1": None, "3": None}


# What a file says of its thread


def test_an_export_brings_the_thread_with_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"title": "T — “ü”", "url": "https://blog.example/a", "summary": "S\n2", "author": "Eve", "locked": True}
    file = lines(tmp_path / "x.jsonl", [{"thread": about}, one("1", author="Eve"), one("2", "1")])
    assert run("import", "jsonl", file, "--thread", "one")[0] == 0
    assert "2 comments" in run("export", "jsonl", tmp_path / "first", "--thread", "one")[1]
    head = json.loads((tmp_path / "first").read_text().splitlines()[0])
    assert head == {"thread": about}
    monkeypatch.setenv("LIVETHREAD_DATABASE", str(tmp_path / "second.db"))
    run("import", "jsonl", tmp_path / "first", "--thread", "other")
    run("export", "jsonl", tmp_path / "second", "--thread", "other")
    assert (tmp_path / "second").read_bytes() == (tmp_path / "first").read_bytes()
    found = asked(
        tmp_path / "second.db", "SELECT t.title, locked, a.name FROM threads t JOIN accounts a ON a.id = author"
    )
    assert found == [("T — “ü”", 1, "Eve")]


def test_what_is_known_of_a_thread_here_stands(run: Run, tmp_path: Path) -> None:
    run("import", "jsonl", lines(tmp_path / "1", [one("1")]), "--thread", "x", "--title", "Here")
    about = {"title": "There", "summary": "There", "locked": True}
    run("import", "jsonl", lines(tmp_path / "2", [{"thread": about}, one("2")]), "--thread", "x")
    found = asked(tmp_path / "own.db", "SELECT title, summary, locked FROM threads")
    assert found == [("Here", "There", 0)]


# A running owner


def test_an_import_reaches_a_running_server(tmp_path: Path, app: Server) -> None:
    comments = [remark(str(n), str(n - 1) if n else "", url=f"https://run.example/p{n % 3}") for n in range(1200)]
    file = backup(tmp_path / "b", comments[::-1])
    done = app.run("import", "remark42", str(file)).stdout
    assert "1,200 imported" in done
    assert "0 skipped" in done
