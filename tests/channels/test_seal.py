"""What is taken from Redis: what was sealed with a secret of ours, and, where it is no change, only what is new."""

from __future__ import annotations

import random

import msgspec
import pytest

from channels.brokers.authentication import FRESH_SECONDS, MAX_BYTES, SENDERS_KEPT, Forged, Replayed, Seal
from channels.messages import MAX_VERSION, Change, Comment, Message, PollNow, Typing

SECRET, OTHER = "the first secret of ours", "another secret of ours"
CHANNEL = b"p:site:thread:t"
CHANGE = Change(thread="t", epoch="e", after=4, version=5, comments=(Comment(id=1, version=5, html="<p>Hello</p>"),))
TYPING = Typing(thread="t", parent=7, names=("Ana",))


@pytest.mark.parametrize("message", [CHANGE, TYPING, PollNow()], ids=["change", "typing", "ring"])
def test_what_is_sealed_is_opened_by_the_same_secret(message: Message) -> None:
    assert Seal(SECRET).open(CHANNEL, Seal(SECRET).close(CHANNEL, message)) == message


def test_while_secrets_change_either_is_opened_and_no_third() -> None:
    before, between, after = Seal(OTHER, SECRET), Seal(SECRET, OTHER), Seal(SECRET)
    for sender, hearer in ((before, between), (between, before), (between, after), (after, before)):
        assert hearer.open(CHANNEL, sender.close(CHANNEL, CHANGE)) == CHANGE
    with pytest.raises(Forged):
        after.open(CHANNEL, before.close(CHANNEL, CHANGE))


@pytest.mark.parametrize("seed", range(20))
def test_a_message_of_which_anything_was_altered_is_refused(seed: int) -> None:
    chance = random.Random(seed)
    sealed, hearer = Seal(SECRET).close(CHANNEL, CHANGE), Seal(SECRET)
    for _ in range(200):
        place = chance.randrange(len(sealed))
        altered = bytearray(sealed)
        fate = chance.randrange(3)
        if fate == 0:
            altered[place] ^= 1 << chance.randrange(8)
        elif fate == 1:
            del altered[place : place + chance.randrange(1, 50)]
        else:
            altered[place:place] = chance.randbytes(chance.randrange(1, 50))
        with pytest.raises(Forged):
            hearer.open(CHANNEL, bytes(altered))


def test_a_message_on_another_channel_than_its_own_is_refused() -> None:
    sealed = Seal(SECRET).close(CHANNEL, CHANGE)
    for channel in (b"p:site:thread:u", b"p:other:thread:t", b"p:site:ring", CHANNEL + b"[", b""):
        with pytest.raises(Forged):
            Seal(SECRET).open(channel, sealed)


@pytest.mark.parametrize(
    "message",
    [
        msgspec.structs.replace(CHANGE, version=2**53),
        msgspec.structs.replace(CHANGE, after=-1),
        msgspec.structs.replace(CHANGE, after=6),
        msgspec.structs.replace(CHANGE, comments=(Comment(id=1, version=MAX_VERSION),)),
        msgspec.structs.replace(CHANGE, thread="t" * 201),
        msgspec.structs.replace(CHANGE, thread=""),
        msgspec.structs.replace(CHANGE, epoch="e" * MAX_BYTES),
        msgspec.structs.replace(TYPING, names=("Ana",) * 6),
        msgspec.structs.replace(TYPING, names=("A" * 101,)),
    ],
)
def test_what_makes_no_sense_is_refused_even_where_the_seal_is_right(message: Message) -> None:
    with pytest.raises(Forged):
        Seal(SECRET).open(CHANNEL, Seal(SECRET).close(CHANNEL, message))


@pytest.mark.parametrize("message", [TYPING, PollNow()], ids=["typing", "ring"])
def test_what_changes_nothing_lasting_is_taken_once_and_only_while_it_is_new(message: Message) -> None:
    now = 1_000_000.0
    sender, hearer = Seal(SECRET, clock=lambda: now), Seal(SECRET, clock=lambda: now)
    first, second = sender.close(CHANNEL, message), sender.close(CHANNEL, message)
    hearer.open(CHANNEL, first)
    for old in (first, first):
        with pytest.raises(Replayed):
            hearer.open(CHANNEL, old)
    hearer.open(CHANNEL, second)
    late = sender.close(CHANNEL, message)
    now += FRESH_SECONDS + 1
    with pytest.raises(Replayed):
        hearer.open(CHANNEL, late)


def test_a_change_is_taken_whatever_the_clocks_say_and_again_after_a_gap() -> None:
    sender, hearer = Seal(SECRET, clock=lambda: 0.0), Seal(SECRET)
    sealed = sender.close(CHANNEL, CHANGE)
    assert hearer.open(CHANNEL, sealed) == hearer.open(CHANNEL, sealed) == CHANGE


def test_of_any_number_of_senders_only_so_many_are_remembered() -> None:
    hearer = Seal(SECRET)
    for _ in range(2 * SENDERS_KEPT):
        hearer.open(CHANNEL, Seal(SECRET).close(CHANNEL, PollNow()))
    assert len(hearer._heard) == SENDERS_KEPT
