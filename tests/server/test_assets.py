"""What is served of the client is what its sources make."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
from pathlib import Path

from server.locales import Texts, read, texts
from server.web import client_texts
from server.web.assets import FOLDER, Assets
from tests.programs import missing

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_bundle_is_what_the_sources_make(tmp_path: Path) -> None:
    if shutil.which("npm") is None or not (ROOT / "node_modules" / ".bin" / "esbuild").exists():
        missing("esbuild is not installed: the bundle was not compared with its sources")
    # Beside its sources, since the bundle's metafile has relative paths in it.
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copytree(ROOT / "static", clone / "static", ignore=shutil.ignore_patterns("built"))
    shutil.copy(ROOT / "package.json", clone)
    (clone / "node_modules").symlink_to(ROOT / "node_modules")
    subprocess.run(["npm", "run", "--silent", "build"], cwd=clone, check=True)
    made = {path.name: path.read_bytes() for path in (clone / "static" / "built").iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert sorted(made) == sorted(committed), "run `npm run build`, and commit static/built"
    assert [name for name in made if made[name] != committed[name]] == [], "run `npm run build`, and commit it"


def test_what_the_script_imports_at_once_is_named_for_preloading() -> None:
    assets = Assets([texts()])
    assert assets.preloads
    assert set(assets.preloads) <= set(assets.files)
    # Fetched while the browser is idle, under a name that the script knows.
    assert "after_paint.js" in assets.files
    assert "after_paint.js" not in assets.preloads


def modules(entry: str) -> set[Path]:
    """Return the module and all that it imports at once, directly or by way of others."""
    found: set[Path] = set()
    waiting = [ROOT / "static" / entry]
    while waiting:
        path = waiting.pop().resolve()
        if path not in found:
            found.add(path)
            written = re.findall(r'^(?:import|export) [^;]*?"(\..+?)";', path.read_text(encoding="utf-8"), re.MULTILINE)
            waiting += [path.parent / one for one in written]
    return found


def asked(paths: set[Path]) -> set[str]:
    """Return the keys that are written in these modules."""
    written = {key for path in paths for key in re.findall(r'"(\w+\.\w+)"', path.read_text(encoding="utf-8"))}
    return {key for key in written if key in texts()}


def test_each_script_is_given_the_words_that_its_modules_ask_for() -> None:
    assets = Assets([texts()])
    here, elsewhere = modules("thread.js"), modules("embed/thread_element.js") | modules("embed/live.js")
    assert assets.words == asked(here)
    assert assets.embedded_words == asked(elsewhere)
    assert "live.offline" in assets.words
    assert "embed.still_logged_in" in assets.embedded_words - assets.words
    later = modules("after_paint.js") - (here & elsewhere)
    assert asked(later) - (assets.words & assets.embedded_words) == assets.lazy_words
    assert "composer.failed" in assets.lazy_words


def test_the_words_of_a_thread_are_small() -> None:
    assets = Assets([texts()])
    for wanted in (assets.words, assets.embedded_words):
        assert len(gzip.compress(client_texts.as_attribute(texts(), wanted).encode())) <= 1024


def test_another_word_is_another_version() -> None:
    changed = read("en")
    changed["live"]["offline"] += "!"
    assert Assets([Texts("en", changed)]).version != Assets([texts()]).version
