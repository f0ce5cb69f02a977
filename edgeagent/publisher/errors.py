"""Errors of the publisher."""

from __future__ import annotations

from edgeagent.errors import DeliveryError


class PublishError(DeliveryError):
    """Nothing was published; the served state is as it was."""


class SigningKeyError(PublishError):
    """A key is missing, cannot be decrypted or cannot sign."""


class HaltedError(DeliveryError):
    """A rollout is halted by its condition: its next step is not signed."""

    exit_code = 8
