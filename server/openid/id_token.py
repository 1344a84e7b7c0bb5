"""ID tokens: whose signature, for whom, until when, and of whom they speak (OpenID Connect Core 1.0, 3.1.3.7). Pure.

The algorithms are ours: neither what the token says of itself nor what the metadata list can add one.
"""

from __future__ import annotations

import base64
import hmac
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

# Each with the only kind of key that it may be checked by. RFC 9864 calls EdDSA by its curve.
ALGORITHMS = {
    "RS256": ("RSA", ""),
    "PS256": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
LEEWAY_SECONDS = 60
MAX_TOKEN_CHARACTERS = 64 * 1024
MAX_SUBJECT_CHARACTERS = 255
MOST_KEYS_TRIED = 20
MAX_EXPONENT_BYTES = 8
# Nobody has longer ones, and the time that a signature takes grows with them.
RSA_BYTES = range(2048 // 8, 8192 // 8 + 1)
_PUBLIC = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


class Untrue(Exception):
    """What a provider stated does not hold; the text says what, for the log: never the statement itself."""

    def __init__(self, what: str) -> None:
        super().__init__(what)


class UnknownKey(Untrue):
    """By none of the keys that are known: a fresh set may have it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`subject` is the person, for this issuer; `names`: what they may be called, the best first."""

    subject: str
    names: tuple[str, ...]


def read(token: str, keys: list[dict[str, Any]], *, issuer: str, client_id: str, nonce: str, now: float) -> Statement:
    """Return what the ID token states, where it is signed by one of the keys (JWK) and meant for this attempt.

    `now` in unix seconds. Raises UnknownKey, Untrue.
    """
    claims = _signed(token, keys)
    if claims.get("iss") != issuer:
        raise Untrue("iss")
    _check_audience(claims, client_id)
    if _moment(claims, "exp") + LEEWAY_SECONDS < now:
        raise Untrue("exp")
    if _moment(claims, "iat") - LEEWAY_SECONDS > now:
        raise Untrue("iat")
    if "nbf" in claims and _moment(claims, "nbf") - LEEWAY_SECONDS > now:
        raise Untrue("nbf")
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), nonce.encode()):
        raise Untrue("nonce")
    return Statement(subject(claims), names(claims))


def subject(claims: dict[str, Any]) -> str:
    """Return of whom the claims speak. Raises Untrue."""
    said = claims.get("sub")
    if not isinstance(said, str) or not said.strip() or len(said) > MAX_SUBJECT_CHARACTERS:
        raise Untrue("sub")
    try:
        said.encode()
    except UnicodeEncodeError:
        # JSON can write half of a pair.
        raise Untrue("sub") from None
    return said


def names(claims: dict[str, Any]) -> tuple[str, ...]:
    """Return what the person may be called here. An address is for letters: only what is before the @ is shown."""
    given = (claims.get(one) for one in ("name", "preferred_username", "nickname"))
    shown = (one.partition("@")[0].strip() if " " not in one else one for one in given if isinstance(one, str))
    return tuple(one for one in shown if one)


def _check_audience(claims: dict[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if client_id not in listed or not all(isinstance(one, str) for one in listed):
        raise Untrue("aud")
    if claims.get("azp", None if len(listed) > 1 else client_id) != client_id:
        raise Untrue("azp")


def _signed(token: str, keys: list[dict[str, Any]]) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARACTERS or token.count(".") != 2 or not token.isascii():
        raise Untrue("not a signed token")
    head = _object(token.partition(".")[0])
    algorithm, key_id = head.get("alg"), head.get("kid")
    if algorithm not in ALGORITHMS:
        raise Untrue("alg")
    if "crit" in head or "b64" in head:
        raise Untrue("crit")
    for key in _candidates(keys, str(algorithm), key_id):
        if _is_signed_by(token, key, str(algorithm)):
            return _object(token.split(".")[1])
    raise UnknownKey("signature")


def _candidates(keys: list[dict[str, Any]], algorithm: str, key_id: object) -> Iterator[dict[str, Any]]:
    """Yield the public parts of the keys that may have signed it."""
    kind, curve = ALGORITHMS[algorithm]
    tried = 0
    for key in keys:
        is_its = key.get("kty") == kind and (not curve or key.get("crv") == curve)
        is_for_this = key.get("use", "sig") == "sig" and key.get("alg", algorithm) in (algorithm, _other(algorithm))
        if is_its and is_for_this and (key_id is None or key.get("kid") == key_id) and tried < MOST_KEYS_TRIED:
            tried += 1
            yield {"kty": kind, **{name: key[name] for name in _PUBLIC[kind] if name in key}}


def _other(algorithm: str) -> str:
    return {"EdDSA": "Ed25519", "Ed25519": "EdDSA"}.get(algorithm, algorithm)


def _is_signed_by(token: str, key: dict[str, Any], algorithm: str) -> bool:
    from joserfc import jws  # noqa: PLC0415 — 70 ms that most processes never need
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    kinds: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    try:
        if key["kty"] == "RSA" and not _is_of_usual_size(key):
            return False
        with warnings.catch_warnings():
            # It warns of the older name of EdDSA.
            warnings.simplefilter("ignore", SecurityWarning)
            jws.deserialize_compact(token, kinds[key["kty"]].import_key(key), algorithms=[algorithm])
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        return False
    return True


def _is_of_usual_size(key: dict[str, Any]) -> bool:
    return len(_decoded(key["n"]).lstrip(b"\0")) in RSA_BYTES and len(_decoded(key["e"])) <= MAX_EXPONENT_BYTES


def _object(part: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(_decoded(part), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise Untrue("not a signed token") from None


def _moment(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2**53:
        raise Untrue(name)
    return float(value)


def _decoded(text: str) -> bytes:
    """Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
