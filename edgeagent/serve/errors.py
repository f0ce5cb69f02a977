"""Errors of single requests; none of them ends the server."""

from __future__ import annotations

from edgeagent.errors import EdgeagentError


class BadRequestError(EdgeagentError):
    """A request is malformed, or its tensor is not the input of the bundle; asking again changes nothing."""


class NotNowError(EdgeagentError):
    """A correct request cannot be answered now: too many wait, or no engine serves. Ask again later."""
