"""Which address a request comes from: the peer's own, or the one that a trusted proxy names. Knows no HTTP server."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterable
from functools import lru_cache

from server.settings import Settings

log = logging.getLogger("livethread.addresses")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Any of these headers shows that a request came through a proxy.
_FORWARDING = frozenset(
    {"via", "cdn-loop", "cf-connecting-ip", "x-cluster-client-ip", "x-envoy-external-address", "x-proxyuser-ip"}
)
_FORWARDING_ENDS = ("real-ip", "client-ip", "clientip")
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
# Of an address with brackets, zone and port: nothing longer is kept.
_LONGEST = 100
Header = Callable[[str], list[str]]


class Clients:
    """Finds a request's address by the settings, and says once in the log if a proxy is set up wrongly."""

    def __init__(self, settings: Settings) -> None:
        self._networks = settings.proxies
        self._header = settings.proxy_header
        self._warned: set[str] = set()

    def host(self, peer: str | None, header: Header) -> str:
        """Return the address that a request counts for; `header` returns the values of a header by its name.

        Without a peer (a Unix socket) only a proxy of this machine can have connected.
        """
        at = parsed(peer or "")
        if peer and not (at and self._trusts(at)):
            self._look_for_strangers(at, header)
            return str(at or peer)
        named = [part.strip() for value in header(self._header) for part in value.split(",")]
        if not named:
            self._look_for_another_header(header)
        # The nearest is named last. Each may only be believed because the one after it is trusted.
        for part in reversed(named):
            hop = parsed(part)
            if hop is None:
                break
            at = hop
            if not self._trusts(hop):
                break
        return str(at or "")

    def network(self, peer: str | None, header: Header) -> str:
        """Return what counts as one visitor: see `network`."""
        return network(self.host(peer, header))

    def visitor(self, peer: str | None) -> str | None:
        """Return the network of a peer; None if it is a trusted proxy, which stands for many visitors."""
        at = parsed(peer or "")
        return None if not peer or (at and self._trusts(at)) else network(peer)

    def _trusts(self, at: Address) -> bool:
        return any(at in one for one in self._networks)

    def _look_for_strangers(self, at: Address | None, header: Header) -> None:
        if "stranger" not in self._warned and header(self._header):
            self._warned.add("stranger")
            # A public address may be a visitor's, and those are not written down.
            who = str(at) if at and at.is_private else "a public address"
            log.warning(
                "%s sent %s, but LIVETHREAD_PROXIES does not name it, so the header is ignored. "
                "If that is your proxy, add its address: until then all visitors behind it share one limit",
                who,
                self._header,
            )

    def _look_for_another_header(self, header: Header) -> None:
        if "header" in self._warned:
            return
        for name in ("X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP", "Forwarded"):
            if header(name):
                self._warned.add("header")
                log.warning(
                    "a trusted proxy sends %s but not %s, so all visitors behind it share one limit. "
                    "Set LIVETHREAD_PROXY_HEADER to the header that your proxy sets",
                    name,
                    self._header,
                )
                return


def is_operator(peer: str | None, host: str, names: Iterable[str]) -> bool:
    """Say whether a request comes straight from this machine: from loopback, to a loopback name, through no proxy.

    `names` are those of all its headers.
    """
    at = parsed(peer or "")
    if at is None or not at.is_loopback or any(_is_forwarding(name.lower()) for name in names):
        return False
    # "[::1]:8000" and "localhost:8000"; a proxy that sets no header still passes on the public name.
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.lower() in _LOOPBACK_NAMES


def _is_forwarding(name: str) -> bool:
    return name in _FORWARDING or "forwarded" in name or name.endswith(_FORWARDING_ENDS)


def parsed(text: str) -> Address | None:
    """Return an address as proxies and sockets write it (brackets, port, zone), IPv4 out of IPv6; None: it is none."""
    return _parsed(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        at = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return at.ipv4_mapped or at if isinstance(at, ipaddress.IPv6Address) else at


def wide_network(host: str) -> str:
    """Return what one organisation may have of addresses: 24 bits of IPv4, 48 of IPv6."""
    at = parsed(host)
    if at is None:
        return host
    return str(ipaddress.ip_network((at, 48 if at.version == 6 else 24), strict=False))


def network(host: str) -> str:
    """Return what counts as one address: of IPv6 the 64 bits of the network, since one visitor may have all of it."""
    at = parsed(host)
    if isinstance(at, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((at, 64), strict=False))
    return str(at or host)
