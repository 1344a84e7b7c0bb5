"""The static files, read and compressed once at start: a fixed manifest, so that no path is ever looked up."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import brotli
from starlette.requests import Request
from starlette.responses import Response

from server.errors import NotFound

FOLDER = Path(__file__).resolve().parents[2] / "static"
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
ON_EVERY_PAGE = ("page.css", "thread.css", "comment.css")
# Whole lines only: a comment sign inside a string is never at the beginning of one in this folder.
_COMMENTS = re.compile(r"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n|^[ \t]*//[^\n]*\n", re.DOTALL | re.MULTILINE)
# Types stand between signs that nothing else in this folder uses; text in backquotes is never more than a line.
_TYPES = re.compile(r"/\*\* @(?:type|param) (?:(?!\*/).)*\*/ ?")
_INDENTS = re.compile(r"^[ \t]+|\n(?=\n)", re.MULTILINE)
# Spaces around signs, but not within text, nor on a line with backquotes, which may stand within each other. A test
# holds that what is left is the same program.
_SPACES = re.compile(
    r"""(^[^\n]*`[^\n]*$|"(?:[^"\\\n]|\\.)*"|/[^/*\s][^/\n]*/[a-z]*\.)|\s*([{};,=()<>?:&|!\[\]])\s*""", re.MULTILINE
)
_LINES = re.compile(r"(?<=[{};,])\n| (?={\n)")


@dataclass(frozen=True, slots=True)
class Asset:
    type: str
    plain: bytes
    gzip: bytes
    brotli: bytes


class Assets:
    """All files of the folder under `/static/<version>/`; the version names their content, so they never change."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = sorted(path for path in folder.iterdir() if path.suffix in TYPES)
        contents = {path.name: _stripped(path) for path in files}
        # What every page needs is one request, and is compressed as one.
        contents["all.css"] = b"".join(contents.pop(name) for name in ON_EVERY_PAGE if name in contents)
        self.version = hashlib.sha256(b"\0".join(contents.values())).hexdigest()[:12]
        self.files = {name: _compressed(name, content) for name, content in contents.items()}

    @property
    def prefix(self) -> str:
        return f"/static/{self.version}"

    async def serve(self, request: Request) -> Response:
        asset = self.files.get(request.path_params["name"])
        if asset is None:
            raise NotFound("There is no such file.")
        accepted = request.headers.get("accept-encoding", "")
        headers = {"Vary": "Accept-Encoding", "Cache-Control": "no-cache"}
        if request.path_params["version"] == self.version:
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        body = asset.plain
        for coding, coded in (("br", asset.brotli), ("gzip", asset.gzip)):
            if coding in accepted:
                headers["Content-Encoding"] = coding
                body = coded
                break
        return Response(body, headers=headers, media_type=asset.type)


def _stripped(path: Path) -> bytes:
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".js", ".css"):
        text = _INDENTS.sub("", _TYPES.sub("", _COMMENTS.sub("", text)))
    if path.suffix == ".js":
        text = _SPACES.sub(r"\1\2", text)
    if path.suffix == ".css":
        text = _LINES.sub("", text)
    return text.encode()


def _compressed(name: str, content: bytes) -> Asset:
    return Asset(TYPES[Path(name).suffix], content, gzip.compress(content, 9, mtime=0), brotli.compress(content))
