"""The proxies of deploy/, started as they are written there, on ports of the kernel."""

from __future__ import annotations

import contextlib
import getpass
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.ports import free_port
from tests.processes import ROOT, until
from tests.programs import path_of

FILES = {"nginx": "nginx.conf", "caddy": "Caddyfile", "haproxy": "haproxy.cfg", "apache2": "apache.conf"}
APACHE_MODULES = (
    "mpm_event", "authz_core", "proxy", "proxy_http", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests",
    "lbmethod_bybusyness", "headers", "rewrite", "alias", "ssl", "http2", "socache_shmcb",
)  # fmt: skip
# Where a program listens: a port of this machine, or the path of a Unix socket.
Upstream = int | Path


@dataclass(frozen=True)
class Certificate:
    """For TLS, by which HTTP/2 is agreed on; paths of PEM files, `both` with the key as well."""

    certificate: Path
    key: Path
    both: Path

    @classmethod
    def made(cls, folder: Path) -> Certificate:
        openssl = path_of(("openssl",), "no openssl: proxies under TLS were not tried")
        made = cls(folder / "tls.pem", folder / "tls.key", folder / "tls-both.pem")
        subprocess.run(
            [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", str(made.key), "-out", str(made.certificate)],
            check=True, capture_output=True,
        )  # fmt: skip
        made.both.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
        return made


class Proxy:
    """One proxy before an app and two gateways; `origin` is where visitors come in.

    With `base` it is the file for a path, which `strips` takes off before livethread sees it. With `tls` it speaks
    HTTP/2 to those who can.
    """

    def __init__(
        self,
        kind: str,
        folder: Path,
        upstreams: Mapping[int, Upstream],
        port: int = 0,
        base: str = "",
        *,
        strips: bool = False,
        tls: Certificate | None = None,
    ) -> None:
        self.kind = kind
        self.folder = folder
        self.port = port or free_port()
        self.base = base
        self._strips = strips
        self._tls = tls
        self._upstreams = upstreams
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def origin(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}{self.base}"

    @property
    def live_url(self) -> str:
        return f"ws{'s' if self._tls else ''}://127.0.0.1:{self.port}{self.base}/live"

    def start(self) -> None:
        path_of((self.kind,), f"no {self.kind}: its file in deploy/ was not tried")
        with (self.folder / f"{self.kind}.log").open("wb") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, cwd=self.folder)
        until(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / f"{self.kind}.log").read_text()
        with contextlib.suppress(httpx2.HTTPError):
            # A proxy that cannot reach what is behind it has started as well.
            return httpx2.get(f"{self.origin}/health", trust_env=False, verify=False).status_code < 500
        return False

    def _written(self) -> str:
        """Return the file of deploy/, with the ports of this test in it and nothing else changed."""
        folder = ROOT / "deploy" / "under-a-path" if self.base else ROOT / "deploy"
        text = (folder / FILES[self.kind]).read_text(encoding="utf-8")
        if self.base:
            text = text.replace("example.org/talk", "").replace("/talk", self.base)
        if self._strips:
            text = _stripping(text)
        text = re.sub(r"(http://)?127\.0\.0\.1:(800\d)(/?)", self._upstream, text)
        listens = {
            "nginx": ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            "caddy": (f"http://{'' if self.base else 'comments.'}example.org {{", f"http://127.0.0.1:{self.port} {{"),
            "haproxy": ("bind :80", f"bind 127.0.0.1:{self.port}"),
            "apache2": ("<VirtualHost *:80>", f"<VirtualHost 127.0.0.1:{self.port}>"),
        }
        before, after = listens[self.kind]
        assert before in text
        return text.replace(before, self._with_tls(after) if self._tls else after)

    def _upstream(self, found: re.Match[str]) -> str:
        """Return where a program listens, as docs/operations.md has this proxy write it."""
        scheme, name, rest = found[1] or "", found[2], found[3]
        where = self._upstreams[int(name)]
        if isinstance(where, int):
            return f"{scheme}127.0.0.1:{where}{rest}"
        forms = {
            "nginx": f"unix:{where}",
            "caddy": f"unix/{where}",
            "haproxy": f"unix@{where}",
            # The name after the bar tells one from another.
            "apache2": f"unix:{where}|http://livethread-{name}{rest}",
        }
        return forms[self.kind]

    def _with_tls(self, listens: str) -> str:
        assert self._tls is not None
        certificate, key = self._tls.certificate, self._tls.key
        if self.kind == "nginx":
            ends = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
            return f"{listens.removesuffix(';')} ssl http2; {ends}"
        if self.kind == "caddy":
            return f"{listens.replace('http:', 'https:')}\n\ttls {certificate} {key}"
        if self.kind == "haproxy":
            return f"{listens} ssl crt {self._tls.both} alpn h2,http/1.1"
        files = f"SSLCertificateFile {certificate}\nSSLCertificateKeyFile {key}"
        return f"{listens}\nSSLEngine on\n{files}\nProtocols h2 http/1.1"

    def _command(self) -> list[str]:
        site = self.folder / FILES[self.kind]
        written = self._written()
        if self.kind == "nginx":
            whole = self.folder / "whole.conf"
            parts = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            folders = "".join(f"{name}_temp_path {self.folder}/{name};" for name in parts)
            # Its workers write large bodies into the folder, which is ours.
            whole.write_text(
                f"daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;\n"
                f"user {getpass.getuser()}; worker_rlimit_nofile 8192; events {{ worker_connections 4096; }}\n"
                f"http {{ access_log off; {folders} include {site}; }}\n",
                encoding="utf-8",
            )
            site.write_text(written, encoding="utf-8")
            return ["nginx", "-p", str(self.folder), "-c", str(whole)]
        if self.kind == "caddy":
            site.write_text(
                "{\n\tadmin off\n\tauto_https off\n\tdefault_sni 127.0.0.1\n}\n" + written, encoding="utf-8"
            )
            return ["caddy", "run", "--config", str(site), "--adapter", "caddyfile"]
        if self.kind == "haproxy":
            site.write_text(written, encoding="utf-8")
            return ["haproxy", "-db", "-f", str(site)]
        modules = "".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in APACHE_MODULES
        )
        own = f"ServerName test\nServerRoot {self.folder}\nPidFile httpd.pid\nErrorLog error.log\nListen {self.port}\n"
        site.write_text(f"{modules}{own}DefaultRuntimeDir {self.folder}\n{written}", encoding="utf-8")
        return ["apache2", "-DFOREGROUND", "-f", str(site)]


def _stripping(text: str) -> str:
    """Return the file with the lines that it offers for taking the path off; they replace a line of their kind."""
    lines: list[str] = []
    mark = "# Or, with the path taken off: "
    for line in text.splitlines():
        offered = lines[-1].strip().removeprefix(mark) if lines and lines[-1].strip().startswith(mark) else ""
        if offered:
            lines[-1] = offered
        if not offered or offered.split()[0] != line.split()[0]:
            lines.append(line)
    assert mark not in "\n".join(lines)
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def proxied(
    kind: str,
    folder: Path,
    upstreams: Mapping[int, Upstream],
    port: int = 0,
    base: str = "",
    *,
    strips: bool = False,
    tls: Certificate | None = None,
) -> Iterator[Proxy]:
    proxy = Proxy(kind, folder, upstreams, port, base, strips=strips, tls=tls)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
