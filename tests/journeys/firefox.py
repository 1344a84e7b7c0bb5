"""A stock Firefox, driven by WebDriver BiDi over a WebSocket: Playwright knows only a Firefox of its own making."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.processes import eventually
from tests.programs import path_of

START_SECONDS = 60
SPOKEN = "WebDriver BiDi listening on "
PLAIN = "(_, one) => (one instanceof Element ? one.nodeName : one)"
CENTRE = """((one) => {
  one.scrollIntoView({block: "center"});
  const {left, top, width, height} = one.getBoundingClientRect();
  return [Math.round(left + width / 2), Math.round(top + height / 2)];
})"""


def firefox_path() -> str:
    names = ("firefox-esr", "firefox")
    return path_of(names, "no Firefox: install it, or set FIREFOX to its path", setting="FIREFOX")


class NoAnswer(Exception):
    """The browser refused a command, or an expression threw; it says why."""


class Firefox:
    """One browser's connection; answers come by their number, log entries gather in `errors`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.errors: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            if waiting := self._waiting.pop(message.get("id") or 0, None):
                waiting.set_result(message)
            elif message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.errors.append(message["params"]["text"])

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        answer = await asyncio.wait_for(self._waiting[number], 60)
        if answer["type"] != "success":
            raise NoAnswer(answer)
        return dict(answer["result"])

    async def tab(self) -> Tab:
        """A page with cookies and storage of its own, in a window of its own: nobody looks at a tab behind another."""
        user = (await self.ask("browser.createUserContext"))["userContext"]
        made = await self.ask("browsingContext.create", type="window", userContext=user)
        return Tab(self, made["context"])


GUEST = "document.querySelector('live-thread')?.shadowRoot"
A_FRAME = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"


class Tab:
    """One page: what it shows is read by expressions, what is done to it comes as keys and presses."""

    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox = firefox
        self._context = context

    async def go(self, url: str) -> None:
        await self._firefox.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def reload(self) -> None:
        await self._firefox.ask("browsingContext.reload", context=self._context, wait="complete")

    async def read(self, url: str) -> None:
        """Open a thread and wait until it is live."""
        await self.go(url)
        await self.until("document.querySelector('.connection').dataset.state === 'live'")

    async def look(self, expression: str) -> Any:
        """Return the value of an expression, as JSON carries it; of an element its name."""
        target = {"context": self._context}
        code = f"(async () => JSON.stringify(await ({expression}), {PLAIN}) ?? 'null')()"
        said = await self._firefox.ask("script.evaluate", expression=code, target=target, awaitPromise=True)
        if said["type"] != "success":
            raise NoAnswer(said)
        return json.loads(said["result"]["value"])

    async def until(self, expression: str) -> Any:
        """Wait for it; a page that is just going or coming has nothing to say yet."""

        async def said() -> Any:
            with contextlib.suppress(NoAnswer):
                return await self.look(expression)

        return await eventually(said)

    async def window(self, url: str) -> Tab:
        """Return the window whose address begins so, once it is open."""

        async def found() -> str | None:
            tree = await self._firefox.ask("browsingContext.getTree")
            return next((one["context"] for one in tree["contexts"] if one["url"].startswith(url)), None)

        return Tab(self._firefox, await eventually(found))

    async def click(self, selector: str) -> None:
        """Press the element, also one of a thread under an article."""
        found = f"(document.querySelector({selector!r}) ?? {GUEST}?.querySelector({selector!r}))"
        where = f"((one) => one && {CENTRE}(one))({found})"
        x, y = await self.until(where)
        # What was just done may still move it.
        while [x, y] != (later := await self.until(f"({A_FRAME})().then(() => {where})")):
            x, y = later
        press = [{"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0}]
        await self._act({"type": "pointer", "id": "mouse", "actions": [*press, {"type": "pointerUp", "button": 0}]})

    async def type(self, text: str) -> None:
        keys = [{"type": what, "value": key} for key in text for what in ("keyDown", "keyUp")]
        await self._act({"type": "key", "id": "keys", "actions": keys})

    async def _act(self, source: dict[str, Any]) -> None:
        await self._firefox.ask("browsingContext.activate", context=self._context)
        await self._firefox.ask("input.performActions", context=self._context, actions=[source])


@contextlib.asynccontextmanager
async def started(profile: Path, *, takes_any_certificate: bool = False) -> AsyncIterator[Firefox]:
    """Start a Firefox with an empty profile and connect to it; the kernel chooses its port."""
    process = await asyncio.create_subprocess_exec(
        firefox_path(), "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", str(profile),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            while SPOKEN not in (line := (await process.stderr.readline()).decode()):
                assert line, "Firefox ended before it could be spoken to"
        # What it goes on to write must not fill the pipe.
        emptying = asyncio.create_task(process.stderr.read())
        async with connect(line.split(SPOKEN)[1].strip() + "/session", max_size=None, proxy=None) as socket:
            firefox = Firefox(socket)
            listening = asyncio.create_task(firefox.listen())
            wanted = {"acceptInsecureCerts": takes_any_certificate}
            await firefox.ask("session.new", capabilities={"alwaysMatch": wanted})
            await firefox.ask("session.subscribe", events=["log.entryAdded"])
            yield firefox
            await firefox.ask("browser.close")
            await listening
        await emptying
    finally:
        if process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 10)
        if process.returncode is None:
            process.kill()
            await process.wait()
