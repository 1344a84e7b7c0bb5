"""Changes of an account by its owner: read marks, feed address, name, language, appearance and password."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from server import account_names
from server.actions import passwords
from server.actions.sessions import token_hash
from server.actions.sign_in import check_free_to_take
from server.errors import Conflict, Invalid
from server.model import Account, Appearance
from server.rate_limits import Limits
from server.settings import Settings
from server.storage.accounts import accounts, notifications, sessions, visits
from server.storage.engine.database import Database
from server.storage.engine.write import Write
from server.storage.jobs import batches


async def remember_visit(
    database: Database,
    limits: Limits,
    settings: Settings,
    account: Account,
    thread: str,
    comment: int,
    version: int,
    at: int | None = None,
) -> None:
    """Keep up to where the account has read the thread, now or `at` (ms). Raises NotSignedIn, TooMany."""
    limits.spend("visit", account.id, settings.limit_marks_account)

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        visits.remember(write, account.id, thread, comment, version, at)

    await database.write(work)


async def read_notices(database: Database, limits: Limits, settings: Settings, account: Account, version: int) -> None:
    """Keep that the account has read what it was told up to `version`. Raises NotSignedIn, TooMany."""
    limits.spend("heard", account.id, settings.limit_marks_account)

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        notifications.heard(write, account.id, version)

    await database.write(work)


async def renew_feed(database: Database, limits: Limits, settings: Settings, account: Account) -> str:
    """Give the account's own feed another secret, and return it: the one before leads nowhere from now on."""
    limits.spend("change", account.id, settings.limit_changes_account)
    secret = secrets.token_urlsafe(24)

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        accounts.set_feed(write, account.id, secret)

    await database.write(work)
    return secret


async def change_name(database: Database, limits: Limits, settings: Settings, account: Account, to: str) -> str:
    """Give the account another name, and return it as it is kept. Raises Invalid, Conflict (name), TooMany."""
    limits.spend("change", account.id, settings.limit_changes_account)
    clean = account_names.clean(to)
    if account_names.key(clean) != account_names.key(account.name):
        await check_free_to_take(database, settings, clean)
    return await rename_account(database, account, clean, by_itself=True)


async def choose_language(
    database: Database, limits: Limits, settings: Settings, account: Account, language: str
) -> None:
    """Answer the account in one of the languages that are offered, or with "" as its browser asks. Raises Invalid."""
    limits.spend("change", account.id, settings.limit_changes_account)
    if language and language not in settings.languages:
        raise Invalid("error.language", field="language", names=", ".join(settings.languages))

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        accounts.set_language(write, account.id, language)

    await database.write(work)


async def change_appearance(
    database: Database, limits: Limits, settings: Settings, account: Account, chosen: Mapping[str, object]
) -> Appearance:
    """Change those fields of how the account has pages shown that are in `chosen`, and return all. Raises TooMany."""
    limits.spend("change", account.id, settings.limit_changes_account)

    def work(write: Write) -> Appearance:
        accounts.confirm(write.sql, account)
        return accounts.change_appearance(write, account.id, chosen)

    return await database.write(work)


async def rename_account(database: Database, account: Account, to: str, *, by_itself: bool) -> str:
    """Give the account another name, and return it as it is kept; `by_itself`: unless it was closed or banned.

    Raises Invalid, Conflict (name), NotSignedIn.
    """
    clean = account_names.clean(to)

    def work(write: Write) -> bool:
        if by_itself:
            accounts.confirm(write.sql, account)
        is_free = accounts.rename(write, account.id, clean)
        if is_free:
            batches.begin(write, "stamp account", account.id)
        return is_free

    if not await database.write(work):
        raise Conflict("error.name_taken", code="name_taken", field="name", name=clean)
    return clean


async def change_password(
    database: Database, settings: Settings, account: Account, token: str, password: str, fresh: str
) -> None:
    """Set a new password, and end all sessions but the one of this token.

    Raises NotSignedIn if `password` is not the present one, or if there is none and the log-in was too long ago;
    Invalid (new_password), TooMany.
    """
    passwords.check(fresh, field="new_password")
    await passwords.confirm(database, settings, account, password, token)
    fresh_hash = await passwords.hashed(fresh)

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        accounts.set_password(write, account.id, fresh_hash)
        sessions.end_all(write, account.id, but=token_hash(token))

    await database.write(work)
