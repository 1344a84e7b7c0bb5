"""The live protocol under TLS: the same conversation, the same bounds, on a transport that is not the kernel's own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect

from tests.journeys.test_floods import HANDSHAKE, MASK, resident_bytes, send_until_refused
from tests.processes import Server, until

TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TRUSTING.check_hostname = False
TRUSTING.verify_mode = ssl.CERT_NONE


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the certificate of these tests: install it"
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    server = Server(folder)
    server.program = (sys.executable, "-m", "tests.tls", str(certificate), str(key))
    with server:
        yield server


@pytest.fixture
def writer(app: Server, name: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"https://127.0.0.1:{app.port}", verify=TRUSTING, trust_env=False) as client:
        account = {"name": name, "password": "a long password", "token": True}
        client.headers["authorization"] = f"Bearer {client.post('/api/accounts', json=account).json()['token']}"
        yield client


def post(writer: httpx2.Client, key: str, number: int, body: str) -> None:
    comment = {"body": body, "nonce": f"tls-{number:020d}"}
    assert writer.post(f"/api/threads/{key}/comments", json=comment).status_code == 201


@contextlib.contextmanager
def live(app: Server, receive_bytes: int = 0) -> Iterator[ssl.SSLSocket]:
    plain = socket.socket()
    if receive_bytes:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    plain.connect(("127.0.0.1", app.port))
    with TRUSTING.wrap_socket(plain) as peer:
        peer.settimeout(20)
        peer.sendall(HANDSHAKE)
        assert peer.recv(4096).startswith(b"HTTP/1.1 101")
        yield peer


async def test_a_comment_arrives_and_a_large_catch_up_is_whole(app: Server, key: str, writer: httpx2.Client) -> None:
    secure: dict[str, Any] = {"ssl": TRUSTING, "proxy": None}
    async with connect(f"wss://127.0.0.1:{app.port}/live", **secure) as reader:
        await reader.send(json.dumps({"type": "join", "thread": key}))
        joined = json.loads(await reader.recv())
        for number in range(20):
            await asyncio.to_thread(post, writer, key, number, f"{number} " + "word " * 1_500)
        heard: set[int] = set()
        while len(heard) < 20:
            heard |= {comment["id"] for comment in json.loads(await reader.recv()).get("comments", ())}
    async with connect(f"wss://127.0.0.1:{app.port}/live", **secure) as returning:
        await returning.send(json.dumps({"type": "join", "thread": key, "epoch": joined["epoch"], "after": 0}))
        missed = json.loads(await returning.recv())
        assert {comment["id"] for comment in missed["comments"]} == heard
        assert json.loads(await returning.recv())["type"] == "joined"


def test_who_never_reads_stands_aside_and_holds_little(app: Server, key: str, writer: httpx2.Client) -> None:
    def behind() -> float:
        told = writer.get("/metrics").text
        return next(
            float(line.split()[1]) for line in told.splitlines() if line.startswith("livethread_readers_behind")
        )

    with live(app, receive_bytes=4096) as deaf, live(app) as quick:
        for peer in (deaf, quick):
            text = json.dumps({"type": "join", "thread": key}).encode()
            peer.sendall(bytes((0x81, 0x80 | len(text))) + MASK + text)
        assert b"joined" in quick.recv(4096)
        before = resident_bytes(app)
        for number in range(400):
            if behind():
                break
            post(writer, key, number, "x" * 9_000)
            while b"changes" not in quick.recv(65_536):
                pass
        assert behind() == 1
        assert resident_bytes(app) - before < 20 * 1024 * 1024
    until(lambda: not behind())


def test_floods_end_the_peer_and_nobody_else(app: Server) -> None:
    with live(app) as reader:
        with live(app) as peer:
            peer.sendall(b"\x01\x80" + MASK)
            assert send_until_refused(peer, (b"\x00\x80" + MASK) * 10_000, 400) < 400
        with live(app) as peer:
            assert send_until_refused(peer, (b"\x89\xfd" + MASK + b"x" * 125) * 500, 1_000) < 1_000
        reader.sendall(b"\x89\x80" + MASK)
        assert reader.recv(2) == b"\x8a\x00"


def test_it_ends_with_readers_connected_and_tells_them_to_come_back(app: Server, key: str) -> None:
    with live(app) as reader:
        text = json.dumps({"type": "join", "thread": key}).encode()
        reader.sendall(bytes((0x81, 0x80 | len(text))) + MASK + text)
        assert b"joined" in reader.recv(4096)
        assert app.process is not None
        app.process.terminate()
        said = b""
        while piece := reader.recv(4096):
            said += piece
        assert b'"retry"' in said
        assert said[-4:] == b"\x88\x02" + (1012).to_bytes(2)
    assert app.ended() == 0
    app.start()
