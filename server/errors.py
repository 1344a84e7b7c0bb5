"""The domain errors, each with the stable code and the HTTP status that the web answers.

DomainError
├── Malformed 400          the request cannot be read
├── NotSignedIn 401
├── Forbidden 403
├── NotFound 404
├── Conflict 409
├── TooLarge 413
├── Invalid 422            it can be read, and a field is wrong
├── TooMany 429            come back after `retry_after` seconds
└── Unavailable 503
"""

from __future__ import annotations


class DomainError(Exception):
    """`message` is a sentence for people; `code` is for programs; `field` names what is wrong where one is."""

    status = 500
    code = "error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        field: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.field = field
        self.retry_after = retry_after


class Malformed(DomainError):
    status = 400
    code = "malformed"


class NotSignedIn(DomainError):
    status = 401
    code = "not_signed_in"


class Forbidden(DomainError):
    status = 403
    code = "forbidden"


class NotFound(DomainError):
    status = 404
    code = "not_found"


class Conflict(DomainError):
    status = 409
    code = "conflict"


class TooLarge(DomainError):
    status = 413
    code = "too_large"


class Invalid(DomainError):
    status = 422
    code = "invalid"


class TooMany(DomainError):
    status = 429
    code = "too_many"


class Unavailable(DomainError):
    status = 503
    code = "unavailable"


class CannotStart(Exception):
    """The process cannot do its work here; the text says why and what to do. Ends with exit status 2."""
