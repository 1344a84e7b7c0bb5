"""RFC 6455, rule by rule, on bytes alone: what a client's frames mean, and which of them end the connection."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as some
from websockets.frames import Frame, Opcode

from channels.sockets.frames import BINARY, CLOSE, PING, PONG, TEXT, Limits, Parser, Violation, close_frame


def client(opcode: int, content: bytes = b"", *, fin: bool = True, mask: bool = True, rsv1: bool = False) -> bytes:
    """A frame as the websockets library writes it."""
    frame = Frame(Opcode(opcode), content, fin=fin).serialize(mask=mask)
    return bytes((frame[0] | 0x40, *frame[1:])) if rsv1 else frame


def read(
    data: bytes, limits: Limits | None = None, *, at_once: int = 1 << 20, is_deflating: bool = False
) -> list[tuple[int, object]]:
    parser = Parser(limits or Limits(), is_deflating=is_deflating)
    return [one for start in range(0, len(data), at_once) for one in parser.feed(data[start : start + at_once])]


def violation(data: bytes, limits: Limits | None = None, *, is_deflating: bool = False) -> int:
    with pytest.raises(Violation) as ended:
        read(data, limits, is_deflating=is_deflating)
    return ended.value.code


def named(value: object) -> str | None:
    """Name a parameter alike in every process: clients mask their frames by chance."""
    return "frames" if isinstance(value, bytes) else None


@given(
    some.lists(
        some.one_of(
            some.tuples(some.just(TEXT), some.text(max_size=200)),
            some.tuples(some.just(BINARY), some.binary(max_size=300)),
            some.tuples(some.sampled_from((PING, PONG)), some.binary(max_size=125)),
        ),
        max_size=8,
    ),
    some.integers(0, 2**32),
)
def test_whatever_is_sent_arrives_however_it_is_cut(messages: list[tuple[int, str | bytes]], seed: int) -> None:
    chance = random.Random(seed)
    wire = b""
    expected: list[tuple[int, object]] = []
    for opcode, content in messages:
        raw = content.encode() if isinstance(content, str) else content
        if opcode in (PING, PONG) or chance.random() < 0.5:
            wire += client(opcode, raw)
        else:
            cut = chance.randrange(len(raw) + 1)
            wire += client(opcode, raw[:cut], fin=False)
            if chance.random() < 0.5:
                wire += client(PING, b"between")
                expected.append((PING, b"between"))
            wire += client(0, raw[cut:])
        expected.append((opcode, content))
    for at_once in (1, 7, 1 << 20):
        assert read(wire, at_once=at_once) == expected


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_every_form_of_a_length_is_read(length: int) -> None:
    assert read(client(BINARY, b"x" * length)) == [(BINARY, b"x" * length)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (client(TEXT, b"x", mask=False), "5.1 a client must mask"),
        (b"\xc1\x80\0\0\0\0", "5.2 RSV1 without an extension"),
        (b"\xa1\x80\0\0\0\0", "5.2 RSV2"),
        (b"\x91\x80\0\0\0\0", "5.2 RSV3"),
        *[(bytes((0x80 | opcode, 0x80)) + bytes(4), "5.2 a reserved opcode") for opcode in (3, 4, 5, 6, 7)],
        *[(bytes((0x80 | opcode, 0x80)) + bytes(4), "5.2 a reserved opcode") for opcode in (11, 12, 13, 14, 15)],
        (b"\x82\xfe\x00\x7d" + bytes(4 + 125), "5.2 a length in more bytes than it needs"),
        (b"\x82\xff" + (65_535).to_bytes(8) + bytes(4), "5.2 a length in more bytes than it needs"),
        (b"\x82\xff\xff" + bytes(7 + 4), "5.2 the first bit of a length in eight bytes"),
        (client(0, b"x"), "5.4 a continuation of nothing"),
        (client(TEXT, b"x", fin=False) + client(TEXT, b"y"), "5.4 a new message inside one"),
        (b"\x09\x80\0\0\0\0", "5.5 a control frame in fragments"),
        (b"\x89\xfe\x00\x7e" + bytes(4 + 126), "5.5 a control frame of more than 125 bytes"),
        (client(CLOSE, b"\x03"), "5.5.1 half a code"),
        *[(client(CLOSE, code.to_bytes(2)), "7.4 a code that is never sent") for code in (0, 999, 1004, 1005, 1006)],
        *[(client(CLOSE, code.to_bytes(2)), "7.4 a code that is never sent") for code in (1015, 1016, 2999, 5000)],
    ],
    ids=named,
)
def test_what_breaks_the_protocol_ends_with_1002(data: bytes, why: str) -> None:
    assert violation(data) == 1002, why


@pytest.mark.parametrize(
    "data",
    [
        client(TEXT, b"\xff"),
        client(TEXT, b"\xc3"),
        client(TEXT, b"\xed\xa0\x80"),
        client(TEXT, b"\xf4\x90\x80\x80"),
        client(TEXT, b"\xc3", fin=False) + client(0, b"x"),
        client(TEXT, b"fine", fin=False) + client(0, b"\xff", fin=False),
        client(CLOSE, (1000).to_bytes(2) + b"\xff"),
    ],
    ids=named,
)
def test_what_is_not_utf8_ends_with_1007_at_the_fragment_that_shows_it(data: bytes) -> None:
    assert violation(data) == 1007


def test_a_character_may_be_cut_by_fragments() -> None:
    euro = "€".encode()
    assert read(client(TEXT, euro[:1], fin=False) + client(0, euro[1:2], fin=False) + client(0, euro[2:])) == [
        (TEXT, "€")
    ]


def test_a_message_that_is_too_long_ends_by_its_head_before_its_content_comes() -> None:
    limits = Limits(message_bytes=1_000)
    assert violation(b"\x82\xfe" + (1_001).to_bytes(2), limits) == 1009
    assert violation(b"\x82\xff" + (1 << 40).to_bytes(8), limits) == 1009
    assert violation(client(BINARY, b"x" * 600, fin=False) + b"\x80\xfe" + (401).to_bytes(2), limits) == 1009
    assert read(client(BINARY, b"x" * 600, fin=False) + client(0, b"x" * 400), limits) == [(BINARY, b"x" * 1_000)]


def test_fragments_are_counted_even_when_they_are_empty() -> None:
    limits = Limits(fragments=10)
    many = client(TEXT, fin=False) + client(0, fin=False) * 9
    assert read(many, limits) == []
    assert violation(many + client(0, fin=False), limits) == 1009
    assert read(many + client(0, fin=False) + client(0), Limits(fragments=None)) == [(TEXT, "")]


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999])
def test_a_close_tells_its_code(code: int) -> None:
    assert read(client(CLOSE, code.to_bytes(2) + b"why")) == [(CLOSE, code)]


def test_a_close_without_a_code_is_answered_by_one_without() -> None:
    assert read(client(CLOSE)) == [(CLOSE, 1005)]
    assert close_frame(1005) == b"\x88\x00"
    assert close_frame(1000, "x" * 500)[1] == 125
