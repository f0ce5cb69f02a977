"""Problems of delivery: the alarm code of an error of an update check or of a step of a deployment.

An unreachable repository and a wrong clock are no problems of a device that serves: the check is repeated,
and ``waiting`` has the reason.
"""

from __future__ import annotations

from edgeagent.delivery.errors import CancelledError, RefusedError, UnreachableError, WrongClockError
from edgeagent.delivery.repository.trust import ExpiredError
from edgeagent.errors import BundleError, EdgeagentError, EngineError
from edgeagent.telemetry.contract.messages import ProblemCode

CODES: tuple[ProblemCode, ...] = ("delivery_unavailable", "repository_refused", "repository_expires")
"""Codes that :func:`delivery_code` returns."""
_NO_PROBLEM = (UnreachableError, WrongClockError, CancelledError, EngineError, BundleError)


def delivery_code(error: EdgeagentError) -> ProblemCode | None:
    """Return the code of the alarm for an error of delivery; None for an error that is no alarm."""
    if isinstance(error, ExpiredError):
        return "repository_expires"
    if isinstance(error, RefusedError):
        return "repository_refused"
    return None if isinstance(error, _NO_PROBLEM) else "delivery_unavailable"
