"""The domain errors, each with a text, the stable code and the HTTP status that the web answers.

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

from server.locales import Texts, Value, texts


class DomainError(Exception):
    """`text` is the key of a sentence for people, with `values`; `code` is for programs; `field` names what is wrong
    where one is. For logs and the command line, `str` returns the sentence in English.
    """

    status = 500
    code = "error"

    def __init__(
        self,
        text: str,
        /,
        *,
        code: str | None = None,
        field: str | None = None,
        retry_after: int | None = None,
        **values: Value,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.values = values
        self.code = code or self.code
        self.field = field
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.sentence(texts())

    def sentence(self, language: Texts) -> str:
        """Return what it says to people who read this language."""
        return language(self.text, **self.values)


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


class CommandFailed(Exception):
    """A command to the owner of the database failed; the text is what the owner said."""


class CannotStart(Exception):
    """The process cannot do its work here; the text says why and what to do. Ends with exit status 2."""
