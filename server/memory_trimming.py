"""Returns freed memory to the system: the C library would keep what it allocated during a flood."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os

# <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE_BYTES = 64 * 1024
_KEPT_BYTES = 256 * 1024
_MUCH_BYTES = 4 * 1024 * 1024
# The collector looks through this many new objects at a time, and through four times as many at every fourth: nobody
# should wait for it. What a connection leaves goes by its reference counts.
_NEW_OBJECTS = (3_000, 4, 1_000_000)
# Through all, which takes a fifth of a second after a flood, in a calm moment after so many of the latter; even without
# one after very many.
_DUE, _OVERDUE = 20, 20_000


def begin() -> None:
    """Have large blocks come from the system and go back to it, and let threads share what is kept.

    Where a limit is set, glibc no longer raises it to the largest block that was ever freed. What the operator has set
    in the environment stays.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
        for name, option, value in (
            ("MALLOC_MMAP_THRESHOLD_", _M_MMAP_THRESHOLD, _LARGE_BYTES),
            ("MALLOC_TRIM_THRESHOLD_", _M_TRIM_THRESHOLD, _KEPT_BYTES),
            ("MALLOC_ARENA_MAX", _M_ARENA_MAX, 2),
        ):
            if name not in os.environ:
                mallopt(option, value)


def settle() -> None:
    """Called once the process has started: the collector need never look again at what is there by now.

    It took half of what thousands of readers cost who came together.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_NEW_OBJECTS)


def collect_cycles(*, is_calm: bool) -> None:
    """Look through all objects, if it is time for it. Called once a second."""
    count = gc.get_count()[2]
    if count >= _OVERDUE or (is_calm and count >= _DUE):
        gc.collect()


class _Found(ctypes.Structure):
    """`struct mallinfo2` of glibc, in bytes; `fordblks`: what is free and kept."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in [
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        ]
    ]


class Trimmer:
    """Gives back what floods leave, whoever had it."""

    def __init__(self) -> None:
        # What stays in pieces too small to be given back.
        self._left_bytes = 0

    def give_back(self) -> None:
        """Release free memory if there is much more of it than last time; that takes some milliseconds."""
        free = _free_bytes()
        self._left_bytes = min(self._left_bytes, free)
        if free - self._left_bytes > _MUCH_BYTES:
            _trim()
            self._left_bytes = _free_bytes()


def _free_bytes() -> int:
    # Only glibc keeps so much, and has this.
    with contextlib.suppress(AttributeError, OSError):
        look = ctypes.CDLL(None).mallinfo2
        look.argtypes, look.restype = [], _Found
        return int(look().fordblks)
    return 0


def _trim() -> None:
    with contextlib.suppress(AttributeError, OSError):
        trim = ctypes.CDLL(None).malloc_trim
        trim.argtypes, trim.restype = [ctypes.c_size_t], ctypes.c_int
        trim(0)
