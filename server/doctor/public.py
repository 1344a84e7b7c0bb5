"""livethread as browsers see it: asks itself through its public name, and says what the proxy does with it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2

from server.doctor.finding import Finding, fault, fine, warning
from server.settings import Settings
from server.web.monitoring import request_echo

SECONDS = 8.0
MAX_SKEW_SECONDS = 60
# Kept for documentation (RFC 5737): nobody has this address.
NOBODY = "203.0.113.7"
_MASK = b"\0\0\0\0"


async def look(settings: Settings) -> list[Finding]:
    """Return what is wrong on the way from a browser to livethread."""
    name = settings.address
    # Else the public name is this process itself.
    has_proxy = name != settings.own_address
    try:
        verify = ssl.create_default_context() if settings.is_https else False
        async with httpx2.AsyncClient(verify=verify, trust_env=False, timeout=SECONDS) as client:
            headers = {request_echo.HEADER: request_echo.question(settings), settings.proxy_header: NOBODY}
            answer = await client.get(f"{name}/health", headers=headers)
            found = [*_health(name, answer, settings)]
            if any(one.grade == "fault" for one in found) and "seen" not in answer.text:
                return found
            if has_proxy:
                found += [one async for one in _private(client, name)]
    except httpx2.ConnectError as error:
        return [fault(name, f"cannot be reached: {error}. Is the name's DNS right, and does the proxy run?")]
    except httpx2.HTTPError as error:
        return [fault(name, f"does not answer: {str(error) or type(error).__name__}.")]
    return [*found, *await asyncio.to_thread(_socket, settings)]


def _health(name: str, answer: httpx2.Response, settings: Settings) -> Iterator[Finding]:
    if answer.is_redirect:
        yield fault(name, f"leads to {answer.headers['location']}. Set LIVETHREAD_ORIGIN to where it ends.")
        return
    said: Any = None
    with contextlib.suppress(ValueError):
        said = json.loads(answer.text)
    if not isinstance(said, dict) or "version" not in said:
        status = f"{answer.status_code} {answer.reason_phrase}"
        yield fault(name, f"is answered by something else ({status}): the proxy does not pass it on to livethread.")
        return
    seen = said.get("seen")
    if not seen:
        yield fault(name, "is answered by a livethread with another secret: an older process, or another site.")
        return
    if seen["address"] != settings.address:
        yield fault(
            name,
            f"is answered by a livethread whose LIVETHREAD_ORIGIN is {seen['address']}. Give all processes the same.",
        )
    if abs(seen["time"] - time.time()) > MAX_SKEW_SECONDS:
        yield warning("clock", f"the server's clock differs by {seen['time'] - time.time():+.0f} s. Run NTP.")
    if name != settings.own_address:
        yield from _address(seen)
    yield fine(name, f"leads to livethread {said['version']}")


def _address(seen: dict[str, Any]) -> Iterator[Finding]:
    peer, header = seen["peer"] or "a Unix socket", seen["header"]
    if seen["visitor"] == NOBODY:
        yield fault(
            "proxy",
            f"it passes on the {header} that a visitor sends, so each can claim any address. Let it set the header.",
        )
    elif seen["forwarded"] and not seen["is_trusted"]:
        yield fault(
            "proxy",
            f"LIVETHREAD_PROXIES does not name {peer}, from where requests come: all visitors share one limit. Add it.",
        )
    elif seen["is_trusted"] and not seen["forwarded"]:
        others = [one for one in seen["others"] if one != header.lower()]
        more = f" It sets {', '.join(others)}: choose that in LIVETHREAD_PROXY_HEADER." if others else ""
        yield fault("proxy", f"it sets no {header}, so all visitors share one limit.{more}")


async def _private(client: httpx2.AsyncClient, name: str) -> AsyncIterator[Finding]:
    for path in ("/metrics", "/internal/poll"):
        answer = await (client.get(name + path) if path == "/metrics" else client.post(name + path))
        said = answer.text[:10_000]
        if path == "/metrics" and answer.status_code == 200 and "livethread_" in said:
            yield fault("proxy", f"{name}/metrics can be read by everybody. Let the proxy answer 404 there.")
        elif "bad_signature" in said or "LIVETHREAD_METRICS_TOKEN" in said:
            yield warning(
                "proxy", f"{name}{path} reaches livethread, which refuses it. Let the proxy answer 404 there."
            )


def _socket(settings: Settings) -> list[Finding]:
    """Open a WebSocket as a page does, and wait for one answer on it."""
    url = settings.live_url or f"{settings.address.replace('http', 'ws', 1)}/live"
    at = urlsplit(url)
    kind = http.client.HTTPSConnection if at.scheme == "wss" else http.client.HTTPConnection
    connection = kind(at.hostname or "", at.port, timeout=SECONDS)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Origin": settings.origin,
    }
    try:
        connection.request("GET", at.path or "/", headers=headers)
        sock = connection.sock
        answer = connection.getresponse()
        if answer.status != 101:
            return [fault(url, _refusal(answer.status, answer.read(500).decode("utf-8", "replace")))]
        ping = b'{"type":"ping"}'
        sock.sendall(bytes([0x81, 0x80 | len(ping)]) + _MASK + ping)
        heard = answer.fp.read1(200) or sock.recv(200)
    except TimeoutError:
        return [fault(url, "the socket opens and stays silent: the proxy buffers. Turn its buffering off for /live.")]
    except (OSError, http.client.HTTPException) as error:
        return [fault(url, f"no socket opens there: {error}.")]
    finally:
        connection.close()
    if b"pong" not in heard:
        return [fault(url, "the socket closes at once. Look into the proxy's log.")]
    return [fine(url, "opens, and answers")]


def _refusal(status: int, said: str) -> str:
    if status == 426 or (status == 400 and "handshake" in said.lower()):
        return "no socket opens there: the proxy drops the Upgrade header. Pass on Upgrade and Connection by HTTP/1.1."
    if status == 403:
        return f"the process there refuses the pages' origin ({said.strip()}) Give gateways the same LIVETHREAD_ORIGIN."
    if status == 404:
        return "there is nothing: the proxy must pass /live on to livethread, with or without the base before it."
    if status in (502, 503, 504):
        return f"the proxy cannot reach what serves /live ({status}). Do the gateways run, on the ports that it knows?"
    return f"no socket opens there: the answer is {status}."
