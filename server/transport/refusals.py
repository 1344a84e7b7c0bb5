"""An answer sent without the application: a status, a sentence, and a closed connection."""

from __future__ import annotations

from http import HTTPStatus


class Refused(Exception):
    """The peer may come back after `retry_after` seconds; None: the same would be refused again."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after = retry_after

    def written(self) -> bytes:
        """Return the whole answer."""
        sentence = self.sentence.encode()
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(sentence)}",
            "x-content-type-options: nosniff",
            "connection: close",
        ]
        if self.retry_after is not None:
            lines.append(f"retry-after: {self.retry_after}")
        if self.status == HTTPStatus.UPGRADE_REQUIRED:
            lines += ["upgrade: websocket", "sec-websocket-version: 13"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + sentence
