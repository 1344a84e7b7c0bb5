"""What counts as one address."""

from __future__ import annotations

import pytest

from server.limits import network


@pytest.mark.parametrize(
    ("host", "one"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no address: at all", "no address: at all"),
        ("", ""),
    ],
)
def test_a_network_of_ipv6_is_one_address(host: str, one: str) -> None:
    assert network(host) == one
