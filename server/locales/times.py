"""Moments as a language writes them, in UTC; `static/view/times.js` writes the same in the reader's own time."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale

# A page has many comments of one day.
_KEPT = 1_500
# Browsers write a usual space in its place.
_NARROW = str.maketrans({"\u202f": " "})


class Times:
    """Loads what writes times when the first is written: the command line writes none."""

    def __init__(self, locale: Locale) -> None:
        def written_day(day: date) -> str:
            from babel.dates import format_date  # noqa: PLC0415

            return format_date(day, "medium", locale).translate(_NARROW)

        def written_short(day: date) -> str:
            from babel.dates import format_skeleton  # noqa: PLC0415

            return format_skeleton("MMMd", day, locale=locale).translate(_NARROW)

        def written_time(at: time) -> str:
            from babel.dates import format_time  # noqa: PLC0415

            return format_time(at, "short", locale=locale).translate(_NARROW)

        self._day, self._short, self._time = (
            lru_cache(_KEPT)(one) for one in (written_day, written_short, written_time)
        )

    def day(self, at: datetime) -> str:
        """Return "6 Jan 2026"."""
        return self._day(at.date())

    def short_day(self, at: datetime) -> str:
        """Return "6 Jan"."""
        return self._short(at.date())

    def time(self, at: datetime) -> str:
        """Return "14:02"."""
        return self._time(at.time().replace(second=0, microsecond=0))
