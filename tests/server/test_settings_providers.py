"""The file of the OpenID providers: what an operator may write there, and what is said of all else."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.errors import CannotStart
from server.settings import read
from tests.processes import ROOT

HIDDEN = "hunter2"
GOOD = 'issuer = "https://login.example/realm"\nclient_id = "livethread"\n'


def settings_with(folder: Path, content: str | bytes) -> object:
    path = folder / "oidc.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read({"LIVETHREAD_OIDC": str(path)})


def test_a_provider_is_a_table_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{HIDDEN}\n")
    path = tmp_path / "oidc.toml"
    path.write_text(
        f'[corp]\n{GOOD}label = "Example Corp"\nclient_secret_file = "secret"\n'
        '[local]\nissuer = "http://127.0.0.1:9000/"\nclient_id = "x"\n'
    )
    settings = read({"LIVETHREAD_OIDC": str(path)})
    corp, local = settings.oidc
    assert (corp.name, corp.issuer, corp.label) == ("corp", "https://login.example/realm", "Example Corp")
    # As it is written, to the last slash.
    assert (local.issuer, local.label, local.secret) == ("http://127.0.0.1:9000/", "local", "")
    assert corp.secret == HIDDEN
    assert HIDDEN not in repr(settings)
    assert settings.provider("corp") is corp
    assert settings.provider("other") is None
    assert read({}).oidc == ()


REFUSED: dict[str | bytes, str] = {
    "[corp": "is not TOML",
    b"\xff": "is not UTF-8",
    f'[corp]\nclient_id = "x"\nclient_secret = "{HIDDEN}"\n': "has no line issuer in [corp]",
    '[corp]\nissuer = "https://login.example"\n': "has no line client_id in [corp]",
    f"[corp]\n{GOOD}colour = 'red'\n": "has an unknown line in [corp], 'colour': known are issuer",
    f"[corp]\n{GOOD}client_secret = 7\n": "has a line client_secret in [corp] that is not a plain text",
    f"[corp]\n{GOOD}label = ''\n": "has a line label in [corp] that is not a plain text",
    f'[corp]\n{GOOD}label = "{"x" * 41}"\n': "has a label in [corp] of more than 40 characters",
    f'[corp]\n{GOOD}client_secret = "{HIDDEN}é"\n': "has a secret in [corp] with other characters",
    f'[corp]\n{GOOD}client_secret = "{HIDDEN}"\nclient_secret_file = "x"\n': "has two secrets in [corp]",
    f'[corp]\n{GOOD}client_secret_file = "missing"\n': "names a client_secret_file in [corp] that cannot be read",
    f'[corp]\n{GOOD}client_secret_file = "empty"\n': "names a client_secret_file in [corp] that is empty",
    f"[Corp]\n{GOOD}": "has a provider called 'Corp'",
    f"[a]\n{GOOD}[b]\n{GOOD}": "has two providers with the same issuer",
    GOOD: "has issuer outside a table",
    "".join(f'[p{number}]\nissuer = "https://{number}.example"\nclient_id = "x"\n' for number in range(21)): "more",
    **{
        f'[corp]\nissuer = "{issuer}"\nclient_id = "x"\n': "has an issuer in [corp] that is not an address with https"
        for issuer in (
            "http://login.example", "login.example", "https://u:p@login.example", "https://login.example?x=1",
            "https://login.example#x", "https://", "ftp://127.0.0.1", "http://127.0.0.1.example", "https://[::1",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("content", REFUSED)
def test_what_is_wrong_is_said_in_a_sentence_without_the_secret(tmp_path: Path, content: str | bytes) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(CannotStart) as refused:
        settings_with(tmp_path, content)
    said = str(refused.value)
    assert said.startswith("LIVETHREAD_OIDC: ")
    assert REFUSED[content] in said
    assert HIDDEN not in said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"LIVETHREAD_OIDC: '.+missing.+' cannot be read: No such file or directory"):
        read({"LIVETHREAD_OIDC": str(tmp_path / "missing.toml")})


def test_the_example_of_the_docs_can_be_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "embed.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "secret").write_text(HIDDEN)
    path = tmp_path / "oidc.toml"
    path.write_text(text.replace("/run/secrets/corp", "secret"))
    (corp,) = read({"LIVETHREAD_OIDC": str(path)}).oidc
    assert (corp.name, corp.label, corp.secret) == ("corp", "Example Corp", HIDDEN)
