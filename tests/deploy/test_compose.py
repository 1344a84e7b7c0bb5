"""The house of docker-compose.yml: its image is built step by step, each container has no more than the file allows."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.deploy.containers import House, Image, images
from tests.processes import ROOT, SECRET, eventually, token
from tests.torture.clients import Posters, following, until_equal, until_live

# The image is built first, in a minute.
pytestmark = pytest.mark.timeout(600)
OURS = ("app", "gateway-1", "gateway-2")
READERS = 20


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    return images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def house(built: dict[str, Image], tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, built, LIVETHREAD_SECRET=SECRET, LIVETHREAD_LIMITS="off").wired() as house:
        house.start()
        yield house
        for name in OURS:
            assert "Traceback" not in house[name].log.read_text()


def test_ours_may_do_no_more_than_they_need(house: House) -> None:
    for name in OURS:
        one = house[name]
        said = one.execute("sh", "-c", "id -u; grep CapBnd /proc/self/status; touch /livethread/x /x || true")
        assert said.stdout.split() == [b"10001", b"CapBnd:", b"0" * 16]
        assert said.stderr.count(b"Read-only file system") == 2
        # A company's proxy is not asked about this container.
        assert one.is_healthy({"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"})
        assert one.stop() == 0


async def test_restarts_and_a_dead_valkey_lose_no_comment_and_no_reader(house: House) -> None:
    app, valkey = house["app"], house["valkey"]
    tokens = [token(house.origin, f"Ana {number}") for number in range(3)]
    posters = Posters(house.origin, "composed", tokens)
    await posters.post()
    async with following([house], "composed", READERS) as followers:
        posting = asyncio.create_task(posters.post_for(600, 5))
        for name in ("gateway-1", "gateway-2"):
            assert await asyncio.to_thread(house[name].stop) == 0
            house[name].start()
            await asyncio.to_thread(house[name].until_healthy)
            assert await until_live(followers, 60) < 60
        house["gateway-1"].kill()
        assert await until_live(followers, 60) < 60
        valkey.kill()
        before = len(posters.acknowledged)
        await eventually(lambda: len(posters.acknowledged) > before + 10)
        assert await asyncio.to_thread(app.stop) == 0
        app.start()
        await asyncio.to_thread(app.until_healthy)
        for one in (valkey, house["gateway-1"]):
            one.start()
            await asyncio.to_thread(one.until_healthy)
        posting.cancel()
        await asyncio.wait([posting])
        differing, _ = await until_equal(followers, house, "composed", 60)
        assert differing == 0
        assert await posters.lost_and_doubled() == (0, 0)
    await posters.client.aclose()


def test_a_backup_is_taken_out_and_put_back_as_the_docs_say(house: House, tmp_path: Path) -> None:
    text = (ROOT / "docs/operations.md").read_text()
    taking, *putting = re.findall(r"(?m)^docker compose .*$", text[text.index("## Backup and restore") :])
    with httpx2.Client(base_url=house.origin, trust_env=False) as client:
        client.headers["authorization"] = f"Bearer {token(house.origin, 'Ana')}"

        def post(number: int) -> None:
            message = {"body": f"Comment {number}.", "nonce": f"{number:020d}"}
            assert client.post("/api/threads/kept/comments", json=message).status_code == 201

        post(0)
        # Tomorrow's takes the place of today's.
        for number in (1, 2):
            do(house, taking, tmp_path)
            post(number)
        for command in putting:
            do(house, command, tmp_path)
        house["app"].until_healthy()
        there = client.get("/api/threads/kept").json()["comments"]
        assert [comment["html"] for comment in there] == ["<p>Comment 0.</p>", "<p>Comment 1.</p>"]


def test_a_folder_of_the_host_is_used_as_its_owner(built: dict[str, Image], tmp_path: Path) -> None:
    folder = tmp_path / "srv"
    folder.mkdir()
    os.chown(folder, 1234, 1235)
    settings = {"DATA_FOLDER": str(folder), "DATA_UID": "1234", "DATA_GID": "1235", "LIVETHREAD_SECRET": SECRET}
    with House(tmp_path, built, **settings).wired() as house:
        house.start()
        assert token(house.origin, "Ana")
    database = (folder / "livethread.db").stat()
    assert (database.st_uid, database.st_gid, database.st_mode & 0o777) == (1234, 1235, 0o600)


def do(house: House, line: str, here: Path) -> None:
    """Do what `docker compose …` does, with files of the folder `here`."""
    command = [word for word in shlex.split(line)[2:] if word not in ("--rm", "-T")]
    stdin, out = b"", None
    if "<" in command:
        stdin = (here / command[command.index("<") + 1]).read_bytes()
    if ">" in command:
        out = here / command[command.index(">") + 1]
    verb, service, *arguments = command[:-2] if command[-2] in "<>" else command
    if verb in ("start", "stop"):
        getattr(house[service], verb)()
        return
    one = house[service]
    done = one.execute(*arguments, stdin=stdin) if verb == "exec" else one.run(*arguments, stdin=stdin)
    assert done.returncode == 0, done
    if out:
        out.write_bytes(done.stdout)
