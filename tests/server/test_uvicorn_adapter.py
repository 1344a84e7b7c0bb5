"""What the adapter leans on in uvicorn, httptools and uvloop: a version that moved one of these fails here by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import httptools
import pytest
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MOVED = "uvicorn {0} has moved what server/transport/uvicorn_*.py lean on: {1}."


def names_in(function: Any) -> set[str]:
    code = inspect.unwrap(function).__code__
    return {*code.co_names, *code.co_varnames, *code.co_freevars}


LEANS_ON: dict[str, tuple[set[str], Callable[[], set[str]]]] = {
    "HttpToolsProtocol keeps what a connection is made of": (
        {
            "app", "app_state", "config", "connections", "flow", "headers", "loop", "parser", "pipeline", "scope",
            "server_state", "tasks",
        },
        lambda: names_in(HttpToolsProtocol.__init__),
    ),
    "HttpToolsProtocol starts tasks in _start_asgi_task(cycle, app)": (
        {"self", "cycle", "app"},
        lambda: set(inspect.signature(HttpToolsProtocol._start_asgi_task).parameters),
    ),
    "HttpToolsProtocol begins a message with url, headers and scope": (
        {"url", "headers", "scope", "expect_100_continue"},
        lambda: names_in(HttpToolsProtocol.on_message_begin),
    ),
    "RequestResponseCycle takes what the protocol gives it": (
        {
            "scope", "transport", "flow", "logger", "access_logger", "access_log", "default_headers", "message_event",
            "expect_100_continue", "keep_alive", "on_response",
        },
        lambda: set(inspect.signature(RequestResponseCycle.__init__).parameters),
    ),
    "RequestResponseCycle keeps disconnected, response_started, response_complete, more_body, body, keep_alive": (
        {
            "disconnected", "response_started", "response_complete", "more_body", "body", "keep_alive",
            "waiting_for_100_continue", "message_event",
        },
        lambda: names_in(RequestResponseCycle.__init__),
    ),
    "RequestResponseCycle.send closes by keep_alive and tells on_response": (
        {"keep_alive", "on_response", "transport", "flow"},
        lambda: names_in(RequestResponseCycle.send),
    ),
    "FlowControl has write_paused and pauses and resumes both ways": (
        {"pause_reading", "resume_reading", "pause_writing", "resume_writing", "drain"},
        lambda: set(dir(FlowControl)),
    ),
    "uvicorn.Server ticks, and keeps its lifespan's state": (
        {"lifespan", "on_tick", "should_exit"},
        lambda: names_in(uvicorn.Server._serve) | names_in(uvicorn.Server.main_loop) | names_in(uvicorn.Server.on_tick),
    ),
    "uvicorn.Server ends each of its connections by shutdown()": (
        {"connections", "shutdown"},
        lambda: names_in(uvicorn.Server.shutdown),
    ),
    "uvicorn.Config takes a class as http, and its application knows trusted_hosts": (
        {"http_protocol_class", "proxy_headers", "forwarded_allow_ips", "ProxyHeadersMiddleware"},
        lambda: names_in(uvicorn.Config.load) | names_in(uvicorn.Config.__init__),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", LEANS_ON)
def test_uvicorn_has_what_the_adapter_leans_on(what: str) -> None:
    names, found = LEANS_ON[what]
    try:
        missing = names - found()
    except AttributeError as error:
        missing = {str(error)}
    if missing:
        pytest.fail(
            f"{MOVED.format(uvicorn.__version__, what)} Missing: {', '.join(sorted(missing))}.",
            pytrace=False,
        )


class Heard:
    """What the parser calls, in order."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_message_begin(self) -> None:
        self.calls.append("begin")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.calls.append(name.decode())

    def on_headers_complete(self) -> None:
        self.calls.append("headers")

    def on_body(self, body: bytes) -> None:
        self.calls.append("body")

    def on_message_complete(self) -> None:
        self.calls.append("complete")


def test_httptools_calls_a_trailer_a_header_after_the_head() -> None:
    heard = Heard()
    httptools.HttpRequestParser(heard).feed_data(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: y\r\n\r\n"
    )
    assert heard.calls == ["begin", "Host", "Transfer-Encoding", "headers", "body", "T", "complete"]


def test_httptools_says_where_a_socket_begins() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    parser = httptools.HttpRequestParser(Heard())
    with pytest.raises(httptools.HttpParserUpgrade) as upgrade:
        parser.feed_data(head + b"early")
    assert upgrade.value.args[0] == len(head)


def test_httptools_tells_why_a_callback_refused() -> None:
    class Refusing(Heard):
        def on_headers_complete(self) -> None:
            raise ValueError("because")

    with pytest.raises(httptools.HttpParserError) as refused:
        httptools.HttpRequestParser(Refusing()).feed_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert str(refused.value.__context__) == "because"
