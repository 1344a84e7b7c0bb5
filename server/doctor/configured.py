"""Settings that can be read and still do not fit together. Pure: asks nothing of the machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from server import settings as settings_
from server.doctor.finding import Finding, fault, fine, warning
from server.settings import Settings

WHAT = "settings"
USUAL_PROXY_SECONDS = 75
MIN_TOKEN = 16
# As many different characters as a random secret of 16 has at least.
MIN_VARIETY = 7
_GUESSED = re.compile("change.?me|secret.?secret|password|example|livethread", re.IGNORECASE)


def look(settings: Settings, environment: Mapping[str, str]) -> list[Finding]:
    """Return what is wrong with the settings, or that nothing is."""
    found = [warning(WHAT, line) for line in settings_.ignored(environment)]
    found += [*_public(settings), *_secrets(settings), *_proxies(settings)]
    return found or [fine(WHAT, f"can be read, and fit together; the public address is {settings.address}")]


def is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost" or str(host).endswith(".localhost")


def _public(settings: Settings) -> Iterator[Finding]:
    name = urlsplit(settings.origin).hostname
    if settings.socket is not None and not settings.is_origin_given:
        yield fault(
            "LIVETHREAD_ORIGIN",
            "is not set, and a Unix socket tells no address: nothing that browsers write is accepted. Set it to the "
            "address that they use.",
        )
    if not settings.is_https and not is_loopback(name):
        yield warning(
            "LIVETHREAD_ORIGIN",
            "is http, so passwords and sessions cross the network in clear text. Let the proxy serve https, and give "
            "the address that begins with https://.",
        )
    if is_loopback(name) and not is_loopback(settings.host):
        yield warning(
            "LIVETHREAD_ORIGIN",
            f"is {settings.origin}, while LIVETHREAD_HOST={settings.host} lets other machines in: browsers there can "
            "read, but nothing they write is accepted. Set LIVETHREAD_ORIGIN to the address that they use.",
        )
    if settings.is_https and settings.live_url.startswith("ws:"):
        yield fault(
            "LIVETHREAD_LIVE_URL",
            "is ws://, and browsers open no such socket from a page of https. Give a wss:// address.",
        )
    if settings.is_https and (plain := sorted(site for site in settings.sites if site.startswith("http:"))):
        yield warning(
            "LIVETHREAD_SITES", f"names {plain[0]}: a page without https can be changed by anybody on the way to it."
        )


def _secrets(settings: Settings) -> Iterator[Finding]:
    for name, secret in (("SECRET", settings.secret), ("SECRET_PREVIOUS", settings.secret_previous)):
        if secret and (len(set(secret)) < MIN_VARIETY or _GUESSED.search(secret)):
            yield fault(
                f"LIVETHREAD_{name}",
                "can be guessed. Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'",
            )
    if settings.secret and settings.secret == settings.secret_previous:
        yield warning("LIVETHREAD_SECRET_PREVIOUS", "is LIVETHREAD_SECRET itself. Give the other one, or none.")
    if settings.metrics_token and len(settings.metrics_token) < MIN_TOKEN:
        yield warning("LIVETHREAD_METRICS_TOKEN", f"is short: give at least {MIN_TOKEN} random characters.")


def _proxies(settings: Settings) -> Iterator[Finding]:
    if any(network.prefixlen == 0 for network in settings.proxies):
        yield fault(
            "LIVETHREAD_PROXIES",
            "trusts every address, so each visitor can claim any other, and no limit holds. Name your proxies only.",
        )
    if not settings.limits:
        yield warning("LIVETHREAD_LIMITS", "is off: anybody can post, register and guess passwords without end.")
    if settings.keep_alive_seconds < USUAL_PROXY_SECONDS:
        yield warning(
            "LIVETHREAD_KEEP_ALIVE_SECONDS",
            f"is {settings.keep_alive_seconds}, less than proxies usually keep a connection (nginx 60 s, Caddy 120 s): "
            "requests now and then become a 502.",
        )
