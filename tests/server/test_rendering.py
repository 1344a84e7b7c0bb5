"""Long texts are rendered in a process of their own, and whatever becomes of it is no end of the server."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import Process

import pytest

from channels.tasks import Health
from server.errors import Invalid, Unavailable
from server.text import markup, render_process
from server.text.render_process import Renderer

LONG = "Some *honest* text of @ana.\n\n> A quote.\n\n" * 50
PEOPLE = {"ana": "Ana"}


async def test_a_long_text_is_the_same_from_the_process_as_from_here() -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        made = await asyncio.gather(*(renderer.render(f"{LONG}{number}", PEOPLE) for number in range(20)))
        assert renderer.process is not None
    assert [one.html for one in made] == [markup.to_html(f"{LONG}{number}", PEOPLE) for number in range(20)]
    assert not any(one.shows_nothing or one.quotes_too_much for one in made)


async def test_what_it_is_told_of_a_long_text_is_true() -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        assert (await renderer.render("[note]: " + "a" * 1_000, {})).shows_nothing
        assert (await renderer.render("> a\n\nb\n\n" * 300, {})).quotes_too_much


@pytest.mark.parametrize(("body", "is_here"), [("Yes, I agree.", True), ("a" * 501, False), ("a *b*", False)])
async def test_only_short_plain_texts_need_no_process(body: str, is_here: bool) -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        assert (await renderer.render(body, {})).html == markup.to_html(body)
        assert (renderer.process is None) == is_here


async def test_a_text_that_takes_too_long_is_refused_and_the_next_one_is_rendered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # However busy the machine is.
    monkeypatch.setattr(render_process, "MAX_SECONDS_WAITED", 90)
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        assert renderer.process is not None
        busy = renderer.process
        with pytest.raises(Invalid) as raised:
            await renderer.render("a\n\n" * 1_500_000, PEOPLE)
        assert raised.value.field == "body"
        # 255: asked whether it lives, Popen took the status before the loop did.
        assert await busy.wait() in (-signal.SIGPROF, 255)
        assert (await renderer.render(LONG, PEOPLE)).html


async def test_a_process_that_stands_still_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_process, "MAX_SECONDS_WAITED", 0.1)
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        assert renderer.process is not None
        stuck = renderer.process
        stuck.send_signal(signal.SIGSTOP)
        with pytest.raises(Invalid):
            await renderer.render(LONG, PEOPLE)
        assert await stuck.wait() == -signal.SIGKILL
        assert (await renderer.render(LONG, PEOPLE)).html


@pytest.mark.parametrize("is_idle", [True, False])
async def test_a_process_that_dies_is_started_again(is_idle: bool) -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        assert renderer.process is not None
        gone = renderer.process
        if is_idle:
            gone.kill()
            await gone.wait()
        else:
            gone.send_signal(signal.SIGSTOP)
            asked = asyncio.ensure_future(renderer.render(LONG, PEOPLE))
            await asyncio.sleep(0)
            gone.kill()
            with pytest.raises(Invalid):
                await asked
        assert (await renderer.render(LONG, PEOPLE)).html
        assert renderer.process is not gone


async def test_whoever_leaves_takes_no_other_answer_along() -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        process = renderer.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        asked = asyncio.ensure_future(renderer.render(LONG, PEOPLE))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        process.send_signal(signal.SIGCONT)
        assert "other words" in (await renderer.render(f"{LONG}other words", PEOPLE)).html
        assert renderer.process is process


async def test_one_that_takes_too_long_is_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_process, "MAX_SECONDS_WAITED", 90)
    monkeypatch.setattr(render_process, "MAX_CHARACTERS_AT_ONCE", 10_000_000)
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        texts = [f"{LONG}{number}" for number in range(6)]
        texts[2] = "a\n\n" * 1_500_000
        made = await asyncio.gather(*(renderer.render(text, PEOPLE) for text in texts), return_exceptions=True)
    assert [isinstance(one, Invalid) for one in made] == [number == 2 for number in range(6)]
    assert [one.html for one in made if not isinstance(one, BaseException)] == [
        markup.to_html(text, PEOPLE) for number, text in enumerate(texts) if number != 2
    ]


async def test_what_comes_meanwhile_is_rendered_together(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = render_process._asked

    async def counted(process: Process, orders: list[render_process._Order]) -> list[render_process.Rendered | None]:
        asked.append(len(orders))
        return await real(process, orders)

    monkeypatch.setattr(render_process, "_asked", counted)
    renderer = Renderer(Health())
    async with renderer.running():
        await asyncio.gather(*(renderer.render(f"a *b* {number}", PEOPLE) for number in range(40)))
        assert asked == [40]
        await asyncio.gather(*(renderer.render("a" * 4_000 + str(number), PEOPLE) for number in range(10)))
        assert asked == [40, 5, 5]


async def test_whoever_still_waits_as_the_server_ends_is_told() -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        assert renderer.process is not None
        renderer.process.send_signal(signal.SIGSTOP)
        waiting = [asyncio.ensure_future(renderer.render(LONG, PEOPLE)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting.append(asyncio.ensure_future(renderer.render(LONG, PEOPLE)))
        await asyncio.sleep(0)
    for one in waiting:
        with pytest.raises(Unavailable):
            await one


async def test_the_process_ends_with_the_server() -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        assert renderer.process is not None
        pid = renderer.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_process_ends_where_nobody_gives_orders_any_more() -> None:
    renderer = Renderer(Health())
    async with renderer.running():
        await renderer.render(LONG, PEOPLE)
        process = renderer.process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0
