"""Imports: every record is counted, the tree is the file's, and again adds nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from server.actions.edit import edit_comment
from server.actions.moderate import set_state
from server.actions.post import Post, post_comment
from server.actions.sign_in import create_account
from server.errors import CannotStart
from server.importing.authors import ANONYMOUS
from server.importing.formats import jsonl, remark42
from server.importing.import_command import FORMATS, import_records
from server.importing.loading import NO_PARENT, NO_TEXT
from server.importing.record import Record
from server.importing.report import Report
from server.model import Role
from server.operator_commands import Desk
from server.rate_limits import Limits
from server.settings import read
from server.storage.comments import votes
from server.storage.engine.database import Database
from server.storage.import_export import export
from server.storage.threads import paging
from server.storage.threads.orders import Rankings
from tests.moderator import moderator
from tests.processes import ROOT

SETTINGS = read({"LIVETHREAD_SECRET": "a-secret-of-the-tests", "LIVETHREAD_LIMITS": "off"})
FIXTURES = ROOT.parent / "shared" / "fixtures"
LINES: list[dict[str, Any] | str] = [
    {
        "id": "a",
        "parent": None,
        "author": "Ana",
        "created": 1_700_000_000,
        "edited": True,
        "score": 5,
        "body_md": "One",
    },
    {"id": "b", "parent": "a", "author": None, "created": 1_700_000_001, "score": -2, "body_md": "*Two*"},
    {"id": "c", "parent": "b", "author": None, "created": 1_700_000_002, "removed": True, "body_md": "secret"},
    {"id": "d", "parent": "c", "author": "Ana", "created": 1_700_000_003, "body_md": "Three"},
    {"id": "e", "parent": None, "author": "Bo", "created": 1_700_000_004, "removed": True, "body_md": "gone"},
    {"id": "f", "parent": "nowhere", "author": "Bo", "created": 1_700_000_005, "body_md": "Orphan"},
    {"id": "g", "author": "\u202e", "created": 1_700_000_006, "body_md": "Nameless"},
    {"id": "h", "author": "Bo", "created": "yesterday", "body_md": "When"},
    {"id": "i", "author": "Bo", "created": 1_700_000_007, "body_md": "  "},
    {"id": "j", "author": "Bo", "created": 1_700_000_008, "body_md": "x" * 10_001},
    "{not json",
]


def write(path: Path, lines: list[dict[str, Any] | str]) -> Path:
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return path


async def bring(database: Database, key: str, origin: str, path: Path, *, is_ours: bool = False) -> Report:
    """Import a file into the thread `key`; `told` of the report are the lines that --verbose prints."""
    told: list[str] = []
    report = await import_records(
        Desk(database, SETTINGS), key, origin, FORMATS[origin](path), lambda done: None, is_ours=is_ours,
        tell=told.append,
    )  # fmt: skip
    report.__dict__["told"] = told
    return report


def skipped(report: Report) -> dict[int, str]:
    """Return why which records were skipped."""
    lines = [line.split(": ", 2) for line in report.__dict__["told"]]
    return {int(where.split()[1]): why for where, what, why in lines if what == "skipped"}


def noted(report: Report) -> dict[int, str]:
    lines = [line.split(": ", 2) for line in report.__dict__["told"]]
    return {int(where.split()[1]): why for where, what, why in lines if what == "imported"}


async def every_comment(database: Database, key: str) -> list[Any]:
    comments: list[Any] = []
    cursor = ""
    while True:
        page = await database.read(partial(paging.page, key=key, cursor=cursor, limit=200))
        comments += page.comments
        if not page.next:
            return comments
        cursor = page.next


async def test_every_record_of_a_jsonl_file_is_imported_or_skipped_with_its_reason(
    database: Database, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.jsonl", LINES)
    report = await bring(database, "x", "jsonl", path)
    assert (report.imported, report.tombstones, report.anonymous) == (9, 3, 2)
    assert list(skipped(report)) == [8, 11]
    assert noted(report) == {6: NO_PARENT, 7: ANONYMOUS, 9: NO_TEXT}
    drawn = await every_comment(database, "x")
    assert [(one.state, one.author and one.author.name, one.score) for one in drawn] == [
        ("visible", "Ana", 5), ("visible", None, -2), ("removed", None, 0), ("visible", "Ana", 0),
        ("visible", "Bo", 0), ("visible", None, 0), ("visible", "Bo", 0),
    ]  # fmt: skip
    assert drawn[0].created == "2023-11-14T22:13:20.000Z"
    assert drawn[0].edited is not None
    stored = await database.read(lambda sql: sql.execute("SELECT group_concat(body) FROM comments").fetchone()[0])
    assert "secret" not in stored
    assert "x" * 10_001 in stored
    again = await bring(database, "x", "jsonl", path)
    assert again.imported == 0
    assert again.skipped.total() == len(LINES)


async def test_remark42_is_read_in_its_three_forms(database: Database, tmp_path: Path) -> None:
    def comment(id_: str, pid: str = "") -> dict[str, Any]:
        return {
            "id": id_, "pid": pid, "text": f"<p>{id_} <script>x</script><b>bold</b></p>", "user": {"name": "Ana"},
            "score": 1, "time": f"2020-01-01T00:00:0{id_}Z", "locator": {"url": "https://example.org"},
        }  # fmt: skip

    flat = [comment("2", "1"), comment("1")]
    tree = {"comments": [{"comment": comment("1"), "replies": [{"comment": comment("2", "1")}]}]}
    forms = {
        "flat": json.dumps(flat),
        "tree": json.dumps(tree),
        "backup": "\n".join([json.dumps({"version": 1, "users": [], "posts": []}), *map(json.dumps, flat)]),
    }
    for name, text in forms.items():
        path = tmp_path / name
        path.write_text(text)
        report = await bring(database, name, "remark42", path)
        assert (report.imported, skipped(report)) == (2, {})
        first, second = await every_comment(database, name)
        assert (first.html, second.parent) == ("<p>1 <b>bold</b></p>", first.id)


@pytest.mark.skipif(not FIXTURES.exists(), reason="the real discussions are not beside this checkout")
async def test_a_real_thread_is_imported_whole_and_its_tree_is_the_files(database: Database) -> None:
    path = FIXTURES / "threads" / "thread-1428.jsonl"
    records = [one for one in jsonl.read(path) if isinstance(one, Record)]
    report = await bring(database, "real", "jsonl", path)
    assert (report.imported, skipped(report)) == (1428, {})
    drawn = await every_comment(database, "real")
    assert len(drawn) == 1426
    sources = dict(await database.read(lambda sql: sql.execute("SELECT id, source FROM comments").fetchall()))
    tree = {sources[one.id]: sources.get(one.parent) for one in drawn}
    in_file = {f"jsonl:{one.id}": f"jsonl:{one.parent}" if one.parent else None for one in records}
    assert tree == {id_: parent for id_, parent in in_file.items() if id_ in tree}
    scores = {f"jsonl:{one.id}": one.score for one in records}
    assert all(one.score == scores[sources[one.id]] for one in drawn)

    report = await bring(database, "bench", "remark42", FIXTURES / "remark42" / "tree_bench.json")
    assert (report.imported, skipped(report), noted(report)) == (58, {}, {})


async def test_an_export_read_into_an_empty_database_is_equal_and_exported_again_the_same_bytes(
    database: Database, tmp_path: Path
) -> None:
    real = FIXTURES / "threads" / "thread-1428.jsonl"
    file = real if real.exists() else write(tmp_path / "x.jsonl", LINES)
    await bring(database, "one", "jsonl", file)
    account = await create_account(database, "Ana Own", None, "reader")
    assert account is not None
    post = Post("one", "Written *here*", "n" * 20, None, "")
    own, _ = await post_comment(database, Limits(is_on=False), SETTINGS, account, post)
    await edit_comment(database, Limits(is_on=False), SETTINGS, account, own.id, "Edited *here*", 1)
    await edit_comment(database, Limits(is_on=False), SETTINGS, account, own.id, "Edited *twice*", 2)
    imported = [one for one in await every_comment(database, "one") if one.state == "visible"][:2]
    await set_state(database, await moderator(database), imported[0].id, "removed")
    await database.write(lambda write: votes.put(write, own.id, account.id, 1))
    await database.write(lambda write: votes.fold(write, 1))
    first = b"".join(jsonl.write(export.comments(database.path, "one")))
    (tmp_path / "first.jsonl").write_bytes(first)
    async with Database.opened(tmp_path / "second.db") as second:
        assert skipped(await bring(second, "one", "jsonl", tmp_path / "first.jsonl")) == {}
        assert b"".join(jsonl.write(export.comments(second.path, "one"))) == first

        def shown(comments: list[Any]) -> list[Any]:
            return [
                (one.state, one.author, one.html, one.created, one.edited, one.score, one.replies, one.revision)
                for one in comments
            ]

        assert shown(await every_comment(second, "one")) == shown(await every_comment(database, "one"))

        def texts(sql: Any) -> list[Any]:
            return list(sql.execute("SELECT revision, body, html, replaced, format FROM revisions ORDER BY 1"))

        earlier = await second.read(texts)
        assert [(revision, body) for revision, body, *_ in earlier] == [(1, "Written *here*"), (2, "Edited *here*")]
        assert earlier == await database.read(texts)


@pytest.mark.parametrize(
    "earlier",
    [
        [{"revision": 2, "body_md": "x", "replaced": 1}],
        [{"revision": 1, "body_md": "x", "replaced": "then"}],
        [{"revision": 1, "body_md": "x", "replaced": -1}],
        [{"revision": 1, "body_md": "x", "replaced": 1}, {"revision": 1, "body_md": "y", "replaced": 2}],
        [{"revision": 1, "body_md": "x" * 1_000_001, "replaced": 1}],
        ["x"],
    ],
    ids=lambda earlier: str(earlier)[:60],
)
async def test_earlier_texts_that_do_not_fit_skip_their_record(
    database: Database, tmp_path: Path, earlier: list[Any]
) -> None:
    line = {"id": "a", "created": 1, "revision": 2, "body_md": "One", "earlier": earlier}
    report = await bring(database, "x", "jsonl", write(tmp_path / "x.jsonl", [line]))
    assert (report.imported, list(skipped(report))) == (0, [1])


@pytest.mark.parametrize("odd", [{"score": 2**70}, {"up": -5}, {"down": 2**63}, {"revision": 2**63}], ids=str)
async def test_a_number_that_cannot_be_kept_skips_its_record_and_no_other(
    database: Database, tmp_path: Path, odd: dict[str, int]
) -> None:
    path = tmp_path / "odd.jsonl"
    line = {"created": 1_700_000_000, "author": "Ana", "body_md": "x"}
    lines = [line | {"id": "1"}, line | {"id": "2"} | odd, line | {"id": "3"}]
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    outcome = await bring(database, "t", "jsonl", path)
    page = await database.read(lambda sql: paging.page(sql, "t", "", 10, "top", Rankings()))
    assert len(page.comments) == 2, outcome


def test_bytes_that_are_no_text_are_skipped_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(b'{"id": "\xff"}\n')
    for form in (jsonl, remark42):
        assert all(isinstance(one, Record) and one.skip for one in form.read(path))


@pytest.mark.parametrize("role", ["reader", "staff"])
async def test_a_file_speaks_in_nobodys_name_who_is_here_unless_it_is_ours(
    database: Database, tmp_path: Path, role: Role
) -> None:
    lines: list[dict[str, Any] | str] = [
        {"id": "1", "author": "Admin", "created": 1, "body_md": "I resign"},
        {"id": "2", "author": "ADMlN", "created": 2, "body_md": "I too"},
        {"id": "3", "author": "Cy", "created": 3, "body_md": "Really?"},
    ]
    path = write(tmp_path / "x.jsonl", lines)
    admin = await create_account(database, "Admin", "a hash", role)
    assert admin is not None
    for _ in range(2):
        report = await bring(database, "theirs", "jsonl", path)
    assert len(skipped(report)) == 3
    said = [(one.author.name, one.author.badge) for one in await every_comment(database, "theirs")]
    assert said == [("Admin (imported)", None), ("ADMlN (imported 2)", None), ("Cy", None)]

    session = await Desk(database, SETTINGS).ask("commenter", {"name": "Admin"})
    assert session["name"] == "Admin (imported)"

    await bring(database, "ours", "jsonl", path, is_ours=True)
    badge = "staff" if role == "staff" else None
    said = [(one.author.name, one.author.badge) for one in await every_comment(database, "ours")]
    # One only looks like the name of somebody here.
    assert said == [("Admin", badge), ("ADMlN (imported 2)", None), ("Cy", None)]


async def test_whose_name_is_taken_in_many_forms_has_another(database: Database, tmp_path: Path) -> None:
    for taken in ("Admin", "Admin (imported)", "Admin (imported 2)"):
        await create_account(database, taken, "a hash", "reader")
    line: dict[str, Any] = {"id": "1", "author": "Admin", "created": 1, "body_md": "I resign"}
    await bring(database, "x", "jsonl", write(tmp_path / "x.jsonl", [line]))
    assert [one.author.name for one in await every_comment(database, "x")] == ["Admin (imported 3)"]


def test_a_database_that_does_not_exist_is_said_not_to(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"none.db does not exist"):
        next(export.comments(tmp_path / "none.db", "one"))
