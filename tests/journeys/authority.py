"""The table of who may do what: a row for every route, an answer for every role and every object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.journeys.people import PASSWORD

# Who has no session (any more) is nobody.
NOBODY = ("nobody", "banned", "closed")
MODERATORS = ("moderator", "staff")
ROLES = (*NOBODY, "other", "author", *MODERATORS)
# `held` and `removed` were visible before, `pending` and `rejected` never; `edited` has an earlier text.
STATES = ("visible", "edited", "pending", "held", "removed", "rejected", "deleted")
OBJECTS = [*((state, False) for state in STATES), ("edited", True), ("pending", True)]

Status = Callable[[str, str, bool], int]


@dataclass(frozen=True)
class Row:
    """`status` of (role, state, is the thread locked); `sent` as JSON, or as a form where the path is a page's.

    `changes`: something may be another thing afterwards, so that each cell has objects of its own.
    """

    status: Status
    sent: dict[str, Any] | None = None
    changes: bool = False


def always(status: int) -> Status:
    return lambda role, state, locked: status


def signed_in(status: int) -> Status:
    return lambda role, state, locked: 401 if role in NOBODY else status


def only(*roles: str, status: int = 200) -> Status:
    return lambda role, state, locked: 401 if role in NOBODY else status if role in roles else 403


def sees(role: str, state: str) -> bool:
    return state not in ("pending", "rejected") or role in ("author", *MODERATORS)


def reads(role: str, state: str) -> bool:
    """Say whether there is a text of it for the role, wherever it asks for this comment."""
    if state in ("visible", "edited"):
        return True
    is_kept_for_author = role == "author" and state in ("pending", "held", "rejected")
    return state != "deleted" and (is_kept_for_author or role in MODERATORS)


def reading(role: str, state: str, locked: bool) -> int:
    return 200 if sees(role, state) else 404


def drawn(role: str, state: str, locked: bool) -> int:
    return 200 if state in ("visible", "edited") else 404


def addressed(role: str, state: str, locked: bool) -> int:
    """The author of what others do not see is led to where it stands for them alone.

    A link to what was public and is gone leads to its thread, which says so.
    """
    is_led = state in ("removed", "deleted") or (role == "author" and state in ("pending", "held", "rejected"))
    return 303 if is_led else drawn(role, state, locked)


def answers(role: str, state: str, locked: bool) -> int:
    return 404 if state in ("pending", "rejected") else 200


def acting(done: int, may: Callable[[str, str], bool]) -> Status:
    """Something is done to a comment, by who `may`: (role, state)."""

    def status(role: str, state: str, locked: bool) -> int:
        if role in NOBODY:
            return 401
        if not sees(role, state):
            return 404
        return done if may(role, state) else 403

    return status


def editing(done: int) -> Status:
    return acting(
        done, lambda role, state: role in ("author", "staff") and state not in ("removed", "rejected", "deleted")
    )


def deleting(done: int) -> Status:
    return acting(done, lambda role, state: role == "author")


def voting(done: int) -> Status:
    return acting(done, lambda role, state: state in ("visible", "edited") and role != "author")


def moderating(done: int) -> Status:
    def status(role: str, state: str, locked: bool) -> int:
        if role in NOBODY:
            return 401
        return 403 if role not in MODERATORS else 409 if state == "deleted" else done

    return status


def looking_at(role: str, state: str, locked: bool) -> int:
    if role in NOBODY:
        return 401
    return 200 if role in MODERATORS else 403 if sees(role, state) else 404


def posting(done: int) -> Status:
    def status(role: str, state: str, locked: bool) -> int:
        return 401 if role in NOBODY else 403 if locked and role not in MODERATORS else done

    return status


CREDENTIALS = {"name": "{new}", "password": PASSWORD}
OWN_CREDENTIALS = {"name": "Door", "password": PASSWORD}
# What is in braces is filled in: the object's id, revision and thread, a nonce and a name that nobody has.
ROWS: dict[str, Row] = {
    "GET /": Row(always(200)),
    "GET /t": Row(lambda role, state, locked: 422),
    "GET /t/": Row(lambda role, state, locked: 422),
    "GET /embed.js": Row(always(200)),
    "GET /t/{key}": Row(always(200)),
    "GET /t/{key}/c/{id}": Row(addressed),
    "GET /t/{key}/feed": Row(always(200)),
    "GET /t/{key}/c/{id}/feed": Row(answers),
    "GET /feed": Row(always(200)),
    "GET /feed/mine/{secret}": Row(always(200)),
    # A setting serves them.
    "GET /gallery": Row(always(404)),
    "GET /gallery/embedded": Row(always(404)),
    "GET /gallery/pages": Row(always(404)),
    "GET /avatar/{name}": Row(always(404)),
    "GET /picture/{name}": Row(always(404)),
    "GET /static/{version}/{name}": Row(always(404)),
    "GET /u/{name:path}": Row(always(200)),
    "POST /u/{name:path}/picture/remove": Row(only(*MODERATORS, status=303), {}),
    "GET /search": Row(always(200)),
    "GET /inbox": Row(signed_in(200)),
    "POST /inbox": Row(signed_in(303), {"version": "1"}),
    "GET /pending": Row(only(*MODERATORS)),
    "GET /account": Row(signed_in(200)),
    "POST /account/feed": Row(signed_in(303), {}),
    "POST /account/sessions": Row(signed_in(303), {"id": "others"}),
    "POST /account/language": Row(signed_in(422), {"language": "xx"}),
    "POST /account/appearance": Row(signed_in(422), {"density": "xx"}),
    "POST /account/name": Row(signed_in(422), {"name": ""}),
    "POST /account/password": Row(signed_in(401), {"password": "not this one", "new_password": PASSWORD}),
    "POST /account/picture": Row(signed_in(422), {"picture": ""}),
    "POST /account/picture/remove": Row(signed_in(303), {}),
    "POST /account/close": Row(signed_in(401), {"password": "not this one", "comments": "erase"}),
    "GET /login": Row(always(200)),
    "POST /login": Row(always(303), OWN_CREDENTIALS),
    # No provider is configured there.
    "POST /login/{name}": Row(always(404), {}),
    "GET /login/{name}/callback": Row(always(404)),
    "POST /account/logins/{name}": Row(signed_in(404), {}),
    "POST /account/logins": Row(signed_in(404), {"issuer": "https://login.example", "subject": "1"}),
    "GET /register": Row(always(200)),
    "POST /register": Row(always(303), CREDENTIALS),
    "GET /embed/login": Row(lambda role, state, locked: 422),
    "POST /embed/login": Row(lambda role, state, locked: 422, {}),
    "GET /sites": Row(only("staff")),
    "POST /sites": Row(only("staff", status=422), {"origins": ""}),
    "GET /sites/{site}": Row(only("staff", status=404)),
    "POST /sites/{site}": Row(only("staff", status=404), {"origins": ""}),
    "POST /sites/{site}/remove": Row(only("staff", status=404), {"sure": "yes"}),
    "POST /sites/{site}/keys": Row(only("staff", status=404), {"key_id": "k1", "algorithm": "HS256"}),
    "POST /sites/{site}/keys/remove": Row(only("staff", status=404), {"key_id": "k1"}),
    "POST /logout": Row(always(303), {}, changes=True),
    "POST /t/{key}/comments": Row(posting(303), {"body": "new words", "nonce": "{nonce}"}, changes=True),
    "POST /t/{key}/lock": Row(only(*MODERATORS, status=303), {"locked": "yes"}, changes=True),
    "POST /t/{key}/visit": Row(signed_in(303), {"comment": "1", "version": "1", "at": "1"}),
    "POST /c/{id}/vote": Row(voting(303), {"value": "1"}, changes=True),
    "GET /c/{id}/more": Row(reading),
    "GET /c/{id}/edit": Row(editing(200)),
    "POST /c/{id}/edit": Row(editing(303), {"body": "new words", "revision": "{revision}"}, changes=True),
    "GET /c/{id}/history": Row(drawn),
    "GET /c/{id}/delete": Row(deleting(200)),
    "POST /c/{id}/delete": Row(deleting(303), {}, changes=True),
    "GET /c/{id}/moderate": Row(looking_at),
    "POST /c/{id}/state": Row(moderating(303), {"state": "removed"}, changes=True),
    "POST /c/{id}/ban": Row(only(*MODERATORS, status=303), {"name": "{victim}", "banned": "yes"}, changes=True),
    "GET /api/threads": Row(lambda role, state, locked: 422),
    "GET /api/counts": Row(always(200)),
    "GET /api/unread": Row(signed_in(200)),
    "GET /api/threads/{key}": Row(always(200)),
    "PUT /api/threads/{key}": Row(only("staff"), {"title": "A title"}, changes=True),
    "GET /api/threads/{key}/changes": Row(always(200)),
    "POST /api/threads/{key}/comments": Row(posting(201), {"body": "new words", "nonce": "{nonce}"}, changes=True),
    "GET /api/threads/{key}/mine": Row(signed_in(200)),
    "PUT /api/threads/{key}/visit": Row(signed_in(200), {"comment": 1, "version": 1}),
    "GET /api/threads/{key}/names": Row(signed_in(200)),
    "PUT /api/threads/{key}/lock": Row(only(*MODERATORS), {"locked": True}, changes=True),
    "GET /api/comments/{id}": Row(reading),
    "PATCH /api/comments/{id}": Row(editing(200), {"body": "new words", "revision": "{revision}"}, changes=True),
    "DELETE /api/comments/{id}": Row(deleting(200), changes=True),
    "PUT /api/comments/{id}/vote": Row(voting(200), {"value": 1}, changes=True),
    "PUT /api/comments/{id}/state": Row(moderating(200), {"state": "removed"}, changes=True),
    "GET /api/pending": Row(only(*MODERATORS)),
    "POST /api/preview": Row(signed_in(200), {"body": "new words"}),
    "GET /api/search": Row(always(200)),
    "POST /api/accounts": Row(always(201), CREDENTIALS),
    "GET /api/accounts/{name:path}": Row(always(200)),
    "PUT /api/accounts/{name:path}/ban": Row(only(*MODERATORS), {"banned": True}, changes=True),
    "DELETE /api/accounts/{name:path}/picture": Row(only(*MODERATORS)),
    "GET /api/session": Row(always(200)),
    "POST /api/session": Row(always(200), OWN_CREDENTIALS),
    "DELETE /api/session": Row(always(200), changes=True),
    "POST /api/ticket": Row(signed_in(200)),
    "POST /api/sites/{id}/logout": Row(always(404), {"logout_token": "a.b.c"}),
    "GET /api/me/changes": Row(signed_in(200)),
    "PUT /api/me/heard": Row(signed_in(200), {"version": 1}),
    "GET /api/me/sessions": Row(signed_in(200)),
    "DELETE /api/me/sessions": Row(signed_in(200)),
    "DELETE /api/me/sessions/{id}": Row(signed_in(404)),
    "PUT /api/me/name": Row(signed_in(422), {"name": ""}),
    "PATCH /api/me/appearance": Row(signed_in(422), {"theme": "xx"}),
    "PUT /api/me/password": Row(signed_in(401), {"password": "not this one", "new_password": PASSWORD}),
    "PUT /api/me/picture": Row(signed_in(422), {"picture": ""}),
    "DELETE /api/me/picture": Row(signed_in(200)),
    "POST /api/me/feed": Row(signed_in(201)),
    "GET /api/me/export": Row(signed_in(200)),
    "DELETE /api/me": Row(signed_in(401), {"password": "not this one", "comments": "erase"}),
    "POST /internal/poll": Row(always(403), {"gateway": "g", "clock": 0, "readers": {}}),
    "POST /internal/changes": Row(always(403), {"asked": []}),
    # Without an Upgrade.
    "GET /live": Row(always(426)),
    "GET /health": Row(always(200)),
    "GET /ready": Row(always(200)),
    # From elsewhere than this machine.
    "GET /metrics": Row(always(403)),
}
