"""Times, numbers and plural forms are the same from the server and from the script, in every language."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.locales import Texts, real
from tests.processes import ROOT
from tests.programs import path_of

LANGUAGES = sorted({*real(), "en", "de", "fr", "es", "pt-BR", "pl", "ru", "ja", "zh-Hans", "ar", "en-XA", "ar-XB"})
NUMBERS = [*range(30), 100, 101, 102, 111, 1_000, 12_345, 1_000_000, -7, -1_234, -12_345]
MOMENTS = [datetime(2026, 1, 6, 0, 5, tzinfo=UTC) + timedelta(days=29 * step, hours=7 * step) for step in range(14)]
CATEGORIES = ("zero", "one", "two", "few", "many", "other")
SCRIPT = """
import { speak, t } from "./texts.js";
import { DAY, when, written } from "./view/times.js";
const { languages, moments, numbers, forms } = JSON.parse(process.argv[2]);
const found = languages.map((language) => {
  speak(language, forms);
  return [
    moments.map((one) => [written(one, DAY), when(one), when(one, { day: "numeric", month: "short" })]),
    numbers.map((count) => [t("number", { count }), t("form", { count })]),
  ];
});
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """What the script makes of them, by language."""
    node = path_of(("node",), "no node: the client's times were not compared")
    given = {"languages": LANGUAGES, "numbers": NUMBERS, "forms": forms()} | {
        "moments": [one.isoformat() for one in MOMENTS]
    }
    done = subprocess.run(
        [node, "--input-type=module", "-", json.dumps(given)],
        input=SCRIPT,
        cwd=ROOT / "static",
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(LANGUAGES, json.loads(done.stdout), strict=True))


def forms() -> dict[str, str]:
    return {
        "time.day_and_time": "{{day}}, {{time}}",
        "number": "{{count, number}}",
        **{f"form_{category}": category for category in CATEGORIES},
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_server_and_script_write_the_same(language: str, written: dict[str, Any]) -> None:
    texts = Texts(language, forms())
    times, numbers = written[language]
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert times == [
        [texts.times.day(at), texts.moment(at).removesuffix(" UTC"), texts.recent_moment(at, now).removesuffix(" UTC")]
        for at in MOMENTS
    ]
    assert numbers == [[texts("number", count=count), texts("form", count=count)] for count in NUMBERS]


def test_english_is_as_it_was() -> None:
    texts, at = Texts("en", forms()), datetime(2026, 1, 6, 14, 2, 59, tzinfo=UTC)
    assert texts.moment(at) == "6 Jan 2026, 14:02 UTC"
    assert texts.recent_moment(at, at + timedelta(hours=1)) == "14:02 UTC"
    assert texts.recent_moment(at, at + timedelta(days=1)) == "6 Jan, 14:02 UTC"
