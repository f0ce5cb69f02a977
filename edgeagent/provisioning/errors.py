"""Errors of provisioning."""

from __future__ import annotations

from edgeagent.errors import ConfigurationError


class ProvisioningError(ConfigurationError):
    """A table or a provisioning file cannot be used; the configuration of the board is as it was."""
