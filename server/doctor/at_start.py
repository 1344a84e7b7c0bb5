"""The checks that are cheap enough for every start."""

from __future__ import annotations

from server.doctor import configured, disk, machine
from server.doctor.finding import Finding
from server.settings import Settings


def look(given: Settings, *, has_database: bool) -> list[Finding]:
    """Return what is wrong, of all that is cheap to see."""
    found = configured.look(given, {}) + machine.look() + (disk.look_quickly(given.database) if has_database else [])
    return [one for one in found if one.grade != "fine"]
