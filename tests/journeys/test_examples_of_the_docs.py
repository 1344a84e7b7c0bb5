"""The programs in docs/embed.md, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.embedding import Tab
from tests.journeys.test_single_sign_on import sign_on
from tests.processes import ROOT, Server

COMMANDS = {"python": sys.executable, "js": "node", "php": "php", "ruby": "ruby"}


@pytest.mark.parametrize("language", [language for language, command in COMMANDS.items() if shutil.which(command)])
def test_the_examples_of_the_docs_log_in(tmp_path: Path, language: str) -> None:
    command = COMMANDS[language]
    text = (ROOT / "docs" / "embed.md").read_text(encoding="utf-8").partition("## Single sign-on")[2]
    found = re.search(rf"(?s)```{language}\n(.*?)```", text)
    assert found
    (tmp_path / "example").write_text(found[1], encoding="utf-8")
    with Server(tmp_path, LIVETHREAD_ORIGIN="https://comments.example", LIVETHREAD_SITES="https://blog.example") as app:
        secret = app.run("site", "key", "add", "blog.example", "k1").stdout.split()[-1]
        token = subprocess.run(
            [command, str(tmp_path / "example")], env={**os.environ, "COMMENTS_KEY": secret},
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        answer = sign_on(Tab(app, "https://blog.example"), token)
    assert answer.status_code == 200, answer.text
    assert answer.json()["account"]["name"] == "Ana"
