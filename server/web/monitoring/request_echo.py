"""Tells the doctor how its own request arrived: from which peer, and for which visitor. Asked with a signature."""

from __future__ import annotations

import re
import secrets
import time

from server.settings import Settings
from server.web.requests.context import LiveVisit, is_signed, sign

HEADER = "livethread-doctor"
SECONDS = 60
_SIGNATURE = re.compile(r"([0-9]{1,11})\.([0-9a-f]{16})\.([0-9a-f]{64})")


def question(settings: Settings) -> str:
    """Return the value of the header that asks."""
    now, number = str(int(time.time())), secrets.token_hex(8)
    return f"{now}.{number}.{sign(settings, 'doctor', now, number)}"


def seen(visit: LiveVisit) -> dict[str, object] | None:
    """Return how the request arrived, if somebody with the secret asks."""
    live = visit.state["live"]
    found = _SIGNATURE.fullmatch(visit.headers.get(HEADER, ""))
    if found is None or abs(time.time() - int(found[1])) > SECONDS:
        return None
    if not is_signed(live.settings, found[3], "doctor", found[1], found[2]):
        return None
    peer = visit.client.host if visit.client else None
    return {
        "is_gateway": live.app is not None,
        "address": live.settings.address,
        "peer": peer,
        "is_trusted": live.clients.visitor(peer) is None,
        "visitor": live.clients.host(peer, visit.headers.getlist),
        "header": live.settings.proxy_header,
        "forwarded": visit.headers.getlist(live.settings.proxy_header),
        "others": [name for name in visit.headers if name.endswith(("forwarded-for", "real-ip"))],
        "time": time.time(),
    }
