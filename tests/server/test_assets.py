"""What is served of the client is what its sources make."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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
    assets = Assets()
    assert assets.preloads
    assert set(assets.preloads) <= set(assets.files)
    # Fetched while the browser is idle, under a name that the script knows.
    assert "later.js" in assets.files
    assert "later.js" not in assets.preloads
