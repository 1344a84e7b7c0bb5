"""Logging: plain lines on a terminal, one JSON object per line everywhere else.

What visitors send is never logged: no bodies, tokens or query strings.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import time

import msgspec

# The request in whose course a line is logged: also the answer's X-Request-Id.
request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            said["request"] = request_id.get()
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(said).decode()


def begin() -> None:
    """Send every logger's lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(levelname)s %(name)s: %(message)s") if sys.stderr.isatty() else JsonLines()
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # Polls of gateways are not worth logging.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
