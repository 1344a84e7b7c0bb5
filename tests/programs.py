"""Programs that the machine has or has not: where one is missing, what needs it is skipped with the reason."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def path_of(names: tuple[str, ...], reason: str, *, setting: str = "") -> str:
    """Return the path that the environment's `setting` gives, or of the first of `names` that is there."""
    return os.environ.get(setting) or next(filter(None, map(shutil.which, names)), None) or missing(reason)


def missing(reason: str) -> NoReturn:
    """Skip with the reason; fail where CI=true, which must leave nothing unchecked."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
