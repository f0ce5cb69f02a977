"""What is said when the store does not answer: a sentence for whoever asks, the reason for the log."""

from __future__ import annotations

import logging
import time

from edgeagent.errors import EdgeagentError
from edgeagent.files.naming import shortened
from edgeagent.fleet.store.protocol import StoreError
from edgeagent.timing.repeat_limit import RepeatLimit

logger = logging.getLogger(__name__)

AWAY = "The store does not answer; is the ingest running? The log of the server has the reason."
LONGEST_REASON = 300

_repeats = RepeatLimit()


def told_reason(error: EdgeagentError) -> str:
    """Return what a request is answered; the reason of the store goes to the log, once a minute."""
    if not isinstance(error, StoreError):
        return f"{error}."
    if _repeats.allows("store", time.monotonic()):
        logger.error("fleet page: %s", shortened(str(error), LONGEST_REASON))
    return AWAY
