"""Client of an identity provider: authorization code flow with PKCE, state and nonce.

::

    begin   description of the provider (OpenID Connect Discovery 1.0) -> address to sign in at
    finish  code for an ID token (with the verifier of PKCE, RFC 7636) -> signature by the
            keys of the provider, issuer, audience, times, nonce (OpenID Connect Core 1.0, 3.1.3.7) -> claims

All methods ask the network and block.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from edgeagent.errors import ConfigurationError
from edgeagent.files.secrets import read_secret
from edgeagent.fleet.oidc.oidc_claims import SignInRefusedError
from edgeagent.fleet.oidc.oidc_settings import OidcSettings
from edgeagent.fleet.oidc.provider_exchange import (
    CONNECT_S,
    DEADLINE_S,
    LARGEST_ANSWER,
    ProviderAwayError,
    ProviderExchange,
    told_as_away,
)
from edgeagent.fleet.oidc.sign_in_attempts import SignInAttempt

DISCOVERY = "/.well-known/openid-configuration"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Of signatures by a key pair; with the others anybody who knows the client's secret could sign."""
LEEWAY_S = 60
KEYS_S = 60.0
"""Keys are asked for anew at most so often, when a token names one that is not known."""
LONGEST_CODE = 4096


class OidcProvider:
    """Identity provider; thread-safe.

    Args:
        settings: of the provider.

    Raises:
        ConfigurationError: the secret cannot be read, or packages are missing.
    """

    def __init__(self, settings: OidcSettings) -> None:
        try:
            from authlib.integrations.requests_client import OAuth2Session
            from joserfc import jwt as _jwt  # noqa: F401 (of the extra)

            from edgeagent.fleet.oidc.bounded_adapter import BoundedAdapter
        except ImportError as error:
            raise ConfigurationError(
                f"--oidc needs more packages ({error}); pip install 'edgeagent[fleet]'"
            ) from error
        self.settings, self._session_type, self._adapter_type = settings, OAuth2Session, BoundedAdapter
        self._exchange = ProviderExchange(self._session)
        path = settings.client_secret_file
        self._secret = None if path is None else read_secret(path, "the secret of --oidc")
        self._lock = threading.Lock()
        self._description: Mapping[str, Any] | None = None
        self._keys: Any = None
        self._keys_at = 0.0

    def begin(self, attempt: SignInAttempt) -> str:
        """Return the address at which the browser signs in.

        Raises:
            ProviderAwayError: the provider cannot be reached.
        """
        endpoint = self._endpoint("authorization_endpoint")
        with self._session() as session:
            address, _ = session.create_authorization_url(
                endpoint, state=attempt.state, code_verifier=attempt.verifier, nonce=attempt.nonce
            )
        return str(address)

    def finish(self, attempt: SignInAttempt, given: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the claims of whoever has signed in.

        Args:
            attempt: that the same browser has begun, and whose state has come back.
            given: parameters with which the provider has sent the browser back.

        Raises:
            SignInRefusedError: it did not work, or something is not as it must be.
        """
        if "iss" in given and given["iss"].rstrip("/") != self.settings.issuer:  # RFC 9207
            raise SignInRefusedError("Another provider has answered. Try again.")
        if "error" in given:
            raise SignInRefusedError(f"The provider refuses: {given['error'][:80]}.")
        code = given.get("code", "")
        if not 0 < len(code) <= LONGEST_CODE:
            raise SignInRefusedError("The provider has answered without a code. Try again.")
        return self._claims(self._id_token(code, attempt.verifier), attempt.nonce)

    def _id_token(self, code: str, verifier: str) -> str:
        from authlib.common.errors import AuthlibBaseError

        endpoint = self._endpoint("token_endpoint")
        try:
            with self._exchange.session() as session, told_as_away():
                answer = session.fetch_token(
                    endpoint,
                    code=code,
                    code_verifier=verifier,
                    grant_type="authorization_code",
                    allow_redirects=False,
                )
        except AuthlibBaseError as error:
            raise SignInRefusedError(f"The provider does not accept the code ({error.error}).") from error
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise ProviderAwayError("The provider gives no ID token; does the client have the scope openid?")
        return token

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            try:
                read = jwt.decode(token, self._key_set(), algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):
                read = jwt.decode(token, self._key_set(anew=True), algorithms=list(ALGORITHMS))
            registry = jwt.JWTClaimsRegistry(
                leeway=LEEWAY_S,
                iss={"essential": True, "value": self._issuer()},
                aud={"essential": True, "value": self.settings.client_id},
                sub={"essential": True},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            )
            registry.validate(read.claims)
        except (JoseError, ValueError) as error:
            raise SignInRefusedError(
                f"What the provider says cannot be trusted ({_words_of(error)}); are the clocks right?"
            ) from error
        claims: dict[str, Any] = read.claims
        audience = claims["aud"]
        authorized = claims.get("azp")
        if (isinstance(audience, list) and len(audience) > 1 and authorized is None) or (
            authorized is not None and authorized != self.settings.client_id
        ):
            raise SignInRefusedError("What the provider says is for another page (azp).")
        return claims

    def _key_set(self, *, anew: bool = False) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        with self._lock:
            keys, at = self._keys, self._keys_at
        if keys is not None and not (anew and time.monotonic() - at >= KEYS_S):
            return keys
        try:
            keys = KeySet.import_key_set(cast("Any", self._exchange.get(self._endpoint("jwks_uri"))))
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise ProviderAwayError("The keys of the provider are no key set (RFC 7517).") from error
        with self._lock:
            self._keys, self._keys_at = keys, time.monotonic()
        return keys

    def _endpoint(self, name: str) -> str:
        address = str(self._described().get(name) or "")
        if urlsplit(address).scheme != "https" and not self.settings.issuer.startswith("http://"):
            raise ProviderAwayError(f"The provider describes no {name} with https.")
        if urlsplit(address).scheme not in ("https", "http"):
            raise ProviderAwayError(f"The provider describes no {name}.")
        return address

    def _issuer(self) -> str:
        return str(self._described()["issuer"])

    def _described(self) -> Mapping[str, Any]:
        with self._lock:
            known = self._description
        if known is not None:
            return known
        found = self._exchange.get(self.settings.issuer + DISCOVERY)
        if str(found.get("issuer", "")).rstrip("/") != self.settings.issuer:
            raise ProviderAwayError("The provider calls itself by another address; correct issuer.")
        with self._lock:
            self._description = found
        return found

    def _session(self) -> Any:
        session = self._session_type(
            self.settings.client_id,
            self._secret,
            scope=" ".join(dict.fromkeys(("openid", *self.settings.scopes))),
            redirect_uri=self.settings.redirect_uri,
            code_challenge_method="S256",
            default_timeout=(CONNECT_S, DEADLINE_S),
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter_type(DEADLINE_S, LARGEST_ANSWER))
        return session


def _words_of(error: Exception) -> str:
    """Return what an error of a token says, without the token."""
    return str(getattr(error, "description", "") or getattr(error, "error", "") or type(error).__name__)[:120]
