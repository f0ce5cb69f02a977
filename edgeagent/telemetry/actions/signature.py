"""Signature of a webhook as in the specification Standard Webhooks 1.0 (standardwebhooks.com).

HMAC-SHA256 over ``ID.TIMESTAMP.BODY``. The receiver computes it over the bytes that it has got, refuses old
time stamps, and takes each id once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from edgeagent.errors import ConfigurationError

PREFIX = "whsec_"


def secret_bytes(secret: str) -> bytes:
    """Return the key of a secret: base64 behind ``whsec_``, or any other text as it is.

    Raises:
        ConfigurationError: it begins with ``whsec_``, and no base64 or nothing follows; the text
            does not hold it.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:  # binascii.Error is one; text that is not ASCII gives another
        raise ConfigurationError("the secret of a webhook begins with whsec_ and is no base64") from None
    if not key:
        raise ConfigurationError("the secret of a webhook is whsec_ alone: everybody could sign with it")
    return key


def signed_headers(key: bytes | None, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a call.

    Args:
        key: of the signature; None does not sign.
        message_id: same in each attempt.
        timestamp: of this attempt, seconds since 1970.
        body: that is sent.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if key is not None:
        signed = f"{message_id}.{timestamp}.".encode() + body
        code = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(code).decode()}"
    return headers
