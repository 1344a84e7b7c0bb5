"""Pictures of people: given by themselves, removed by themselves or by moderators."""

from __future__ import annotations

from server import permissions
from server.errors import Forbidden, NotFound
from server.model import Account
from server.pictures.process import Pictures
from server.rate_limits import Limits
from server.settings import Settings
from server.storage.accounts import accounts
from server.storage.accounts import pictures as stored
from server.storage.engine.database import Database
from server.storage.engine.write import Write


def admit(pictures: Pictures, limits: Limits, settings: Settings, account: Account) -> None:
    """Say before a picture is read that it will be looked at. Raises Forbidden (pictures_off), Unavailable, TooMany."""
    if not settings.pictures:
        raise Forbidden("error.pictures_off", code="pictures_off")
    pictures.check_room()
    limits.spend("picture", account.id, settings.limit_changes_account)


async def set_picture(database: Database, pictures: Pictures, account: Account, content: bytes) -> str:
    """Make what was uploaded the account's picture, small and without metadata, and return its hash.

    Raises Invalid (picture), NotSignedIn, Unavailable.
    """
    small = await pictures.small(content)

    def work(write: Write) -> str:
        accounts.confirm(write.sql, account)
        return stored.put(write, account.id, small)

    return await database.write(work)


async def remove_picture(database: Database, account: Account) -> None:
    """Erase the account's own picture. Raises NotSignedIn."""

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        stored.remove(write, account.id)

    await database.write(work)


async def remove_picture_of(database: Database, account: Account, name: str) -> Account:
    """Erase the picture of the account of that name, and return that. Raises Forbidden, NotFound, NotSignedIn."""
    if not permissions.may_moderate(account):
        raise Forbidden("error.only_moderators")

    def work(write: Write) -> Account:
        accounts.confirm(write.sql, account)
        found = accounts.by_name(write.sql, name)
        if found is None:
            raise NotFound("error.no_account_named", field="name", name=name)
        stored.remove(write, found[0].id)
        return found[0]

    return await database.write(work)


async def follow_setting(database: Database, settings: Settings) -> None:
    """Show all pictures or none, as the setting has it from now on."""
    are_on = settings.pictures
    if not await database.read(lambda sql: stored.are_followed(sql, are_on=are_on)):
        await database.write(lambda write: stored.follow(write, are_on=are_on))
