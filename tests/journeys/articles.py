"""A site on another port or host name, whose articles have a thread under them."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

ARTICLE = """<!doctype html><html lang="en"><head><title>An article</title>{head}
<meta name="viewport" content="width=device-width">
<style>html {{ color-scheme: {scheme} }} body {{ margin: 0 16px }}</style>
<script type="module" src="{server}/embed.js"></script></head>
<body><h1>An article</h1><p style="height: {space}px">Words.</p><p><live-count id="own"></live-count>
<a id="link" href="/other.html" data-livethread-count>Comments</a></p>
<live-thread{attributes}><a href="{server}/t/?url={url}">Comments</a></live-thread><footer>The end</footer>
</body></html>"""
STRICT = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src {server}; connect-src {server} {live}; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class Site:
    """A site on another host name, whose pages are written here."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder = folder
        self.origin = origin
        self.server = ""
        self.live = ""

    def article(
        self, name: str, *, head: str = "", scheme: str = "light dark", space: int = 200, **attributes: str
    ) -> str:
        url = f"{self.origin}/{name}.html"
        given = "".join(f' {one.replace("_", "-")}="{value}"' for one, value in attributes.items())
        text = ARTICLE.format(head=head, scheme=scheme, space=space, server=self.server, url=url, attributes=given)
        (self.folder / f"{name}.html").write_text(text, encoding="utf-8")
        return url

    @property
    def policy(self) -> str:
        content = STRICT.format(server=self.server, live=self.live)
        return f'<meta http-equiv="Content-Security-Policy" content="{content}">'


@contextlib.contextmanager
def neighbour(folder: Path) -> Iterator[str]:
    """A site on another port of the same host: the same site for a browser, which sends it our cookies."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
