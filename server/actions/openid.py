"""Logging people in by what an OpenID provider states of them, and linking and unlinking such ways in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from server import account_names
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.model import Account
from server.openid.client import Client, Proven
from server.rate_limits import Limits
from server.settings import Settings
from server.storage.accounts import accounts, identities
from server.storage.accounts.identities import Identity
from server.storage.engine.database import Database, Sql
from server.storage.engine.write import Write

# Whom the provider calls by no name that can be had here.
NAMELESS = "Reader"


@dataclass(frozen=True, slots=True)
class Ways:
    """How an account can be logged in to."""

    has_password: bool
    identities: list[Identity]

    def count(self, issuers: Collection[str]) -> int:
        """`issuers`: of the providers that there are."""
        return self.has_password + sum(one.issuer in issuers for one in self.identities)


async def enter(
    database: Database, limits: Limits, settings: Settings, client: Client, proven: Proven, address: str
) -> Account:
    """Return the account of the person, made at the first time. Never that of anybody else, whatever the e-mail says.

    Raises Forbidden (banned), TooMany, Unavailable.
    """
    issuer, subject = client.provider.issuer, proven.statement.subject

    def there(sql: Sql) -> Account | None:
        found = identities.known(sql, issuer, subject)
        if found is not None and accounts.is_banned(sql, found.account.id):
            raise Forbidden("error.banned", code="banned")
        # The name is the person's own by now.
        return found.account if found else None

    if (known := await database.read(there)) is not None:
        return known
    limits.spend("register", address, settings.limit_registrations_address)
    name = _shown(await client.names(proven))

    def work(write: Write) -> Account:
        # Both tabs of one person may be here at once.
        return there(write.sql) or identities.add(write, issuer, subject, name, client.provider.name, settings.marks)

    return await database.write(work)


async def link(database: Database, account: Account, client: Client, proven: Proven) -> None:
    """Let the person log in to the account, who is logged in to it. Raises NotSignedIn, Conflict."""
    one = Identity(client.provider.issuer, proven.statement.subject, _shown(proven.statement.names))

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        found = identities.known(write.sql, one.issuer, one.subject)
        if found is not None and found.account.id != account.id:
            raise Conflict("error.oidc_of_another", code="linked", provider=client.provider.label)
        if found is None:
            if len(identities.of_account(write.sql, account.id)) >= identities.MOST_OF_ONE:
                raise Conflict("error.oidc_many", code="many_logins", count=identities.MOST_OF_ONE)
            identities.link(write, account.id, one)

    await database.write(work)


async def unlink(database: Database, settings: Settings, account: Account, issuer: str, subject: str) -> None:
    """Raises NotSignedIn, NotFound, Conflict if the account could not be logged in to any more."""

    def work(write: Write) -> None:
        accounts.confirm(write.sql, account)
        if not identities.unlink(write, account.id, issuer, subject):
            raise NotFound("error.oidc_not_linked")
        if not _ways(write.sql, account.id).count({one.issuer for one in settings.oidc}):
            raise Conflict("error.oidc_last_way", code="last_way")

    await database.write(work)


async def ways(database: Database, account: Account) -> Ways:
    return await database.read(lambda sql: _ways(sql, account.id))


def _ways(sql: Sql, account: int) -> Ways:
    return Ways(accounts.password(sql, account) is not None, identities.of_account(sql, account))


def _shown(said: Collection[str]) -> str:
    """Return the first name that can be had here, if need be cut and without what no name may hold."""
    for one in said:
        for given in (one, one.replace("/", " ").replace("\\", " ")[: account_names.MAX_CHARACTERS]):
            try:
                return account_names.clean(given)
            except Invalid:
                continue
    return NAMELESS
