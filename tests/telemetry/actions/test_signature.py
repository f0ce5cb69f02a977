"""Signature against the example of the specification Standard Webhooks."""

from __future__ import annotations

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.telemetry.actions.signature import secret_bytes, signed_headers


def test_the_example_of_the_specification() -> None:
    key = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"


def test_without_a_secret_nothing_is_signed() -> None:
    assert "webhook-signature" not in signed_headers(None, "id", 1, b"")
    assert secret_bytes("plain text") == b"plain text"


@pytest.mark.parametrize("secret", ["whsec_", "whsec_QUJD REVG", "whsec_é", "whsec_QUJ"])
def test_a_secret_that_is_no_key_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="secret of a webhook"):
        secret_bytes(secret)
