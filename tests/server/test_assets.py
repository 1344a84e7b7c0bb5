"""What is served of the script is the script."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from server.web.assets import FOLDER, Assets
from tests.test_house import missing

# Node brings a parser along, which it hides.
PARSED = """
const { parse } = require("internal/deps/acorn/acorn/dist/acorn");
const places = new Set(["start", "end", "raw"]);
for (const path of process.argv.slice(1)) {
  const tree = parse(require("fs").readFileSync(path, "utf8"), { ecmaVersion: "latest", sourceType: "module" });
  console.log(JSON.stringify(tree, (key, value) => (places.has(key) ? undefined : value)));
}
"""


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.js")))
def test_a_stripped_module_is_the_same_program(name: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        missing("no node: what is served was not compared with what is written")
    served = tmp_path / name
    served.write_bytes(Assets().files[name].plain)
    command = [str(node), "--expose-internals", "--no-warnings", "-e", PARSED, str(FOLDER / name), str(served)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "internal/deps/acorn" in done.stderr:
        pytest.skip("this node has no parser to lend")
    assert done.returncode == 0, done.stderr
    written, stripped = done.stdout.splitlines()
    assert stripped == written
