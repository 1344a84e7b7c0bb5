"""A site on another origin for the demo: one article with the thread under it by two lines. Knows no database."""

from __future__ import annotations

import html
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "localhost"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 42rem; margin: 0 auto; padding: 24px 16px 96px; font: 18px/1.6 Georgia, serif; }}
live-thread {{ --lt-accent: light-dark(#8a3b12, #f2b866); margin-top: 48px; }}
</style>
<script type="module" src="{server}/embed.js"></script>
</head>
<body>
<p>A site of its own, at {origin}. It has nothing of the server but two lines.</p>
<h1>{title}</h1>
<p>{summary}</p>
<live-thread><a href="{server}/t/?url={origin}/">Comments</a></live-thread>
</body>
</html>
"""


class Host:
    """The site's address, known before it answers; `article` is what it answers with."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://{HOST}:{port}"
        self.article = b""

    def show(self, server: str, title: str, summary: str) -> None:
        """Put the article there, with the thread that the server at `server` has under this site's address."""
        given = {"server": server, "origin": self.origin, "title": title, "summary": summary}
        self.article = PAGE.format(**{name: html.escape(value) for name, value in given.items()}).encode()


@contextmanager
def running() -> Iterator[Host]:
    """Serve the site on a port that the kernel chose, to this machine alone."""

    class Article(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = host.article if self.path.partition("?")[0] == "/" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A demo prints its addresses alone."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Article) as server:
        host = Host(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield host
        server.shutdown()
