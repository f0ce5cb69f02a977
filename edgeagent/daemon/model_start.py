"""First model of a run: started, and tried again with back-off while no engine works."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.serving_state import RETRY_FIRST_S, RETRY_LONGEST_S
from edgeagent.errors import EngineError, NoCandidateError

logger = logging.getLogger(__name__)


def keep_starting(start: Callable[[], ModelExchange], failed: Callable[[str], None]) -> ModelExchange:
    """Start a model, trying all delegates again after a pause while none works.

    The pause doubles from :data:`RETRY_FIRST_S` to :data:`RETRY_LONGEST_S`. The calling thread must live as
    long as the model.

    Args:
        start: starts the model.
        failed: called with the reason after each attempt that failed.

    Raises:
        NoCandidateError: no engine of the settings can ever run the bundle.
        EdgeagentError: another error of ``start``, such as a refused bundle.
    """
    pause_s = RETRY_FIRST_S
    while True:
        try:
            return start()
        except NoCandidateError:
            raise
        except EngineError as error:
            failed(str(error))
            logger.error("not detecting: %s; trying all delegates again in %g s", error, pause_s)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, RETRY_LONGEST_S)
