"""The static files, read and compressed once at start: a fixed manifest, so that no path is ever looked up.

They are what `npm run build` makes of `static/` and what is committed as `static/built/`: running needs no Node.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import brotli
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from server.errors import NotFound
from server.locales import Texts
from server.web import client_texts

PACKAGE = Path(__file__).resolve().parents[1]
# A wheel has the folder inside of this package, since it has no top level of its own.
FOLDER = next(
    folder for folder in (PACKAGE / "static" / "built", PACKAGE.parent / "static" / "built") if folder.is_dir()
)
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
JSON = "application/json"
META = "meta.json"
ENTRY = "thread.js"
LATER = "after_paint.js"
# What pages of other sites name, what it loads where there is a thread, and what that loads once the thread is painted.
EMBED = "embed.js"
EMBED_STYLE = "embed.css"
EMBEDDED = "thread_element.js"
EMBEDDED_LIVE = "live.js"
# Of one page alone: bundled by itself, so that nothing is cut out of what a thread loads.
INBOX = "inbox.js"
EMBED_SECONDS = 300


class Import(msgspec.Struct):
    path: str
    kind: str


class Output(msgspec.Struct):
    imports: list[Import]


class Meta(msgspec.Struct):
    """The part of esbuild's metafile that says which bundle imports which."""

    outputs: dict[str, Output]


@dataclass(frozen=True, slots=True)
class Asset:
    type: str
    plain: bytes
    gzip: bytes
    brotli: bytes


class Assets:
    """All files of the folder under `/static/<version>/`; the version names their content, so they never change.

    Beside them is `words.LANGUAGE.json` for each of `languages`: what `after_paint.js` says.
    """

    def __init__(self, languages: Sequence[Texts], folder: Path = FOLDER) -> None:
        contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in TYPES}
        meta = msgspec.json.decode((folder / META).read_bytes(), type=Meta)
        # What the script of a thread imports at once: fetched beside it, not after it.
        self.preloads = _imports(meta, ENTRY)

        def asked(entry: str) -> frozenset[str]:
            return client_texts.keys(contents[name] for name in (entry, *_imports(meta, entry)))

        # The keys of the texts that must be in the HTML of a thread: here, and on pages of other sites.
        self.words, self.embedded_words = asked(ENTRY), asked(EMBEDDED) | asked(EMBEDDED_LIVE)
        self.inbox_words = client_texts.keys([contents[INBOX]])
        self.lazy_words = asked(LATER) - (self.words & self.embedded_words)
        for one in languages:
            contents[f"words.{one.language}.json"] = client_texts.as_json(one, self.lazy_words)
        said = [client_texts.as_json(one, one) for one in languages]
        self.version = hashlib.sha256(b"\0".join([*contents.values(), *said])).hexdigest()[:12]
        self.files = {name: _compressed(name, content) for name, content in contents.items()}
        files = " ".join((f"{self.prefix}/", EMBED_STYLE, EMBEDDED, *_imports(meta, EMBEDDED)))
        self._embed = _compressed(EMBED, contents[EMBED].replace(b"FILES_OF_THE_THREAD", files.encode()))

    @property
    def prefix(self) -> str:
        return f"/static/{self.version}"

    async def serve(self, request: Request) -> Response:
        asset = self.files.get(request.path_params["name"])
        if asset is None:
            raise NotFound("error.no_file")
        is_present = request.path_params["version"] == self.version
        return _sent(request, asset, "public, max-age=31536000, immutable" if is_present else "no-cache")

    async def serve_embed(self, request: Request) -> Response:
        """`/embed.js`, which names the other files of this version: a page of before may be five minutes old."""
        return _sent(request, self._embed, f"public, max-age={EMBED_SECONDS}")


def _sent(request: Request, asset: Asset, cache: str) -> Response:
    accepted = request.headers.get("accept-encoding", "")
    headers = {"Vary": "Accept-Encoding", "Cache-Control": cache}
    body = asset.plain
    for coding, coded in (("br", asset.brotli), ("gzip", asset.gzip)):
        if coding in accepted:
            headers["Content-Encoding"] = coding
            body = coded
            break
    return Response(body, headers=headers, media_type=asset.type)


def _imports(meta: Meta, entry: str) -> tuple[str, ...]:
    """Return the names of the files that `entry` imports statically, directly or by way of others."""
    outputs = {Path(path).name: output for path, output in meta.outputs.items()}
    found: dict[str, None] = {}
    waiting = [entry]
    while waiting:
        for one in outputs[waiting.pop()].imports:
            name = Path(one.path).name
            if one.kind == "import-statement" and name not in found:
                found[name] = None
                waiting.append(name)
    return tuple(found)


def _compressed(name: str, content: bytes) -> Asset:
    return Asset(
        TYPES.get(Path(name).suffix, JSON), content, gzip.compress(content, 9, mtime=0), brotli.compress(content)
    )
