"""The pages in each language that is offered: what draws them, made when a language is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from server.locales import Texts
from server.locales.offered import Offered
from server.settings import Settings
from server.text import markup, quotations
from server.web import client_texts
from server.web.assets import Assets
from server.web.pages.comment_fragments import Drawing
from server.web.pages.template_cache import Compiled

TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True, slots=True)
class Edition:
    """`guest_drawing` is for pages of other sites."""

    texts: Texts
    drawing: Drawing
    guest_drawing: Drawing


class Editions:
    def __init__(self, offered: Offered, assets: Assets, settings: Settings) -> None:
        self.offered = offered
        self._assets = assets
        self._settings = settings
        self._made: dict[str, Edition] = {}

    def of(self, texts: Texts) -> Edition:
        if texts.language not in self._made:
            self._made[texts.language] = self._make(texts)
        return self._made[texts.language]

    def _make(self, texts: Texts) -> Edition:
        assets, settings = self._assets, self._settings
        # What all pages have in common.
        site = {
            "static": assets.prefix,
            "preloads": assets.preloads,
            "live_url": settings.live_url,
            "address": settings.address,
            "votes": settings.votes,
            "inbox_words": client_texts.as_attribute(texts, assets.inbox_words),
        }
        own, guest = (
            {**site, "words": client_texts.as_attribute(texts, wanted)}
            for wanted in (assets.words, assets.embedded_words)
        )
        return Edition(
            texts,
            Drawing(templates(settings.base, texts), own),
            Drawing(templates(settings.address, texts), guest),
        )


def templates(base: str, texts: Texts) -> jinja2.Environment:
    """Return the templates in one language, of a site below the path `base`: every link in them begins with it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        bytecode_cache=Compiled(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["when"] = lambda moment: texts.moment(datetime.fromisoformat(moment))
    environment.filters["day"] = lambda moment: texts.times.day(datetime.fromisoformat(moment))
    environment.filters["quoted"] = quoted
    environment.filters["linked"] = lambda html: Markup(
        quotations.said(markup.with_whole_links(html, base) if base else html, texts.html)
    )
    environment.globals["base"] = base
    environment.globals["texts"] = texts
    environment.globals["t"] = texts.html
    return environment


def quoted(text: str) -> str:
    # As encodeURIComponent does.
    return quote(text, safe="!'()*")
