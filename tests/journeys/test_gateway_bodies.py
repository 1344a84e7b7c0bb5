"""What the app reads for gateways before it can know that they are gateways."""

from __future__ import annotations

import time

import httpx2
import msgspec

from server.settings import read
from server.web.live import gateway_api
from tests.journeys.test_http import dialled, said_until_end, status
from tests.processes import SECRET, Server

FORGED = "0" * 64


def poll(length: int, signature: str = "") -> bytes:
    line = f"{gateway_api.SIGNATURE_HEADER}: {signature}\r\n" if signature else ""
    return f"POST /internal/poll HTTP/1.1\r\nHost: x\r\n{line}Content-Length: {length}\r\n\r\n".encode()


def test_a_large_body_without_a_signature_of_this_minute_is_refused_before_it_is_read(app: Server) -> None:
    now = int(time.time())
    for signature in ("", f"{now}.", f"{now - 3600}.{FORGED}", f"{now}.{'x' * 64}", f"{'9' * 30}.{FORGED}"):
        with dialled(app) as peer:
            peer.sendall(poll(4 * 1024 * 1024, signature))
            said = said_until_end(peer)
            assert (status(said), gateway_api.TIME_HEADER.encode() in said) == (403, True), signature


def test_one_large_body_is_read_at_a_time_and_small_ones_meanwhile(app: Server, key: str) -> None:
    signature = f"{int(time.time())}.{FORGED}"
    with dialled(app) as first:
        # Nothing of the body: bytes that nobody reads would take the answer along.
        first.sendall(poll(4 * 1024 * 1024, signature))
        for _ in range(20):
            with dialled(app) as other:
                other.sendall(poll(4 * 1024 * 1024, signature))
                # Whichever came first is waited for; none of the others is.
                assert status(said_until_end(other)) == 503
        assert _polled(app, {key: 1}).status_code == 200
        # It does not hold the place for ever.
        assert status(said_until_end(first)) == 503
    many = {f"{number}-".ljust(200, "x"): 1 for number in range(1_000)}
    assert _polled(app, many).status_code == 200


def _polled(app: Server, readers: dict[str, int]) -> httpx2.Response:
    """Poll as a gateway of the version before does, which tells of all its rooms at once."""
    body = msgspec.json.encode({"gateway": "before", "clock": 0, "readers": readers})
    settings = read({"LIVETHREAD_SECRET": SECRET})
    headers = {gateway_api.SIGNATURE_HEADER: gateway_api.signature(settings, "poll", body)}
    return httpx2.post(f"{app.origin}/internal/poll", content=body, headers=headers, trust_env=False)
