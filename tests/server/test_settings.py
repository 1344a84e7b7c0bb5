"""Whatever an operator writes into a setting: it is refused in one sentence that shows no secret, or it can be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.brokers.redis_topology import places
from server import cli
from server.errors import CannotStart
from server.settings import Settings, declared, ignored, read
from tests.processes import ROOT, SECRET, Server, valkey

# It stands wherever a secret may stand, and in no message.
HIDDEN = "hunter2"
RATES = ["LIMIT_POSTS_ACCOUNT", "LIMIT_HANDSHAKES"]
REFUSED = [
    *(
        ("HOST", value)
        for value in ("[::1", "http://127.0.0.1", "a b", "*", "-a", "a..b", "x" * 64, "1.2.3.4.5", "::1]:80")
    ),
    *(("PORT", value) for value in ("-1", "65536", "99999999999", "8000/tcp", "80 80", "²", "٨٠", "0x50", "http")),
    *(
        ("DATABASE", value)
        for value in (
            "/", ".", "/tmp/", "x" * 300, "sqlite:///x.db",
            f"postgres://u:{HIDDEN}@h/d", ":memory:", "file:x.db",
        )
    ),
    *(("SOCKET", value) for value in ("http.sock", "unix:run/a", "/" + "x" * 120, "tcp://127.0.0.1:1")),
    *(
        ("REDIS_URL", value)
        for value in (
            "localhost:6379", "http://redis", f"redis://:{HIDDEN}#x@redis", f"redis://:{HIDDEN}@redis:99999",
            f"redis://:{HIDDEN}@redis?db=x", f"redis://:{HIDDEN}@redis/x", f"redis://:{HIDDEN}@redis?timeout",
            f"redis://:{HIDDEN}@a:1,redis://:{HIDDEN}@b:2", f"redis://:{HIDDEN}@a:1,b:2", f"redis://:{HIDDEN} x@redis",
            f"redis://:{HIDDEN}/x@redis", f"redis://:{HIDDEN}?x@redis", f"redis://redis?password={HIDDEN}&colour=red",
            f"redis://:{HIDDEN}@redis:port", f"redis://:{HIDDEN}@[::1", f"redis://:{HIDDEN}@", "redis://", "redis://:6379",
            "redis://redis?db=-1", "redis://redis?db=1&db=2", "redis://redis?protocol=x", "redis://redis/0/1", "unix://",
            "unix:///", f"unix://{HIDDEN}/x.sock", "rediss://redis?ssl_cert_reqs=maybe",
            "rediss://redis?ssl_ca_certs=/is/not/there", "redis://redis?ssl_cert_reqs=none", "redis://redis:0",
            f"redis://{HIDDEN}:@re dis", "memcached://redis", "redis+sentinel://a", "redis+cluster://a/1",
            "redis+sentinel://a,,b/m", f"redis+sentinel://:{HIDDEN}@a:x/m", f"rediss+cluster://:{HIDDEN}@a?db=1",
            f"redis://:{HIDDEN}@redis?socket_timeout=x",
        )
    ),
    *(("LANGUAGES", value) for value in ("xx", "en,de", "en xx", "english", "../en", "en.json")),
    *(("REDIS_PREFIX", value) for value in ("a b", "a:b", "x" * 65, "é")),
    *(("SECRET", value) for value in (HIDDEN, "x" * 15)),
    *(("SECRET_PREVIOUS", value) for value in (HIDDEN, "x")),
    *(("METRICS_TOKEN", value) for value in (f"{HIDDEN} x", f"{HIDDEN}é", f"{HIDDEN}\n{HIDDEN}")),
    *(
        (name, value)
        for name in ("ORIGIN", "APP_URL", "SITES")
        for value in (
            "example.org", "ftp://example.org", "https://", f"https://u:{HIDDEN}@example.org", "https://example.org/t/alk",
            f"https://example.org?{HIDDEN}", f"https://example.org#{HIDDEN}", "https://example.org:99999", "https://*",
            "https://example.org:x", "https://a..b", "https://example.org.", "https://[::1", "https://[1.2.3.4]",
            "https://exam\nple.org", "https:\\\\example.org", "https:///example.org", "https://1.2.3.4.5", "https://-a.org",
            "https://xn--\u00e4.org", "https://example.org:0", "https://a,https://b", "null", "*",
            "https://a;b", "https://256.1.1.1", "https://" + "x" * 64 + ".org", "https://\u2025.org", "https://example.org?",
        )
    ),
    *(
        ("LIVE_URL", value)
        for value in (
            "https://example.org/live", "wss://", f"wss://u:{HIDDEN}@a/live", "wss://a/live#x", f"wss://a/live?t={HIDDEN}",
            "wss://a;script-src */live", "wss://a/live\r\nx: y", "wss://a:99999/live", "/live", "wss://a/li ve",
        )
    ),
    *(("PROXIES", value) for value in ("10.0.0.0/33", "10.0.0.0/8,::1", "proxy", "1.2.3", "all")),
    *(("PROXY_HEADER", value) for value in ("Forwarded", "X-Forwarded-For, X-Real-IP", "none")),
    *(("LIMITS", value) for value in ("0", "true", "yes", "on off")),
    *(("OIDC", value) for value in ("/is/not/there.toml", "/", "https://login.example", "x" * 300)),
    *(("LOG_FAILED_LOGINS", value) for value in ("1", "warning")),
    *(
        (name, value)
        for name in RATES
        for value in ("00/60", "60/00", "0/1", "1/0", "60", "60/", "-1/60", "1.5/60", "1/60s")
    ),
    *(
        (name, value)
        for name in RATES
        for value in ("12345678/1", "1/12345678", "٣/٦", "1/60/60", "1e3/60", " / ", "1 / 60")
    ),
    *(("LIMIT_SOCKETS_ADDRESS", value) for value in ("0", "-1", "1000001", "1.5", "9" * 5000, "٣", "many")),
    *(("SESSION_SECONDS", value) for value in ("0", "59", "1d", "-60", "9" * 10)),
    *(("EDIT_SECONDS", value) for value in ("-1", "15m", "1e3", "٣", "9" * 10)),
    *(("KEEP_ALIVE_SECONDS", value) for value in ("0", "0.5", "forever")),
    *(("VOTES", value) for value in ("down", "both,up", "0")),
    *(("GALLERY", value) for value in ("1", "public")),
    *(("PICTURES", value) for value in ("1", "public")),
    *(("HOLD", value) for value in ("on", "some")),
]  # fmt: skip
USABLE = [
    ("HOST", "[::1]", "::1"), ("HOST", "::", "::"), ("HOST", "LocalHost", "localhost"), ("HOST", "127.1", "127.0.0.1"),
    ("PORT", "00080", 80), ("PORT", "tcp://10.43.0.1:8000", 8000), ("PORT", " 81\n", 81), ("PORT", "", 8000),
    ("REDIS_URLS", "valkey://redis", ("redis://redis",)), ("REDIS_URLS", "VALKEYS://Redis:1/2", ("rediss://redis:1/2",)),
    ("REDIS_URLS", "redis://u:p%23@h/0?db=1", ("redis://u:p%23@h/0?db=1",)),
    ("REDIS_URLS", "redis://:p@ss[wörd@redis.svc.", ("redis://:p%40ss%5Bw%C3%B6rd@redis.svc.",)),
    ("REDIS_URLS", "unix://:pw@/run/a.sock?db=1 redis://[::1]:1", ("unix://:pw@/run/a.sock?db=1", "redis://[::1]:1")),
    ("REDIS_URLS", "Redis+Sentinel://u:p%23@A:1,b,[::1]:2/my-master?db=1&sentinel_password=x",
     ("redis+sentinel://u:p%23@a:1,b,[::1]:2/my-master?db=1&sentinel_password=x",)),
    ("REDIS_URLS", "valkeys+cluster://:p@a,b:7/", ("rediss+cluster://:p@a,b:7",)),
    ("REDIS_URLS", "rediss://a?ssl_cert_reqs=none&ssl_check_hostname=no",
     ("rediss://a?ssl_cert_reqs=none&ssl_check_hostname=no",)),
    ("ORIGIN", "HTTPS://Example.ORG:443/", "https://example.org"), ("ORIGIN", "http://a:080", "http://a"),
    ("ORIGIN", "https://straße.example", "https://xn--strae-oqa.example"), ("ORIGIN", "https://a:", "https://a"),
    ("ORIGIN", "https://日本.example:8443", "https://xn--wgv71a.example:8443"),
    ("ORIGIN", "http://0x7f.1", "http://127.0.0.1"),
    ("ORIGIN", "http://[0:0::1]:80", "http://[::1]"), ("ORIGIN", "https://a_b.example", "https://a_b.example"),
    ("LIVE_URL", "WSS://Live.Example:443/live", "wss://live.example/live"), ("LIVE_URL", "", ""),
    ("PROXY_HEADER", "x-real-ip", "X-Real-IP"), ("LIMITS", "OFF", False), ("VOTES", "Up", "up"),
    ("EDIT_SECONDS", "0", 0), ("LANGUAGES", "EN ar-xb en", ("en", "ar-XB")),
]  # fmt: skip


def setting_of(name: str) -> str:
    return "LIVETHREAD_" + name.replace("REDIS_URLS", "REDIS_URL")


def used(settings: Settings) -> None:
    """Do with the settings what a start does, as far as a value could be in the way."""
    for url in settings.redis_urls:
        places(url)
    str(settings.own_address).encode("ascii")
    assert settings.is_own_origin(settings.origin)


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_an_odd_value_ends_in_one_sentence(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"LIVETHREAD_{name}", value)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert cli.main(["restore", "nothing"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"livethread: LIVETHREAD_{name}: ")
    assert said.endswith(".\n")
    assert said.count("\n") == 1
    assert len(said) < 420
    assert HIDDEN not in said


def test_there_are_enough_odd_values() -> None:
    assert len(REFUSED) + len(USABLE) >= 208
    assert {name for _, name, _ in declared() if not name.startswith(("LIMIT_", "SESSION_IDLE"))} <= {
        name for name, _ in REFUSED
    }


@pytest.mark.parametrize(("name", "value", "meaning"), USABLE)
def test_an_unusual_value_is_understood(name: str, value: str, meaning: object) -> None:
    found = read({setting_of(name): value})
    assert getattr(found, name.lower()) == meaning
    used(found)


_PARTS = st.sampled_from(
    ["http", "https", "redis", "rediss", "valkey", "unix", "wss",
     "://", ":", "/", "?", "#", "@", "[", "]", "::1", "%",
     "%2", ",", "localhost", "example.org", "ä", "xn--", ".", "-", "0", "00", "99999", "db=", "&", "ssl_ca_certs=", " ",
     "\n", "\\", "\udc80",     "on", "/60", "1", "\u2028", "=", "ssl_check_hostname=", "up", "*"]
)  # fmt: skip
_TEXTS = st.one_of(
    st.lists(_PARTS, max_size=9).map("".join), st.text(st.characters(exclude_characters="\0"), max_size=30)
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([name for _, name, _ in declared()]), _TEXTS)
def test_any_text_is_refused_in_one_sentence_or_can_be_used(name: str, text: str) -> None:
    try:
        found = read({f"LIVETHREAD_{name}": text})
    except CannotStart as error:
        said = str(error)
        assert said.startswith(f"LIVETHREAD_{name}: ")
        assert said.isprintable() or "\u2028" in text
        assert said.endswith(".")
    else:
        used(found)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(CannotStart, match="LIVETHREAD_SECRET: the value is not UTF-8"):
        read({"LIVETHREAD_SECRET": "a secret that is long\udcff"})


def test_a_name_that_is_almost_one_is_told_of() -> None:
    assert ignored({"LIVETHREAD_REDIS_ULR": HIDDEN, "LIVETHREAD_PORT": "1", "LIVETHREAD_SECRET_FILE": "x"}) == [
        "LIVETHREAD_REDIS_ULR is not a setting of this version and is ignored. Did you mean LIVETHREAD_REDIS_URL?"
    ]
    assert ignored({"livethread_port": "1"})[0].endswith("Did you mean LIVETHREAD_PORT?")
    assert "Did you mean" not in ignored({"LIVETHREAD_ZZZZZZZZZZZZ": "1"})[0]


def test_what_kubernetes_says_of_a_service_is_no_setting() -> None:
    said = {
        "LIVETHREAD_SERVICE_HOST": "10.43.0.1", "LIVETHREAD_SERVICE_PORT": "8000",
        "LIVETHREAD_SERVICE_PORT_HTTP": "8000",
        "LIVETHREAD_PORT_8000_TCP": "tcp://10.43.0.1:8000", "LIVETHREAD_PORT_8000_TCP_PROTO": "tcp",
        "LIVETHREAD_PORT_8000_TCP_PORT": "8000", "LIVETHREAD_PORT_8000_TCP_ADDR": "10.43.0.1",
        "LIVETHREAD_GATEWAY_PORT": "tcp://10.43.0.2:8000", "LIVETHREAD_GATEWAY_SERVICE_HOST": "10.43.0.2",
    }  # fmt: skip
    assert ignored(said) == []
    [line] = ignored({**said, "LIVETHREAD_PORT": "tcp://10.43.0.1:8000"})
    assert line.startswith("LIVETHREAD_PORT is a service address set by Kubernetes")
    assert ignored({"LIVETHREAD_HTTP_PORT": "8000"})


@pytest.mark.parametrize("name", ["SECRET", "SECRET_PREVIOUS", "METRICS_TOKEN", "REDIS_URL"])
def test_a_secret_may_stand_in_a_file(tmp_path: Path, name: str) -> None:
    value = "redis://:a-long-password@localhost" if name == "REDIS_URL" else "a-long-password-in-a-file"
    path = tmp_path / "kept"
    path.write_text(value + "\n")
    found = read({f"LIVETHREAD_{name}_FILE": str(path)})
    assert value in repr(found)
    for text, why in (("\n", "is empty"), ("\udcff", "is not UTF-8"), (None, "cannot be read: No such file")):
        path.unlink()
        if text is not None:
            path.write_bytes(os.fsencode(text))
        with pytest.raises(CannotStart, match=f"LIVETHREAD_{name}_FILE: .*{why}"):
            read({f"LIVETHREAD_{name}_FILE": str(path)})
    with pytest.raises(CannotStart, match="set twice"):
        read({f"LIVETHREAD_{name}_FILE": str(path), f"LIVETHREAD_{name}": value})


def test_a_real_start_ends_with_2_and_one_line(tmp_path: Path) -> None:
    for command in ((), ("gateway",)):
        done = subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *command],
            env=Server(tmp_path).environment | {"LIVETHREAD_REDIS_URL": f"redis://:{HIDDEN}@redis?db=x"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert done.stderr.count("\n") == 1
        assert HIDDEN not in done.stderr


def test_a_start_with_unusual_values_serves(tmp_path: Path) -> None:
    with valkey(tmp_path) as redis:
        secret = tmp_path / "secret"
        secret.write_text(SECRET + "\n")
        app = Server(
            tmp_path, LIVETHREAD_HOST="[::1]", LIVETHREAD_PORT="0", LIVETHREAD_SECRET="",
            LIVETHREAD_SECRET_FILE=str(secret),
            LIVETHREAD_REDIS_URL=f"{redis.url}?db=1", LIVETHREAD_VOTE="up",
        )  # fmt: skip
        app.host = "[::1]"
        with app:
            app.token("Ana")
        assert "LIVETHREAD_VOTE is not a setting" in app.log.read_text()
        assert "Traceback" not in app.log.read_text()
