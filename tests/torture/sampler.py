"""A process of its own that reads one counter of several servers ten times a second: a busy observer sees late.

`python -m tests.torture.sampler NAME URL ...` prints the greatest rise of any server within one second when its
standard input ends.
"""

from __future__ import annotations

import re
import sys
import threading
import time

import httpx2


def watch(name: str, url: str, is_over: threading.Event, busiest: list[int]) -> None:
    series: list[tuple[float, int]] = []
    with httpx2.Client(trust_env=False, timeout=2) as client:
        while not is_over.wait(0.1):
            asked = time.monotonic()
            try:
                told = client.get(url).text
            except httpx2.TransportError:
                continue
            found = re.search(rf"^{name}_total ([\d.]+)$", told, re.MULTILINE)
            if found is None:
                continue
            count = int(float(found[1]))
            if series and count < series[-1][1]:
                # Another process has begun there.
                series = []
            series.append((asked, count))
            answered = time.monotonic()
            # From the answer then to the question now: never more than a second apart, as the server saw it.
            series = [(at, then) for at, then in series if answered - at <= 1]
            if series:
                busiest.append(count - series[0][1])


if __name__ == "__main__":
    ending = threading.Event()
    rises = [0]
    watching = [threading.Thread(target=watch, args=(sys.argv[1], url, ending, rises)) for url in sys.argv[2:]]
    for thread in watching:
        thread.start()
    sys.stdin.read()
    ending.set()
    for thread in watching:
        thread.join()
    print(max(rises))
