"""Of a file of any format every record is kept or named, no answer goes with its parent, and twice is once."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.storage.engine.database import Database
from tests.server.test_imports import asked, lines, one, remark, tree_of
from tests.server.test_porting import bring, skipped

Fields = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """How a format writes a record, and a file of them; the fields that say its id and what it answers."""

    record: Callable[[str, str], Fields]
    file: Callable[[list[Fields]], str]
    id: str
    parent: str
    odd: st.SearchStrategy[Any]


def of_disqus(id_: str, parent: str) -> Fields:
    return {"#id": id_, "#parent": parent, "message": f"Says {id_}", "createdAt": "2013-10-11T06:51:33Z", "name": "Ana",
            "isDeleted": "false", "isApproved": "true"}  # fmt: skip


def disqus(records: list[Fields]) -> str:
    def post(record: Fields) -> str:
        plain = "".join(f"<{n}>{escape(v)}</{n}>" for n, v in record.items() if n[0] != "#" and n != "name")
        author = f"<author><name>{escape(record['name'])}</name></author>" if "name" in record else ""
        above = f'<parent d:id="{escape(record["#parent"])}"/>' if record.get("#parent") else ""
        own = f' d:id="{escape(record["#id"])}"' if "#id" in record else ""
        return f'<post{own}>{plain}{author}{above}<thread d:id="1"/></post>'

    return f'<disqus xmlns="http://disqus.com" xmlns:d="x">{"".join(map(post, records))}</disqus>'


def of_wordpress(id_: str, parent: str) -> Fields:
    return {"comment_id": id_, "comment_parent": parent or "0", "comment_content": f"Says {id_}",
            "comment_author": "Ana",
            "comment_date_gmt": "2020-01-01 00:00:00",
            "comment_approved": "1", "comment_user_id": "5"}  # fmt: skip


def wordpress(records: list[Fields]) -> str:
    found = "".join(
        f"<wp:comment>{''.join(f'<wp:{n}>{escape(v)}</wp:{n}>' for n, v in one.items())}</wp:comment>"
        for one in records
    )
    return f'<rss xmlns:wp="https://x"><channel><item><wp:post_id>1</wp:post_id>{found}</item></channel></rss>'


def of_commento(id_: str, parent: str) -> Fields:
    return {"commentHex": id_, "parentHex": parent or "root", "domain": "x.example", "url": "/a", "commenterHex": "u",
            "markdown": f"Says {id_}", "score": 1, "state": "approved",
            "creationDate": "2021-03-12T11:21:56Z"}  # fmt: skip


def of_discourse(id_: str, parent: str) -> Fields:
    return {"post_number": int(id_), "reply_to_post_number": int(parent) if parent else None, "username": "ana",
            "created_at": "2013-02-04T15:26:32Z", "cooked": f"<p>Says {id_}</p>", "post_type": 1}  # fmt: skip


def of_artalk(id_: str, parent: str) -> Fields:
    return {"id": id_, "rid": parent or "0", "content": f"Says {id_}", "nick": "Ana", "page_key": "/a",
            "created_at": "2022-04-29 14:44:04", "vote_up": "1"}  # fmt: skip


def in_lines(records: list[Fields]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)
anything = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts, st.lists(st.none(), max_size=1))
FORMS = {
    "jsonl": Form(lambda id_, parent: one(id_, parent or None), in_lines, "id", "parent", anything),
    "remark42": Form(remark, in_lines, "id", "pid", anything),
    "disqus": Form(of_disqus, disqus, "#id", "#parent", texts.filter(lambda text: '"' not in text)),
    "wordpress": Form(of_wordpress, wordpress, "comment_id", "comment_parent", texts),
    "commento": Form(
        of_commento,
        lambda found: json.dumps({"comments": found, "commenters": [{"commenterHex": "u", "name": "Ana"}]}),
        "commentHex", "parentHex", anything,
    ),
    "discourse": Form(
        of_discourse, lambda found: json.dumps({"id": 1, "title": "T", "post_stream": {"posts": found}}),
        "post_number", "reply_to_post_number", anything,
    ),
    "artalk": Form(of_artalk, json.dumps, "id", "rid", anything),
}  # fmt: skip
TABLES = ("comments", "accounts", "people", "threads")
# Answers within one page are what this is about.
PAGES = {"locator", "url", "domain", "page_key"}
numbers = itertools.count()
ids = st.sampled_from(["1", "2", "3", "4", "5", "6", "7"])


@st.composite
def files(draw: st.DrawFn, form: Form) -> list[Fields]:
    """Records in any order, of which any may lack a field, or have it of another type."""
    found = draw(st.lists(st.tuples(ids, st.just("") | ids), min_size=1, max_size=12))
    records = [form.record(*named) for named in found]
    for record in records:
        if draw(st.integers(0, 2)) == 0:
            field = draw(st.sampled_from(sorted(record.keys() - PAGES)))
            if draw(st.booleans()):
                del record[field]
            else:
                record[field] = draw(form.odd)
    return records


@pytest.mark.parametrize("format_", sorted(FORMS))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_every_record_is_kept_or_named_and_twice_is_once(
    database: Database, tmp_path: Path, format_: str, data: st.DataObject
) -> None:
    form = FORMS[format_]
    records = data.draw(files(form))
    key = f"{format_}-{next(numbers)}"
    file = tmp_path / key
    file.write_text(form.file(records), encoding="utf-8")
    report = await bring(database, key, format_, file)
    named = skipped(report)
    kept = {number: record for number, record in enumerate(records, start=1) if number not in named}
    tree = tree_of(database.path, key)
    assert report.imported == len(kept) == len(tree)
    assert set(tree) == {str(record[form.id]).strip() for record in kept.values()}
    above = {str(record[form.id]).strip(): record.get(form.parent) for record in kept.values()}
    for own, parent in above.items():
        # No answer is lost, and it hangs from what it answers where that is there.
        if tree[own] is None:
            assert parent in (None, False, 0, "0", "") or str(parent).strip() not in tree or _is_round(above, own)
        else:
            assert tree[own] == str(parent).strip()
    before = [asked(database.path, f"SELECT * FROM {table}") for table in TABLES]
    assert (await bring(database, key, format_, file)).imported == 0
    assert [asked(database.path, f"SELECT * FROM {table}") for table in TABLES] == before


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 80), st.randoms(use_true_random=False))
async def test_a_branch_of_any_depth_comes_in_whole_in_any_order(
    database: Database, tmp_path: Path, depth: int, random: Any
) -> None:
    records = [one(str(number), str(number - 1) if number else None) for number in range(depth)]
    random.shuffle(records)
    key = f"deep-{next(numbers)}"
    report = await bring(database, key, "jsonl", lines(tmp_path / key, records))
    assert report.imported == len(tree_of(database.path, key)) == depth


def _is_round(above: dict[str, Any], own: str) -> bool:
    """Say whether, by the file, the comment hangs below itself."""
    at, seen = own, set[str]()
    while at in above and at not in seen:
        seen.add(at)
        at = str(above[at]).strip()
    return at == own
