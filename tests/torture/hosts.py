"""Two hosts: app and Valkey in a network namespace of their own, a gateway with its readers here, the link cut."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator

from tests.processes import Server, Valkey
from tests.torture.clients import Posters, following, tokens, until_equal
from tests.torture.findings import Finding, Plan, Skipped, nothing
from tests.torture.power import require_root

MAX_WHOLE_SECONDS = 5.0
REDIS_PORT = 6399


async def hosts(plan: Plan) -> list[Finding]:
    require_root("ip")
    cut_seconds = plan.either(8, 20)
    with two_hosts() as (space, link, there, managed):
        inside = ("ip", "netns", "exec", space)
        # Valkey's own port is 0 in tests; the last word of its command line wins.
        store = Valkey(
            plan.folder, "--port", str(REDIS_PORT), "--protected-mode", "no", "--bind", "0.0.0.0", before=inside
        )
        store.start()
        redis = f"redis://{there}:{REDIS_PORT}"
        app = Server(plan.folder, LIVETHREAD_REDIS_URL=redis, LIVETHREAD_HOST="0.0.0.0")
        app.program = (*inside, *app.program)
        app.host = managed
        try:
            with (
                app,
                Server(
                    plan.folder,
                    "gateway",
                    LIVETHREAD_APP_URL=f"http://{there}:{app.port}",
                    LIVETHREAD_REDIS_URL=redis,
                ) as gateway,
            ):
                posters = Posters(app.origin, "hosts", await asyncio.to_thread(tokens, app, 5))
                async with following([app, gateway], "hosts", 20) as followers:
                    await posters.post_for(2, 5)
                    process = gateway.process
                    subprocess.run(["ip", "link", "set", link, "down"], check=True)
                    await posters.post_for(cut_seconds, 5)
                    subprocess.run(["ip", "link", "set", link, "up"], check=True)
                    differing, whole = await until_equal(followers, app, "hosts", 30)
                    is_same = gateway.process is process and process is not None and process.poll() is None
        finally:
            store.kill()
    return [
        Finding("the link was cut for", f"{cut_seconds} s", True),
        Finding("posts on the other side meanwhile", f"{len(posters.acknowledged)}", len(posters.acknowledged) > 20),
        plan.in_time("every screen whole after its return", whole, MAX_WHOLE_SECONDS),
        nothing("followers that differ from a fresh page", differing),
        Finding("the gateway was not restarted", "yes" if is_same else "no", is_same),
    ]


@contextlib.contextmanager
def two_hosts() -> Iterator[tuple[str, str, str, str]]:
    """(namespace, the link to cut, its far address, the far address of a second link that stays)"""
    space = f"lt{os.getpid()}"
    links = (f"{space}a", f"{space}b")

    def ip(*words: str) -> None:
        try:
            subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise Skipped(f"ip {' '.join(words)}: {error.stderr.strip()}") from error

    ip("netns", "add", space)
    try:
        ip("-n", space, "link", "set", "lo", "up")
        for number, link in enumerate(links):
            ip("link", "add", link, "type", "veth", "peer", "name", f"{link}p", "netns", space)
            ip("addr", "add", f"10.213.{number}.1/24", "dev", link)
            ip("link", "set", link, "up")
            ip("-n", space, "addr", "add", f"10.213.{number}.2/24", "dev", f"{link}p")
            ip("-n", space, "link", "set", f"{link}p", "up")
        yield space, links[0], "10.213.0.2", "10.213.1.2"
    finally:
        subprocess.run(["ip", "netns", "del", space], check=False)
