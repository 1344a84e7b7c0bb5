"""Asks for /health twenty times a second: `asker PORT`, until stdin ends; prints the longest wait (ms).

A process of its own: one that has more to do would measure how long it takes itself.
"""

from __future__ import annotations

import http.client
import select
import sys
import time

PAUSE_SECONDS = 0.05


def longest_wait(port: int) -> float:
    longest = 0.0
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        asked = time.monotonic()
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        longest = max(longest, time.monotonic() - asked)
    return longest * 1000


if __name__ == "__main__":
    print(longest_wait(int(sys.argv[1])))
