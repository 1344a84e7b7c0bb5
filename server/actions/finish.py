"""After a name, a badge or what is quoted has changed: stamp every comment that shows it, and erase what is lost."""

from __future__ import annotations

from functools import partial

from server.storage import finish, quotes
from server.storage.database import Database


async def finish_all(database: Database, begun: list[int]) -> None:
    """Finish what a write has begun. Where this ends in the middle, the database goes on by itself."""
    while begun:
        first, *others = begun
        begun = [*await database.write(partial(finish.go_on, id_=first)), *others]


async def erase_quotes(database: Database) -> None:
    """Erase what others quote of texts that were erased; what a crash leaves of it, the database finds by itself."""
    while await database.write(quotes.erase_some):
        pass
