"""The app as it is, spoken to by TLS: `python -m tests.tls CERTIFICATE KEY`. In the field a proxy does it."""

from __future__ import annotations

import sys
from functools import partial

import uvicorn

from server import cli

if __name__ == "__main__":
    certificate, key = sys.argv[1:]
    uvicorn.Config = partial(uvicorn.Config, ssl_certfile=certificate, ssl_keyfile=key)  # type: ignore[misc, assignment]
    sys.exit(cli.main([]))
