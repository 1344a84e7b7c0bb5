"""Rankings: bounded by bytes, kept by use, the same while nothing moves, and made again where that can be done."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.errors import Invalid
from server.model import Thread
from server.storage.engine.schema import migrate, open_connection
from server.storage.threads import orders
from server.storage.threads.orders import Ranking, Rankings

THREADS = 40
ROOTS = 50


@pytest.fixture
def sql(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "test.db"
    connection = open_connection(path)
    migrate(connection, path)
    connection.execute("BEGIN")
    for thread in range(1, THREADS + 1):
        connection.execute("INSERT INTO threads (key, created, active) VALUES (?, 0, 0)", (f"t{thread}",))
        for number in range(ROOTS):
            connection.execute(
                "INSERT INTO comments (id, thread, depth, state, shown, body, html, up, created, version)"
                " VALUES (?, ?, 0, 'visible', 1, '', '', ?, 0, 1)",
                (thread * 1000 + number, thread, number % 7),
            )
    connection.execute("COMMIT")
    yield connection
    connection.close()


def thread(id_: int, version: int = 1) -> Thread:
    return Thread(f"t{id_}", id_, version=version, comments=ROOTS)


def vote(sql: sqlite3.Connection, comment: int) -> None:
    sql.execute("UPDATE comments SET up = up + 100 WHERE id = ?", (comment,))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at a thread that has moved ranks it again."""
    monkeypatch.setattr(orders, "RANKING_SECONDS", 0)


def test_a_place_is_found_for_every_root_and_for_no_other(sql: sqlite3.Connection) -> None:
    ranking = Rankings().present(sql, thread(3))
    assert len(ranking.roots) == ROOTS
    assert [ranking.place(root) for root in ranking.roots] == list(range(ROOTS))
    assert [ranking.place(root) for root in (0, 2999, 3050, 2**53)] == [None] * 4


def test_a_ranking_reads_no_row_of_a_comment(sql: sqlite3.Connection) -> None:
    asked: list[str] = []
    sql.set_trace_callback(asked.append)
    Rankings().present(sql, thread(3))
    sql.set_trace_callback(None)
    plans = [step[3] for one in asked for step in sql.execute(f"EXPLAIN QUERY PLAN {one}")]
    assert plans == ["SEARCH comments USING COVERING INDEX comments_ranked (thread=? AND parent=?)"]


def test_rankings_of_any_number_of_threads_hold_no_more_than_so_many_bytes(
    sql: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rankings = Rankings()
    a_ranking = rankings.present(sql, thread(1)).held_bytes
    monkeypatch.setattr(orders, "RANKINGS_BYTES", 10 * a_ranking)
    for id_ in range(1, THREADS + 1):
        rankings.present(sql, thread(id_))
        assert rankings.held_bytes <= 10 * a_ranking
    assert rankings.held_bytes == 10 * a_ranking


@pytest.mark.usefixtures("at_once")
def test_who_goes_on_reading_keeps_a_ranking_while_others_come_and_go(
    sql: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rankings = Rankings()
    mine = rankings.present(sql, thread(1))
    monkeypatch.setattr(orders, "RANKINGS_BYTES", 3 * mine.held_bytes)
    for id_ in range(2, THREADS):
        rankings.present(sql, thread(id_))
        assert rankings.named(sql, thread(1, version=99), mine.name) is mine


@pytest.mark.usefixtures("at_once")
def test_a_ranking_is_the_same_while_the_order_of_the_roots_does_not_move(sql: sqlite3.Connection) -> None:
    rankings = Rankings()
    first = rankings.present(sql, thread(1))
    assert rankings.present(sql, thread(1)) is first
    # A reply moves the thread's version, not its ranking.
    assert rankings.present(sql, thread(1, version=2)) is first
    vote(sql, 1001)
    moved = rankings.present(sql, thread(1, version=3))
    assert moved.roots[0] == 1001 != first.roots[0]
    assert rankings.named(sql, thread(1, version=3), first.name) is first
    assert rankings.held_bytes == 2 * first.held_bytes


def test_a_forgotten_ranking_is_made_again_as_it_was_while_the_thread_has_not_moved(sql: sqlite3.Connection) -> None:
    before = Rankings().present(sql, thread(1, version=5))
    again = Rankings().named(sql, thread(1, version=5), before.name)
    assert again.roots == before.roots
    with pytest.raises(Invalid) as refused:
        Rankings().named(sql, thread(1, version=6), before.name)
    assert refused.value.code == "ranking_forgotten"


@pytest.mark.parametrize(
    "name", ["", "-", "1-", "1-4", "2-5", "10-5", "1-5-5", "nonsense", "None-0", "1-" + "9" * 5000]
)
def test_a_name_that_no_page_gave_is_refused_and_makes_nothing(sql: sqlite3.Connection, name: str) -> None:
    rankings = Rankings()
    rankings.present(sql, thread(2, version=5))
    held = rankings.held_bytes
    with pytest.raises(Invalid):
        rankings.named(sql, thread(1, version=5), name)
    assert rankings.held_bytes == held


def test_a_thread_that_nobody_used_has_no_ranking_to_keep(sql: sqlite3.Connection) -> None:
    rankings = Rankings()
    for number in range(100):
        assert not rankings.present(sql, Thread(f"unused-{number}")).roots
    assert rankings.held_bytes == 0


def test_a_root_costs_eight_bytes() -> None:
    made = Ranking("1-1", array("q", range(10_000)))
    assert made.held_bytes < 10_000 * 9
