"""An answer in several pieces, some of which others are given, too."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class InPieces(Response):
    """Sends the `pieces` one after the other, as they are: they are not joined, and what is shared is held once."""

    def __init__(self, pieces: Sequence[bytes], status: int, headers: dict[str, str], media_type: str) -> None:
        length = str(sum(map(len, pieces)))
        super().__init__(b"", status, {**headers, "Content-Length": length}, media_type)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
