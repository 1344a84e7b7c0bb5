"""A database whose upkeep the test does itself, at a moment of its own."""

from __future__ import annotations

from channels.tasks import Health
from server.background_jobs import Upkeep
from server.storage.engine.database import Database


async def finish(database: Database) -> None:
    """Do all that is owed now."""
    health = Health()
    await Upkeep(database, health).finish()
    assert not health.deaths
