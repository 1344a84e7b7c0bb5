"""Whose address a request counts for, and who counts as the operator of this machine."""

from __future__ import annotations

import logging

import pytest

from server.client_address import Clients, is_operator, network
from server.errors import CannotStart
from server.settings import read


def clients(proxies: str = "127.0.0.0/8 ::1", header: str = "X-Forwarded-For") -> Clients:
    return Clients(read({"LIVETHREAD_PROXIES": proxies, "LIVETHREAD_PROXY_HEADER": header}))


def host(found_by: Clients, peer: str | None, **headers: str | list[str]) -> str:
    given = {name.replace("_", "-"): [value] if isinstance(value, str) else value for name, value in headers.items()}
    return found_by.host(peer, lambda name: given.get(name.lower(), []))


@pytest.mark.parametrize(
    ("one", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address: at all", "no address: at all"),
        ("", ""),
    ],
)
def test_a_network_of_ipv6_is_one_address(one: str, counts_as: str) -> None:
    assert network(one) == counts_as


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.1", "192.0.2.7", "203.0.113.1"),
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("::1", "192.0.2.7", "192.0.2.7"),
        ("::ffff:127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("::ffff:203.0.113.1", "192.0.2.7", "203.0.113.1"),
        (None, "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
        ("127.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("127.0.0.1", "198.51.100.9, 192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "198.51.100.9, 192.0.2.7, 127.0.0.2", "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.9", "192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", "127.0.0.3, 127.0.0.2", "127.0.0.3"),
        ("127.0.0.1", "192.0.2.7, no address", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        (None, [], ""),
    ],
)
def test_a_visitor_is_whom_the_nearest_trusted_proxy_names(
    peer: str | None, forwarded: str | list[str], found: str
) -> None:
    assert host(clients(), peer, x_forwarded_for=forwarded) == found


def test_proxies_are_named_by_networks_in_either_form() -> None:
    for proxies in ("10.0.0.0/8", "::ffff:10.0.0.0/104", "192.0.2.1 10.1.2.3"):
        assert host(clients(proxies), "10.1.2.3", x_forwarded_for="198.51.100.9") == "198.51.100.9"
    assert host(clients("none"), "127.0.0.1", x_forwarded_for="198.51.100.9") == "127.0.0.1"


@pytest.mark.parametrize("header", ["X-Real-IP", "CF-Connecting-IP"])
def test_only_the_chosen_header_is_believed(header: str) -> None:
    chosen = {header.lower().replace("-", "_"): "192.0.2.7"}
    assert host(clients(header=header), "127.0.0.1", x_forwarded_for="198.51.100.9", **chosen) == "192.0.2.7"
    assert host(clients(), "127.0.0.1", **chosen) == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PROXIES", "10.0.0.0/33"), ("PROXIES", "proxy.internal"), ("PROXIES", "*"), ("PROXY_HEADER", "Host")],
)
def test_what_is_no_address_and_no_known_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(CannotStart, match=f"LIVETHREAD_{name}"):
        read({f"LIVETHREAD_{name}": value})


def test_a_proxy_that_is_not_named_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found_by = clients()
        for _ in range(3):
            host(found_by, "10.1.2.3", x_forwarded_for="192.0.2.7")
    assert [record.args for record in caplog.records] == [("10.1.2.3", "X-Forwarded-For")]
    assert "LIVETHREAD_PROXIES" in caplog.text
    assert "192.0.2.7" not in caplog.text


def test_the_address_of_a_visitor_who_claims_another_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    host(clients(), "8.8.4.4", x_forwarded_for="192.0.2.7")
    assert "a public address" in caplog.text
    assert "8.8.4.4" not in caplog.text


def test_a_proxy_that_sets_another_header_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    found_by = clients(header="X-Real-IP")
    for _ in range(3):
        host(found_by, "127.0.0.1", x_forwarded_for="192.0.2.7")
    assert [record.args for record in caplog.records] == [("X-Forwarded-For", "X-Real-IP")]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("name", ["localhost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
def test_the_operator_comes_straight_from_this_machine(peer: str, name: str) -> None:
    assert is_operator(peer, name, ["host", "user-agent", "accept"])


@pytest.mark.parametrize(
    "header",
    [
        "X-Azure-ClientIP", "X-Envoy-External-Address", "X-ProxyUser-IP", "CDN-Loop", "Forwarded-For",
        "X-Real-IP", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "x-forwarded",
        "CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "Fastly-Client-IP", "Via",
    ],
)  # fmt: skip
def test_whatever_comes_through_a_local_proxy_is_not_the_operator(header: str) -> None:
    assert not is_operator("127.0.0.1", "127.0.0.1:8000", ["Host", header])


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ("192.0.2.7", "localhost"),
        ("::ffff:192.0.2.7", "localhost"),
        (None, "localhost"),
        ("127.0.0.1", "talk.example.org"),
        ("127.0.0.1", "localhost.example.org:8000"),
        ("127.0.0.1", ""),
    ],
)
def test_a_stranger_or_a_public_name_is_not_the_operator(peer: str | None, name: str) -> None:
    assert not is_operator(peer, name, ["host"])
