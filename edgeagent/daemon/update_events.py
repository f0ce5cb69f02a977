"""Ends of deployments as events: each once, also when the agent is killed or started again in between."""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import BaseModel

from edgeagent.delivery.state.record import FINAL_STATES, Record
from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.telemetry.event_log import EventLog

logger = logging.getLogger(__name__)

REPORTED = "reported-deployment.json"
TEXTS = {
    "good": "has passed its probation",
    "rejected": "was rejected",
    "rolled_back": "was rolled back",
}


class _Reported(BaseModel):
    """Content of the file: the last state of a deployment that was seen."""

    slot: str
    state: str
    since: str


class UpdateEvents:
    """Records an event for each end of a deployment; not thread-safe.

    Args:
        folder: state folder of the agent.
        events: receiver.
    """

    def __init__(self, folder: Path, events: EventLog) -> None:
        self._file, self._events = folder / REPORTED, events
        self._last, self._at_start = _read(self._file), True

    def check(self, record: Record) -> None:
        """Report the end of the last deployment, unless that has been done; called at the start, too.

        Without the file, the end that is found at the start is taken for reported.
        """
        at_start, self._at_start = self._at_start, False
        deployment = record.deployment
        if deployment is None:
            return
        model = deployment.model
        now = _Reported(slot=model.slot, state=deployment.state, since=deployment.since)
        if now == self._last:
            return
        if deployment.state in FINAL_STATES and not (at_start and self._last is None):
            text = f"{model.name} {model.version} {TEXTS[deployment.state]}"
            data: dict[str, str | int] = {
                "state": deployment.state,
                "name": model.name,
                "version": model.version,
                "sequence": model.sequence,
                "source": deployment.source,
            }
            if deployment.reason is not None:
                text, data = f"{text}: {deployment.reason}", {**data, "reason": deployment.reason}
            self._events.record("update", text, **data)
        self._last = now
        try:
            write_state(self._file, now.model_dump_json().encode())
        except EdgeagentError as error:
            logger.error("%s; the event may be repeated after the next start", error)


def _read(file: Path) -> _Reported | None:
    try:
        return read_json(file, _Reported)
    except FileNotFoundError:
        return None
    except (OSError, DamagedJsonError) as error:
        logger.warning("%s: cannot be read (%s); the last update may have no event", file, error)
        return None
