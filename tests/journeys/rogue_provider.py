"""An OpenID provider that says whatever it is told to: also what no honest one would. Each tenant is an issuer."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

SECRET = "a-secret-of:the+provider"
CLIENT = "live thread"
BY_FORM = "client_secret_post"


def fresh_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@dataclass
class Tenant:
    """`spoils` replaces what it would say, by the name of an answer: None leaves it out. `forge`, if it is there, makes
    the ID token of the claims."""

    issuer: str
    subject: str = "1"
    key: Any = field(default_factory=fresh_key)
    algorithm: str = "RS256"
    key_id: str | None = "k1"
    # Of its windows, towards those that opened them.
    policy: str = "unsafe-none"
    spoils: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def spoilt(self, answer: str, said: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in (said | self.spoils.get(answer, {})).items() if value is not None}

    def answer(self, path: str, query: dict[str, str], form: dict[str, str], authorization: str) -> tuple[int, Any]:
        """Return a status, and JSON or where a redirect leads."""
        self.asked.append(path)
        if held := self.spoils.get("holds", {}).get(path):
            held.wait()
        if self.spoils.get("status", {}).get(path):
            status = self.spoils["status"][path]
            return status, f"{self.issuer}/elsewhere" if status == 302 else {"error": "spoilt"}
        if path == "/.well-known/openid-configuration":
            ends = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
            promised = {"authorization_response_iss_parameter_supported": True}
            said = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **ends, **promised}
            return 200, self.spoilt("metadata", said)
        if path == "/keys":
            public = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.key.public_key(), as_dict=True)
            return 200, self.spoilt("keys", {"keys": [{**public, "kid": self.key_id, "use": "sig"}]})
        if path == "/authorization":
            assert query["response_type"] == "code", query
            code = secrets.token_urlsafe(16)
            self.codes[code] = query
            said = self.spoilt("redirect", {"code": code, "state": query["state"], "iss": self.issuer})
            return 302, f"{query['redirect_uri']}?{urlencode(said)}"
        if path == "/token":
            return self.token(form, authorization)
        if path == "/userinfo":
            assert authorization == "Bearer access"
            return 200, self.spoilt("userinfo", {"sub": self.subject, "name": f"Person {self.subject}"})
        return 404, {}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        is_by_form = self.spoils.get("metadata", {}).get("token_endpoint_auth_methods_supported") == [BY_FORM]
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        told = (
            [(form.get("client_id"), form.get("client_secret"))]
            if is_by_form
            else parse_qsl(given.replace(":", "=", 1))
        )
        known = told == [(CLIENT, SECRET)]
        began = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if not known or began is None or form["redirect_uri"] != began["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if base64.urlsafe_b64encode(digest).decode().rstrip("=") != began["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = self.spoilt(
            "claims",
            {
                "iss": self.issuer, "aud": CLIENT, "sub": self.subject, "nonce": began["nonce"], "iat": now,
                "exp": now + 300, "name": f"Person {self.subject}",
            },
        )  # fmt: skip
        return 200, self.spoilt("token", {"id_token": self.signed(claims), "access_token": "access"})

    def signed(self, claims: dict[str, Any]) -> str:
        if "forge" in self.spoils:
            return str(self.spoils["forge"](self, claims))
        head = {"kid": self.key_id} if self.key_id else {}
        # As bytes, since the library would refuse some claims.
        return jwt.api_jws.encode(json.dumps(claims).encode(), self.key, self.algorithm, head)


class Rogue:
    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.tenants: dict[str, Tenant] = {}

    def tenant(self, name: str) -> Tenant:
        if name not in self.tenants:
            self.tenants[name] = Tenant(f"{self.origin}/{name}")
        return self.tenants[name]

    def toml(self, *names: str) -> str:
        return "".join(
            f'[{name}]\nissuer = "{self.tenant(name).issuer}"\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
            f'label = "The {name}"\n'
            for name in names
        )


class _Handler(BaseHTTPRequestHandler):
    rogue: Rogue

    def _answer(self, form: dict[str, str]) -> None:
        parts = urlsplit(self.path)
        _, name, path = parts.path.split("/", 2)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        authorization = self.headers.get("authorization", "")
        tenant = self.rogue.tenant(name)
        status, said = tenant.answer(f"/{path}", query, form, authorization)
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", said)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cross-Origin-Opener-Policy", tenant.policy)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode())))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(host: str = "127.0.0.1", certified: ssl.SSLContext | None = None) -> Iterator[Rogue]:

    class Handler(_Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certified:
        server.socket = certified.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certified else "http"
    Handler.rogue = rogue = Rogue(f"{scheme}://{host}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield rogue
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
