"""The demo's second site: an article on another origin with two lines for the thread."""

from __future__ import annotations

import httpx2

from server.demo import article_site


def test_the_article_names_the_server_and_its_own_address_and_escapes_what_it_says() -> None:
    with article_site.running() as site, httpx2.Client(trust_env=False) as client:
        address = site.origin.replace(article_site.HOST, "127.0.0.1")
        assert client.get(f"{address}/").status_code == 404
        site.show("https://comments.example/talk", "Trams & <cars>", "It says so.")
        page = client.get(f"{address}/?from=here")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert '<script type="module" src="https://comments.example/talk/embed.js"></script>' in page.text
        assert f'<a href="https://comments.example/talk/t/?url={site.origin}/">' in page.text
        assert "<h1>Trams &amp; &lt;cars&gt;</h1>" in page.text
        assert client.get(f"{address}/other").status_code == 404
