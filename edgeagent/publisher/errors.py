"""What can go wrong while publishing."""

from __future__ import annotations

from edgeagent.errors import DeliveryError


class PublishError(DeliveryError):
    """Nothing was published; what is served is as it was."""


class SigningKeyError(PublishError):
    """A key is missing, does not open or does not sign."""


class HaltedError(DeliveryError):
    """The condition of a rollout holds, or held: its next step is not signed."""

    exit_code = 8
