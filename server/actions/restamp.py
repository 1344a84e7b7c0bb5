"""After a name, a badge or what is quoted has changed: stamp every comment that shows it."""

from __future__ import annotations

from server.storage import comments, quotes
from server.storage.database import Database
from server.storage.write import Write

ROWS_IN_ONE_WRITE = 100


async def restamp_comments(database: Database, account: int) -> None:
    """Stamp the account's visible comments, 100 at a time with other writes between, so that nobody waits."""
    last = 0

    def work(write: Write) -> int | None:
        some = comments.visible_of(write.sql, account, after=last, limit=ROWS_IN_ONE_WRITE)
        for thread, id_ in some:
            write.stamp(thread, [id_])
        return some[-1][1] if some else None

    while (reached := await database.write(work)) is not None:
        last = reached


async def restamp_quotes(database: Database, source: int, quoting: int | None) -> None:
    """Stamp what quotes `source`, after the comment `quoting` where `set_state` left off (None: nowhere)."""

    def work(write: Write) -> int | None:
        return quotes.stamp(write, source, after=quoting or 0)

    while quoting is not None:
        quoting = await database.write(work)


async def erase_quotes(database: Database) -> None:
    """Erase what others quote of texts that were erased; what a crash leaves of it, the database finds by itself."""
    while await database.write(quotes.erase_some):
        pass
