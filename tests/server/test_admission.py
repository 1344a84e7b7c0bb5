"""Handshakes: never more than the rate in any window, and never all of them for one address."""

from __future__ import annotations

import random

from server.rate_limits import Admission
from server.settings.values import Rate


def test_one_address_that_tries_without_end_leaves_room_for_all_others() -> None:
    chance, now = random.Random(4), 0.0
    admission = Admission(Rate(500, 1), clock=lambda: now)
    refused = admitted = 0
    window: list[float] = []
    for _ in range(20_000):
        now += 1 / 2_000
        if chance.random() < 0.05:
            # About a hundred a second, each from somewhere else.
            is_in = admission.admits(f"honest {chance.random()}")
            refused += not is_in
        else:
            is_in = admission.admits("greedy")
            admitted += is_in
        window = [at for at in window if now - at < 1] + [now] * is_in
        assert len(window) <= 500
    # In a window that fluctuates, nearly all; by the order of arrival it would be nineteen of twenty.
    assert refused < 50
    assert admitted > 10 * 300


def test_an_address_that_comes_alone_gets_most_of_the_rate_and_two_get_as_much_each() -> None:
    now = 0.0
    admission = Admission(Rate(90, 1), clock=lambda: now)
    assert sum(admission.admits("one") for _ in range(1_000)) == 80
    now = 2.0
    both = [(admission.admits("one"), admission.admits("other")) for _ in range(1_000)]
    assert min(sum(one for one, _ in both), sum(other for _, other in both)) >= 40


def test_those_who_come_back_from_everywhere_get_the_whole_rate() -> None:
    admission = Admission(Rate(500, 1), clock=lambda: 0.0)
    assert sum(admission.admits(str(number)) for number in range(1_000)) == 500
    assert Admission(None).admits("anybody")


def test_what_is_remembered_of_addresses_goes_with_the_window() -> None:
    now = 0.0
    admission = Admission(Rate(500, 1), clock=lambda: now)
    for number in range(5_000):
        now += 0.01
        admission.admits(str(number))
    assert len(admission._lately) <= 101


def test_one_address_is_here_at_most_so_often_at_the_same_time() -> None:
    admission = Admission(most=2)
    assert admission.asks_for_addresses
    admission.enter("a")
    assert not admission.is_full_of("a")
    admission.enter("a")
    assert admission.is_full_of("a")
    assert not admission.is_full_of("b")
    admission.leave("a")
    assert not admission.is_full_of("a")
    admission.leave("a")
    # Nothing is remembered of who has left.
    assert admission._here == {}


def test_without_a_rate_and_a_bound_everybody_is_let_in() -> None:
    admission = Admission()
    assert not admission.asks_for_addresses
    for _ in range(1_000):
        assert admission.admits("a")
        admission.enter("a")
    assert not admission.is_full_of("a")
    admission.leave("a")
