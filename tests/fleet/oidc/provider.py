"""A small identity provider: discovery, keys, authorization code flow with PKCE, signed ID tokens."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.web.page import free_port, wait_for_port

CLIENT, SECRET = "edgeagent-fleet", "a secret of the client"


@dataclass
class IdentityProvider:
    """Provider; who signs in, and what is wrong with it, are set by the test.

    Attributes:
        claims: of whoever signs in next.
        spoilt: claims that replace those of the ID token.
        foreign_key: whether the token is signed by another key.
        keys: what it gives as its key set; None gives its own.
        refuses: error with which it sends the browser back.
        codes: parameters of the authorization by code, each for one use.
    """

    port: int
    claims: dict[str, Any] = field(default_factory=dict)
    spoilt: dict[str, Any] = field(default_factory=dict)
    foreign_key: bool = False
    keys: Any = None
    refuses: str | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"  # another site than 127.0.0.1

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._describe),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def turn_key(self) -> None:
        """Sign with a new key from now on."""
        self.key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4)})

    async def _describe(self, request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _keys(self, request: Request) -> Response:
        return JSONResponse(KeySet([self.key]).as_dict(private=False) if self.keys is None else self.keys)

    async def _authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        if given.get("client_id") != CLIENT or given.get("response_type") != "code":
            return PlainTextResponse("unknown client", 400)
        if given.get("code_challenge_method") != "S256" or "openid" not in given.get("scope", "").split():
            return PlainTextResponse("PKCE and openid are required", 400)
        if self.refuses is not None:
            back = {"error": self.refuses, "state": given["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = given
            back = {"code": code, "state": given["state"], "iss": self.issuer}
        return RedirectResponse(f"{given['redirect_uri']}?{urlencode(back)}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or challenge != asked["code_challenge"]
            or form.get("redirect_uri") != asked["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
            **self.spoilt,
        }
        key = RSAKey.generate_key(2048) if self.foreign_key else self.key
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})


@contextlib.contextmanager
def running_provider() -> Iterator[IdentityProvider]:
    """Run a provider on the loopback interface."""
    provider = IdentityProvider(free_port())
    config = uvicorn.Config(
        provider.application(), host="127.0.0.1", port=provider.port, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for_port(provider.port)
        yield provider
    finally:
        server.should_exit = True
        thread.join()
