"""What a site states of its reader: a JWT signed by a key of the site, to log in or to end the sessions. Pure.

joserfc checks the signature by the algorithm of the site's key, never by what the token says of itself; `jku`, `jwk`
and `x5u` are not looked at.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import msgspec

from server.errors import Forbidden, Invalid, NotSignedIn

ALGORITHMS = ("HS256", "EdDSA", "ES256")
MOST_CHARACTERS = 8_192
MOST_SECONDS = 300
# A site's clock may be ahead by as much.
LEEWAY_SECONDS = 60
LEAST_SECRET_BYTES = 32
MOST_KEY_ID_CHARACTERS = 60
MOST_CLAIM_CHARACTERS = 255
# By OpenID Connect Back-Channel Logout 1.0.
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
ROLES = ("member", "moderator")


@dataclass(frozen=True, slots=True)
class SiteKey:
    """`material`: the secret in base64url (HS256), else the public key as a JWK in JSON."""

    id: str
    algorithm: str
    material: str


@dataclass(frozen=True, slots=True)
class Statement:
    """`id` is used once. `issued` and `expires` in unix seconds. `name` is empty in one that ends the sessions."""

    id: str
    subject: str
    issued: int
    expires: int
    name: str = ""
    is_moderator: bool = False


def is_loaded() -> bool:
    return "joserfc.jwt" in sys.modules


def load() -> None:
    """Import what reads tokens: a tenth of a second, which most processes never need and no event loop should wait."""
    from joserfc import jwk, jwt  # noqa: F401, PLC0415


def fresh_secret(id_: str) -> SiteKey:
    return SiteKey(_checked_id(id_), "HS256", _encoded(secrets.token_bytes(LEAST_SECRET_BYTES)))


def given_key(id_: str, algorithm: str, given: str) -> SiteKey:
    """Return a key from what an operator has: a secret in base64url, or a public key (PEM, JWK). Raises Invalid."""
    if algorithm not in ALGORITHMS:
        raise Invalid("error.sso_algorithm", field="algorithm", names=", ".join(ALGORITHMS))
    if algorithm == "HS256":
        try:
            secret = _decoded(given.strip())
        except ValueError:
            secret = b""
        if len(secret) < LEAST_SECRET_BYTES:
            raise Invalid("error.sso_secret", field="key", count=LEAST_SECRET_BYTES)
        return SiteKey(_checked_id(id_), algorithm, _encoded(secret))
    from joserfc.errors import JoseError  # noqa: PLC0415 — 70 ms that most processes never need
    from joserfc.jwk import ECKey, OKPKey  # noqa: PLC0415

    kind: Any = OKPKey if algorithm == "EdDSA" else ECKey
    try:
        key = kind.import_key(json.loads(given) if given.lstrip().startswith("{") else given.encode())
        public = key.as_dict(private=False)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise Invalid("error.sso_public_key", field="key", algorithm=algorithm) from error
    if public.get("crv") != {"EdDSA": "Ed25519", "ES256": "P-256"}[algorithm]:
        raise Invalid("error.sso_public_key", field="key", algorithm=algorithm)
    return SiteKey(
        _checked_id(id_),
        algorithm,
        json.dumps({name: public[name] for name in ("kty", "crv", "x", "y") if name in public}),
    )


def key_id_of(token: str) -> str:
    """Return which of the site's keys the token names. Raises Forbidden."""
    if len(token) > MOST_CHARACTERS or token.count(".") != 2:
        raise Forbidden("error.sso_malformed", code="bad_token", field="sso")
    try:
        head = msgspec.json.decode(_decoded(token.partition(".")[0]), type=dict[str, Any])
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise Forbidden("error.sso_malformed", code="bad_token", field="sso") from None
    named = head.get("kid")
    if not isinstance(named, str) or not named or "crit" in head or "b64" in head:
        raise Forbidden("error.sso_key", code="bad_token", field="sso")
    return named


def verified(token: str, key: SiteKey, *, issuer: str, audience: str) -> dict[str, Any]:
    """Return the claims of a token that is signed by the key and meant for us, whenever it was made.

    `issuer`: the site's id; `audience`: our origin. Raises Forbidden (field: the claim).
    """
    claims = _signed(token, key)
    if claims.get("iss") != issuer:
        raise _wrong("iss")
    if claims.get("aud") not in (audience, [audience]):
        raise _wrong("aud")
    _words(claims, "sub")
    return claims


def subject_of(claims: dict[str, Any]) -> str:
    """Return of whom verified claims speak."""
    return _words(claims, "sub")


def statement(claims: dict[str, Any], *, now: float, is_logout: bool = False) -> Statement:
    """Return what verified claims state, where they count `now` (unix seconds).

    Raises Forbidden (field: the claim), NotSignedIn (`sso_expired`) for those whose time is over.
    """
    subject, once = _words(claims, "sub"), _words(claims, "jti")
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    if issued > now + LEEWAY_SECONDS:
        raise _wrong("iat")
    if not issued < expires <= issued + MOST_SECONDS:
        raise _wrong("exp")
    if "nbf" in claims and _moment(claims, "nbf") > now + LEEWAY_SECONDS:
        raise _wrong("nbf")
    events = claims.get("events")
    if is_logout != (isinstance(events, dict) and LOGOUT in events):
        raise _wrong("events")
    if expires <= now:
        raise NotSignedIn("error.sso_expired", code="sso_expired", field="exp")
    if is_logout:
        return Statement(once, subject, issued, expires)
    role = claims.get("role", "member")
    if role not in ROLES:
        raise _wrong("role")
    return Statement(once, subject, issued, expires, _words(claims, "name"), role == "moderator")


def _signed(token: str, key: SiteKey) -> dict[str, Any]:
    from joserfc import jwt  # noqa: PLC0415
    from joserfc.errors import JoseError, SecurityWarning  # noqa: PLC0415
    from joserfc.jwk import ECKey, OctKey, OKPKey  # noqa: PLC0415

    kind: Any = {"HS256": OctKey, "EdDSA": OKPKey, "ES256": ECKey}[key.algorithm]
    material = _decoded(key.material) if key.algorithm == "HS256" else json.loads(key.material)
    # RFC 9864 calls EdDSA by its curve, which few libraries do yet; joserfc warns of the old name.
    names = ["EdDSA", "Ed25519"] if key.algorithm == "EdDSA" else [key.algorithm]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            return dict(jwt.decode(token, kind.import_key(material), algorithms=names).claims)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise Forbidden("error.sso_signature", code="bad_token", field="sso") from None


def _words(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_CLAIM_CHARACTERS:
        raise _wrong(name)
    if any("\ud800" <= one <= "\udfff" for one in value):
        raise _wrong(name)
    return value


def _moment(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 2**53:
        raise _wrong(name)
    return int(value)


def _wrong(claim: str) -> Forbidden:
    return Forbidden("error.sso_claim", code="bad_token", field=claim, claim=claim)


def _checked_id(id_: str) -> str:
    if not id_.isascii() or not id_.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise Invalid("error.sso_key_id", field="key_id", most=MOST_KEY_ID_CHARACTERS)
    if len(id_) > MOST_KEY_ID_CHARACTERS:
        raise Invalid("error.sso_key_id", field="key_id", most=MOST_KEY_ID_CHARACTERS)
    return id_


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
