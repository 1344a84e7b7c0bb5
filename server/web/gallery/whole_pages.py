"""The gallery's states of what is a page of its own: lists, forms, accounts, errors. Drawn by the pages' templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from server import site_tokens, sites
from server.actions.openid import Ways
from server.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    NotSignedIn,
    TooLarge,
    TooMany,
    Unavailable,
)
from server.model import PLAIN, THEMES, Account
from server.settings.providers import Provider
from server.sites import Site
from server.text.diff import changed_parts
from server.web.gallery import made_up
from server.web.gallery.drawn import Exhibit, Gallery, header_of, main_of, with_names
from server.web.gallery.made_up import ANA, LONG_NAME, MOD, STAFF, comment, found, seen, thread
from server.web.pages import nesting, page_templates
from server.web.requests import error_answers

ISSUER = "https://login.example"
PROVIDERS = (
    Provider("example", ISSUER, "gallery", "Example"),
    Provider("long", "https://login.example.org", "gallery", made_up.LONG_WORD[:40]),
)
ERRORS: tuple[DomainError, ...] = (
    NotSignedIn("error.log_in_or_register"), Forbidden("error.only_moderators"), NotFound("error.no_address"),
    Conflict("error.outdated"), TooLarge("error.large_request"), Invalid("error.empty_comment", field="body"),
    TooMany("error.busy", seconds=12, retry_after=12), Unavailable("error.cannot_read", retry_after=2),
)  # fmt: skip
# What is answered to a form.
SENT = (409, 413, 422)
LISTING: dict[str, Any] = {
    "items": (), "before": None, "empty": "", "hint": "", "search_for": None, "inbox": None, "waiting": False,
    "query": "", "account": None, "unseen": [], "decided": None,
}  # fmt: skip


def exhibits(gallery: Gallery) -> Iterator[Exhibit]:
    yield from _headers(gallery)
    yield from _home(gallery)
    yield from _lists(gallery)
    yield from _errors(gallery)
    yield from _log_in(gallery)
    yield from _of_a_comment(gallery)
    yield from _account(gallery)
    yield from _sites(gallery)
    yield _printed(gallery)


def _headers(gallery: Gallery) -> Iterator[Exhibit]:
    for name, viewer, told in (
        ("logged-out", None, 0), ("account", ANA, 3), ("moderator", MOD, 1_234),
        ("long-name", Account(8, LONG_NAME, "staff"), 12),
    ):  # fmt: skip
        whole = gallery.whole("home.html", "", viewer, told=told, threads=[], admin_missing=False)
        yield Exhibit(f"header-{name}", header_of(whole))


def _home(gallery: Gallery) -> Iterator[Exhibit]:
    title = gallery.words("home.title")
    some = [
        made_up.listed(thread("gallery-1"), 5),
        made_up.listed(
            thread("gallery-2", title=made_up.LONG_WORD, summary=made_up.LONG, comments=12_345, locked=True), 90
        ),
        made_up.listed(thread("gallery-3", title=made_up.MIXED, summary="", comments=0), 600_000),
    ]
    yield gallery.page("home", "home.html", title, threads=some, admin_missing=False)
    yield gallery.page("home-empty", "home.html", title, threads=[], admin_missing=True)


def _lists(gallery: Gallery) -> Iterator[Exhibit]:
    words = gallery.words

    def one(name: str, title: str, *items: dict[str, Any], viewer: Any = ANA, **more: Any) -> Exhibit:
        return gallery.page(name, "listing.html", title, viewer, **LISTING | {"items": items} | more)

    def item(
        body: str = made_up.SHORT, why: str = "", outcome: str = "", title: str = "", **more: Any
    ) -> dict[str, Any]:
        made = found(body, title, **more)
        return {"thread": made.thread, "title": made.title, "comment": made.comment, "why": why, "outcome": outcome}

    answered = comment(made_up.LONG, "Ana")
    inbox = {"unread": 2, "version": 1, "answered": {answered.id: seen(answered)}}
    reply = item(name="Cleo", parent=answered, why="list.answered", picture=made_up.PICTURE)
    mention = item(made_up.RICH["links"], name=LONG_NAME, why="list.mentioned", title=made_up.LONG_WORD, age=900)
    approved, rejected = item(outcome="list.approved"), item(outcome="list.rejected", age=6_000)
    title = words("list.replies_to_you")
    yield one("inbox", title, reply, mention, approved, rejected, inbox=inbox, before=1)
    yield one("inbox-empty", title, empty=words("list.no_replies"), hint=words("list.hint_inbox"))
    title, searched = words("action.search"), {"q": "harbour", "thread": None}
    yield one("search", title, item(made_up.LONG), item(made_up.RTL, name=None), search_for=searched, before=1)
    yield one("search-thread", title, item(), search_for={"q": made_up.LONG_WORD, "thread": "gallery"})
    yield one("search-begun", title, search_for={"q": "", "thread": None}, empty=words("list.enter_word"))
    hint = words("list.hint_search")
    yield one("search-none", title, search_for=searched, empty=words("list.none_found"), hint=hint)
    account = {"name": LONG_NAME, "avatar": "/avatar/W-3.svg", "role": "moderator", "picture": None}
    held = found(state="pending", shown=0, viewer=ANA)
    yield one("profile", LONG_NAME, item(made_up.LONG, name=LONG_NAME), item(made_up.RICH["code"]), account=account)
    own = {**account, "name": "Ana", "avatar": "/avatar/A-5.svg", "role": "reader"}
    yield one("profile-own", "Ana", item(), account=own, unseen=[held])
    pictured = account | {"picture": made_up.PICTURE}
    yield one("profile-picture", LONG_NAME, item(name=LONG_NAME), account=pictured, viewer=MOD)
    yield one("profile-empty", "Ana", account=own, empty=words("list.no_comments"))
    title, hint = words("list.waiting"), words("list.hint_waiting")
    held_items = item(name="Cleo"), item(made_up.RICH["links"], name=LONG_NAME, title=made_up.LONG_WORD)
    yield one("pending", title, *held_items, viewer=MOD, waiting=True, decided=comment(name=LONG_NAME))
    yield one("pending-removed", title, *held_items, viewer=MOD, waiting=True, decided=comment(state="removed"))
    yield one("pending-empty", title, viewer=MOD, empty=words("list.nothing_waits"), hint=hint)


def _errors(gallery: Gallery) -> Iterator[Exhibit]:
    shown = [(f"error-{error.status}", error, "", "/gallery" if error.status in SENT else "") for error in ERRORS]
    shown.append(("error-401-typed", ERRORS[0], made_up.LONG, "/gallery"))
    for name, error, typed, back in shown:
        html = bytes(error_answers.respond(gallery.visit, error, typed=typed, back=back).body).decode()
        yield Exhibit(name, with_names(name, main_of(html)))


def _log_in(gallery: Gallery) -> Iterator[Exhibit]:
    words = gallery.words
    wrong = {"code": "x", "field": "password", "message": NotSignedIn("error.wrong_credentials").sentence(words)}
    taken = {"code": "x", "field": "name", "message": Conflict("error.name_taken", name=LONG_NAME).sentence(words)}
    draft = {"thread": "gallery", "parent": "", "body": made_up.LONG, "nonce": "x"}

    def one(exhibit: str, mode: str = "login", **more: Any) -> Exhibit:
        title = words("action.log_in") if mode == "login" else words("action.register")
        values = {"mode": mode, "next": "/", "draft": None, "error": None, "name": "", "providers": (), "again": ""}
        return gallery.page(exhibit, "account.html", title, **values | more)

    yield one("log-in")
    yield one("log-in-wrong", name=LONG_NAME, error=wrong)
    yield one("log-in-draft", draft=draft, providers=PROVIDERS)
    yield one("log-in-failed-elsewhere", error=wrong | {"field": None}, again="example", providers=PROVIDERS)
    yield one("register", "register")
    yield one("register-taken", "register", name=LONG_NAME, error=taken)

    ask = {"origin": "https://news.example", "challenge": "x", "back": "https://news.example/harbour"}

    def embedded(name: str, *logins: str, viewer: Any = None, **more: Any) -> Exhibit:
        title = words("embed.title", site="News")
        values: dict[str, Any] = {
            "ask": ask, "site_name": "News", "logins": logins, "providers": (), "may_continue": viewer is not None,
            "again": "", "offers_moderating": False, "error": None, "name": "",
        }  # fmt: skip
        return gallery.page(name, "embed_login.html", title, viewer, **values | more)

    yield embedded("embed-log-in", "password")
    yield embedded("embed-every-way", "password", "guest", providers=PROVIDERS, error=wrong)
    yield embedded("embed-guest", "guest")
    yield embedded("embed-moderator", "password", viewer=MOD, offers_moderating=True)
    yield embedded("embed-by-the-site", "sso")
    title = words("embed.done")
    yield gallery.page("embed-done", "embed_done.html", title, ask=ask, site_name="News", code="x")
    leaving = words("oidc.leaving", provider="Example")
    yield gallery.page("leaving", "openid_redirect.html", leaving, to="https://login.example/")


def _of_a_comment(gallery: Gallery) -> Iterator[Exhibit]:
    words, made = gallery.words, comment(made_up.LONG, LONG_NAME, is_edited=True)
    one, told = seen(made), page_templates.describe(thread("gallery"), "gallery")

    def compose(name: str, body: str = "", preview: str = "", error: str = "", parent: Any = None) -> Exhibit:
        composer = page_templates.composer(
            parent.id if parent else None, nesting.name_of(parent) if parent else None, body, "x", error
        )
        values = {"thread": told, "parent": parent, "preview": Markup(preview), "composer": composer}
        return gallery.page(name, "compose.html", words("compose.title"), ANA, **values)

    yield compose("compose")
    yield compose("compose-answer", made_up.SHORT, parent=one)
    yield compose("compose-preview", made_up.LONG, made_up.html(made_up.RICH["list"]))
    yield compose("compose-error", made_up.SHORT, error=TooMany("error.busy", seconds=12).sentence(words))
    values: dict[str, Any] = {"comment": one, "key": "gallery"}
    edit = values | {"body": made_up.SHORT, "error": "", "is_wrong": False, "present": None}
    yield gallery.page("edit", "edit.html", words("edit.title"), ANA, **edit)
    late = Conflict("error.outdated").sentence(words)
    yield gallery.page(
        "edit-outdated", "edit.html", words("edit.title"), ANA, **edit | {"error": late, "present": made_up.LONG}
    )
    yield gallery.page("delete", "confirm_delete.html", words("delete.title"), ANA, **values)
    steps = [
        {"created": made_up.ago(5), "parts": changed_parts(made_up.SHORT, made_up.LONG)},
        {"created": made_up.ago(60), "parts": [("same", made_up.SHORT)]},
    ]
    yield gallery.page("history", "history.html", words("history.title"), **values, steps=steps, before=2)
    may = {"name": LONG_NAME, "may_edit": True, "may_delete": True, "may_moderate": True}
    yield gallery.page("menu", "comment_menu.html", words("menu.of", name=LONG_NAME), STAFF, **values, **may)
    title = words("moderate.title")
    for state in ("visible", "pending", "removed"):
        shown = values | {
            "comment": seen(comment(state=state), MOD),
            "author": LONG_NAME,
            "is_banned": state == "removed",
        }
        error = late if state == "pending" else ""
        yield gallery.page(f"moderate-{state}", "moderate.html", title, MOD, **shown, error=error, is_outdated=True)


def _account(gallery: Gallery) -> Iterator[Exhibit]:
    words = gallery.words
    session = {"id": 1, "created": made_up.ago(90_000), "seen": made_up.ago(5), "site": None, "current": True}
    sessions = [
        session | {"browser": words("mine.browser_on", browser="Firefox", system="Linux")},
        session | {"browser": words("mine.program"), "current": False},
        session | {"browser": words("mine.unknown_browser"), "current": False, "site": made_up.LONG_WORD},
    ]
    values: dict[str, Any] = {
        "feed": None, "shown": {"name": "Ana", "avatar": "/avatar/A-5.svg", "picture": None}, "takes_pictures": True,
        "sessions": sessions[:1], "ways": Ways(True, []), "labels": {}, "providers": (), "chosen": "",
        "appearance": PLAIN, "errors": {},
        "languages": gallery.languages,
    }  # fmt: skip
    yield gallery.page("account", "mine.html", words("mine.title"), ANA, **values)
    sentence = NotSignedIn("error.wrong_password").sentence(words)
    forms = ("sessions", "logins", "language", "appearance", "name", "picture", "password", "close")
    more = {
        "feed": f"https://example.org/feed/mine/{'x' * 43}", "sessions": sessions, "providers": PROVIDERS,
        "errors": dict.fromkeys(forms, sentence),
    }  # fmt: skip
    long = Account(8, LONG_NAME, "staff")
    yield gallery.page("account-errors", "mine.html", words("mine.title"), long, **values | more)
    own = {"shown": {"name": "Ana", "avatar": "/avatar/A-5.svg", "picture": made_up.PICTURE}}
    yield gallery.page("account-picture", "mine.html", words("mine.title"), ANA, **values | own)
    bare = {"ways": Ways(False, []), "takes_pictures": False}
    yield gallery.page("account-without-password", "mine.html", words("mine.title"), ANA, **values | bare)


def _sites(gallery: Gallery) -> Iterator[Exhibit]:
    words = gallery.words
    news = Site("news", "News", "news.example", ("https://news.example", f"https://{'long-label.' * 8}example"))
    empty: dict[str, Any] = {"sites": (), "given": Site(""), "error": ""}
    yield gallery.page("sites", "sites.html", words("sites.title"), STAFF, **empty | {"sites": (news, Site("x", "X"))})
    error = Invalid("error.site_origin", field="origins").sentence(words)
    yield gallery.page("sites-empty", "sites.html", words("sites.title"), STAFF, **empty | {"error": error})
    values: dict[str, Any] = {
        "one": news, "ways": sites.LOGINS, "themes": THEMES,
        "languages": gallery.languages, "providers": {"oidc:example": "Example"},
        "keys": [{"id": "first", "algorithm": "HS256"}], "algorithms": site_tokens.ALGORITHMS,
        "address": "https://talk.example", "secret": "", "errors": {}, "key_id": "", "public_key": "",
    }  # fmt: skip
    yield gallery.page("site", "one_site.html", "News", STAFF, **values)
    forms = ("site", "keys", "key", "remove")
    more = {"secret": "x" * 43, "key_id": "second", "errors": dict.fromkeys(forms, error)}
    yield gallery.page("site-errors", "one_site.html", "News", STAFF, **values | more)


def _printed(gallery: Gallery) -> Exhibit:
    made = [*made_up.chain(8), comment(state="deleted"), comment(made_up.RICH["list"], account=made_up.AUTHOR)]
    places = [place for place, is_begin in nesting.walked(nesting.places((), map(made_up.head, made))) if is_begin]
    texts = {one.id: seen(one) for one in made}
    comments = gallery.drawing.environment.get_template("printed_comments.html").render(
        thread_key="gallery", comments=[{"place": place, "comment": texts[place.comment.id]} for place in places]
    )
    told = page_templates.describe(thread("gallery"), "gallery")
    page = gallery.whole("printed.html", told["title"], thread=told)
    return Exhibit("print", main_of(page.replace("<!-- comments -->", comments)))
