"""The body of an upload: larger than others, in memory and never in a file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from server.errors import Invalid, TooLarge
from server.pictures import MAX_BYTES
from server.web.requests.context import Visit

# With what a form has around it.
MAX_BODY_BYTES = MAX_BYTES + 16 * 1024
# For the route: the framework would answer for us where a body is larger, and not say which field it is.
BOUNDED_HERE = 2**63


class _InMemory(MultiPartParser):
    spool_max_size = MAX_BODY_BYTES


def check_length(visit: Visit) -> None:
    """Raises TooLarge by what the head says, before anything is read."""
    if int(visit.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        raise _too_large()


async def body(visit: Visit) -> bytes:
    """Return the picture that is the body. Raises TooLarge."""
    async with aclosing(_pieces(visit)) as pieces:
        return _checked(b"".join([piece async for piece in pieces]))


async def from_form(visit: Visit) -> bytes:
    """Return the picture that a form brings, empty where it brings none. Raises Invalid, TooLarge."""
    try:
        async with aclosing(_pieces(visit)) as pieces:
            form = await _InMemory(visit.headers, pieces, max_files=1, max_fields=1).parse()
    except (MultiPartException, KeyError) as error:
        # A KeyError where no type says what it is.
        raise Invalid("error.no_picture", field="picture") from error
    file = form.get("picture")
    return _checked(await file.read()) if isinstance(file, UploadFile) else b""


async def _pieces(visit: Visit) -> AsyncGenerator[bytes]:
    count = 0
    async for piece in visit.stream():
        count += len(piece)
        if count > MAX_BODY_BYTES:
            raise _too_large()
        yield piece


def _checked(content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise _too_large()
    return content


def _too_large() -> TooLarge:
    return TooLarge("error.large_picture", field="picture", most=MAX_BYTES // 2**20)
