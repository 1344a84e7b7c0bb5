"""What becomes of the records of a file: each is in the database or named, with its answers, and people are who they
were."""

from __future__ import annotations

import collections
import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from server.importing import foreign_html, loading
from server.model import MAX_DEPTH
from server.storage.accounts import accounts
from server.storage.engine.database import Database
from tests.server.test_imports import asked, backup, lines, one, remark, tree_of
from tests.server.test_porting import bring, noted, skipped

# Its row, what searches find, and its author; what it answers and the counts above are asked for and kept for many.
STATEMENTS_OF_A_COMMENT = 6


async def test_a_comment_takes_few_statements(database: Database, tmp_path: Path) -> None:
    asked_for: list[str] = []
    await database.write(lambda write: write.sql.set_trace_callback(asked_for.append))
    file = lines(tmp_path / "x.jsonl", [one(str(number), "0" if number else None) for number in range(200)])
    report = await bring(database, "x", "jsonl", file)
    await database.write(lambda write: write.sql.set_trace_callback(None))
    assert report.imported == 200
    assert len(asked_for) < STATEMENTS_OF_A_COMMENT * 200, collections.Counter(asked_for).most_common(20)


# Answers


async def test_counts_are_those_of_the_tree_wherever_a_file_is_cut(database: Database, tmp_path: Path) -> None:
    """What answers what in one write of a hundred, in another, and in another import, is counted each time once."""
    records = [one("0", removed=True)]
    records += [one(f"{n}", f"{n // 3}", removed=n % 7 == 0, state="pending" if n % 11 == 0 else None)
                for n in range(1, 350)]  # fmt: skip
    for many in (130, 350, 350):
        await bring(database, "x", "jsonl", lines(tmp_path / "x.jsonl", records[:many]))
        with contextlib.closing(sqlite3.connect(database.path)) as sql:
            kept = sql.execute("SELECT id, parent, state, replies, below, version FROM comments ORDER BY id").fetchall()
            (count, head) = sql.execute("SELECT comments, version FROM threads").fetchone()
        assert len(kept) == many
        is_visible = {id_: state == "visible" for id_, _, state, *_ in kept}
        replies, below, newest = collections.Counter[int](), collections.Counter[int](), dict[int, int]()
        for id_, parent, *_, version in reversed(kept):
            newest[id_] = max(newest.get(id_, 0), version * is_visible[id_])
            if parent is not None:
                replies[parent] += is_visible[id_]
                below[parent] += below[id_] + is_visible[id_]
                newest[parent] = max(newest.get(parent, 0), newest[id_])
        assert {row[0]: row[3:5] for row in kept} == {row[0]: (replies[row[0]], below[row[0]]) for row in kept}
        assert count == sum(is_visible.values())
        # Its count of replies, or that it is drawn at all, shows differently: returning readers are told.
        assert all(version >= newest[id_] for id_, _, state, *_, version in kept if state == "removed")
        assert head == max(version for *_, version in kept)


async def test_answers_come_in_whatever_becomes_of_what_they_answer(database: Database, tmp_path: Path) -> None:
    file = lines(
        tmp_path / "x.jsonl",
        [
            one("answer", "late"),
            one("to nobody", "nowhere"),
            one("to one that cannot be read", "broken"),
            one("broken", created="then"),
            one("round", "about"),
            one("about", "round"),
            one("itself", "itself"),
            one("late", body_md="x" * 20_000),
            one("nameless", author="\u202e"),
            one("to the nameless", "nameless"),
            one("silent", body_md=" "),
            one("to the silent", "silent"),
            one("answer", body_md="Another of this id."),
        ],
    )
    report = await bring(database, "x", "jsonl", file)
    assert skipped(report).keys() == {4, 13}
    assert report.imported == 11
    assert tree_of(database.path) == {
        "answer": "late", "late": None, "to nobody": None, "to one that cannot be read": None, "round": None,
        "about": "round", "itself": None, "nameless": None, "to the nameless": "nameless", "silent": None,
        "to the silent": "silent",
    }  # fmt: skip
    assert asked(database.path, "SELECT body FROM comments WHERE source = 'jsonl:late'") == [("x" * 20_000,)]


async def test_what_is_too_deep_hangs_from_the_deepest(database: Database, tmp_path: Path) -> None:
    chain = [one(str(number), str(number - 1) if number else None) for number in range(MAX_DEPTH + 20)]
    report = await bring(database, "x", "jsonl", lines(tmp_path / "x.jsonl", chain[::-1]))
    assert (report.imported, len(noted(report))) == (MAX_DEPTH + 20, 20)
    tree = tree_of(database.path)
    assert all(tree[str(number)] == str(min(number - 1, MAX_DEPTH - 2)) for number in range(1, MAX_DEPTH + 20))
    assert asked(database.path, "SELECT max(depth), count(*) FROM comments") == [(MAX_DEPTH - 1, MAX_DEPTH + 20)]


async def test_again_heals_what_was_missing_and_leaves_what_is_here(database: Database, tmp_path: Path) -> None:
    first = [one("a"), one("b", "a"), one("c", "missing")]
    await bring(database, "x", "jsonl", lines(tmp_path / "1.jsonl", first))
    before = asked(database.path, "SELECT id, parent, body, version FROM comments")
    second = [one("missing"), one("d", "b"), one("a", body_md="Edited there."), *first[1:]]
    report = await bring(database, "x", "jsonl", lines(tmp_path / "2.jsonl", second))
    assert (report.imported, set(skipped(report).values())) == (2, {loading.BEFORE})
    after = asked(database.path, "SELECT id, parent, body, version FROM comments")
    assert [row[:3] for row in after[:3]] == [row[:3] for row in before]
    assert tree_of(database.path) == {"a": None, "b": "a", "c": None, "missing": None, "d": "b"}


async def test_long_and_costly_texts_are_kept_whole(database: Database, tmp_path: Path) -> None:
    texts = ["> " * 60_000 + "x", "*a _b " * 40_000, "[" * 150_000, "x\n" * 100_000]
    file = lines(tmp_path / "x.jsonl", [one(str(number), body_md=text) for number, text in enumerate(texts)])
    report = await bring(database, "x", "jsonl", file)
    assert (report.imported, skipped(report)) == (len(texts), {})
    kept = asked(database.path, "SELECT body, html FROM comments ORDER BY id")
    assert [body for body, _ in kept] == [text.strip() for text in texts]
    assert all(len(html) >= len(body) for body, html in kept)


# People


async def test_people_are_told_apart_by_their_ids_and_spellings(database: Database, tmp_path: Path) -> None:
    names = ["Arne", "Ame", "Arne", "Ana", "ana"]
    written = [one(str(number), author=name) for number, name in enumerate(names)]
    await bring(database, "x", "jsonl", lines(tmp_path / "x.jsonl", written))
    by = dict(asked(database.path, "SELECT source, a.name FROM comments c JOIN accounts a ON a.id = c.author"))
    assert by["jsonl:0"] == by["jsonl:2"] == "Arne"
    assert len(set(by.values())) == 4

    namesakes = [("u1", "Sam", "blog"), ("u2", "Sam", "blog"), ("u1", "Sam", "blog"), ("u1", "Sam", "shop"),
                 ("u1", "Samuel", "blog")]  # fmt: skip
    file = backup(
        tmp_path / "b",
        [
            remark(str(number), user={"id": id_, "name": name}, locator={"site": site, "url": "https://blog.example/a"})
            for number, (id_, name, site) in enumerate(namesakes)
        ],
    )
    for _ in range(2):
        await bring(database, "y", "remark42", file)
    found = asked(database.path, "SELECT author FROM comments WHERE source LIKE 'remark42:%' ORDER BY id")
    authors = [author for (author,) in found]
    assert authors[0] == authors[2] == authors[4]
    assert len(set(authors)) == 3
    assert len(asked(database.path, "SELECT 1 FROM accounts")) == 7


async def test_a_hundred_namesakes_are_a_hundred_people(database: Database, tmp_path: Path) -> None:
    file = backup(tmp_path / "b", [remark(str(n), user={"id": f"u{n}", "name": "Sam"}) for n in range(100)])
    report = await bring(database, "x", "remark42", file)
    assert (report.imported, report.anonymous) == (100, 0)
    assert asked(database.path, "SELECT count(DISTINCT author), count(*) FROM comments") == [(100, 100)]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("x" * 41, "x" * 40),
        ("ﬀ" * 30, "f" * 40),
        ("Boss\u3164", "Boss"),
        ("a/b", "a b"),
        ("a\u202eb", "ab"),
        ("\u200b", None),
        ("…", None),
        ("", None),
    ],
)
async def test_a_name_that_cannot_be_had_is_changed_or_anonymous(
    database: Database, tmp_path: Path, name: str, kept: str | None
) -> None:
    report = await bring(database, "x", "jsonl", lines(tmp_path / "x.jsonl", [one("1", author=name), one("2", "1")]))
    assert (report.imported, report.anonymous) == (2, int(kept is None))
    (found,) = asked(
        database.path, "SELECT a.name FROM comments c LEFT JOIN accounts a ON a.id = c.author WHERE source = 'jsonl:1'"
    )
    assert found == (kept,)


async def test_who_was_imported_before_people_were_known_is_the_same_person(database: Database, tmp_path: Path) -> None:
    await bring(database, "x", "jsonl", lines(tmp_path / "1.jsonl", [one("1")]))
    await database.write(lambda write: write.sql.execute("DELETE FROM people"))
    await bring(database, "x", "jsonl", lines(tmp_path / "2.jsonl", [one("2")]))
    assert asked(database.path, "SELECT count(DISTINCT author) FROM comments") == [(1,)]


async def test_a_person_is_forgotten_with_the_account_and_their_words_do_not_return(
    database: Database, tmp_path: Path
) -> None:
    file = lines(tmp_path / "x.jsonl", [one("1"), one("2", "1", author="Bo")])
    await bring(database, "x", "jsonl", file)
    ((ana,),) = asked(database.path, "SELECT account FROM people WHERE person LIKE '%Ana'")
    await database.write(lambda write: accounts.close(write, ana))
    assert asked(database.path, "SELECT person FROM people") == [("name Bo",)]
    before = asked(database.path, "SELECT * FROM comments"), asked(database.path, "SELECT * FROM accounts")
    assert (await bring(database, "x", "jsonl", file)).imported == 0
    assert (asked(database.path, "SELECT * FROM comments"), asked(database.path, "SELECT * FROM accounts")) == before


# Texts


async def test_the_markdown_of_remark42_is_what_an_edit_begins_with(database: Database, tmp_path: Path) -> None:
    html = '<p>Hi <b>you</b> <script>x</script><img src="https://x.example/a.png"></p>'
    comments = [remark("1", orig="Hi **you** @Ana", text=html), remark("2", orig="", text=html)]
    await bring(database, "x", "remark42", backup(tmp_path / "b", comments))
    for _ in range(2):
        kept = asked(database.path, "SELECT body, html, format FROM comments ORDER BY id")
        assert kept[0] == ("Hi **you** @Ana", kept[1][1], "markdown")
        assert kept[1][0] == html
        assert kept[1][1].startswith("<p>Hi <b>you</b>")
        assert kept[1][2] == "html"
        await bring(database, "x", "remark42", backup(tmp_path / "b", comments))


async def test_votes_of_remark42_are_told_apart_where_they_are_all_there(database: Database, tmp_path: Path) -> None:
    comments = [
        remark("1", votes={"a": True, "b": False, "c": True}, score=1),
        remark("2", votes={"a": True}, score=5),
        remark("3", score=-2),
    ]
    await bring(database, "x", "remark42", backup(tmp_path / "b", comments))
    assert asked(database.path, "SELECT base_up, base_down FROM comments ORDER BY id") == [(2, 1), (5, 0), (0, 2)]


async def test_what_foreign_html_embeds_is_a_link_and_nothing_is_nobodys_comment(
    database: Database, tmp_path: Path
) -> None:
    texts = [
        '<img src="https://x.example/a.png" alt="A &amp; B">', "<IFRAME SRC='https://x.example/v'></iframe>",
        '<img class="emoji" alt=":)" src="/e.png">', '<p>Hi<img class="avatar" src="https://x.example/me"></p>',
        '<img src="javascript:x" alt="No">', "<p></p><script>x</script>",
    ]  # fmt: skip
    comments = [remark(str(number), text=text) for number, text in enumerate(texts)]
    report = await bring(database, "x", "remark42", backup(tmp_path / "b", [*comments, remark("answer", "5")]))
    html = [html for (html,) in asked(database.path, "SELECT html FROM comments ORDER BY id")]
    assert 'href="https://x.example/a.png"' in html[0]
    assert ">A &amp; B</a>" in html[0]
    assert ">https://x.example/v</a>" in html[1]
    assert html[2:4] == [":)", "<p>Hi</p>"]
    assert "javascript" not in html[4]
    assert ">No</a>" in html[4]
    assert noted(report) == {7: loading.NO_TEXT}
    assert asked(database.path, "SELECT state FROM comments WHERE source = 'remark42:5'") == [("deleted",)]
    assert tree_of(database.path)["answer"] == "5"


NESTS = ["<ul><li></x>", "<div><table></div></table>", '<div title="</div>">', "<a><i>", "<dd><li>", '<ul "><p>">']


@pytest.mark.parametrize("piece", NESTS)
def test_no_html_costs_more_than_its_length(piece: str) -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        assert "words" in foreign_html.safe(piece * times + "words")
        return time.process_time() - began

    usual = seconds(2_000)
    assert seconds(60_000) < 90 * max(usual, 0.01)
