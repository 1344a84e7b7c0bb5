"""Readers who never read."""

from __future__ import annotations

import re
import socket
import threading
import time

import httpx2

from tests.bench.crowd import KEY, UPGRADE
from tests.bench.fan_out import JOIN
from tests.bench.figure import resident_bytes
from tests.processes import Server

DEAF = 50


class Deaf:
    """Readers who never read, and what becomes of them: `cut_after` s all were gone, and held `most_bytes` before."""

    def __init__(self, app: Server, pid: int) -> None:
        self._app, self._pid = app, pid
        self._before = resident_bytes(pid)
        self._came = time.monotonic()
        self._sockets = [self._connect() for _ in range(DEAF)]
        self.cut_after: float | None = None
        self.most_bytes = 0
        self._is_over = threading.Event()
        # Beside those who measure: they must not wait for what is looked up.
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()

    def _watch(self) -> None:
        with httpx2.Client(base_url=self._app.origin, trust_env=False, timeout=20) as client:
            while not self._is_over.wait(0.5) and self.cut_after is None:
                self.most_bytes = max(self.most_bytes, resident_bytes(self._pid) - self._before)
                told = client.get("/metrics").text
                if float(re.findall(r"^livethread_slow_readers_total (\S+)", told, re.MULTILINE)[0]) >= DEAF:
                    self.cut_after = time.monotonic() - self._came

    @property
    def waited(self) -> float:
        return time.monotonic() - self._came

    def close(self) -> None:
        self._is_over.set()
        self._watching.join()
        for one in self._sockets:
            one.close()

    def _connect(self) -> socket.socket:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(("127.0.0.1", self._app.port))
        one.sendall(UPGRADE.format(path="/live", key=KEY, more="").encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += one.recv(1)
        one.sendall(JOIN)
        return one
