"""Updates of the agent itself: its probation from the first moment on, and the updater beside delivery.

The probation depends on nothing but the broker and the count of frames, so that a version that cannot deliver
or detect is left, too.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from edgeagent.daemon.part import AgentPart
from edgeagent.detection.exchange import ModelExchange
from edgeagent.detection.frame_result import Result
from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import DamagedJsonError, read_json
from edgeagent.launcher.launched import Launched, launched, note_up
from edgeagent.launcher.record import read_agent_record
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.delivery import AgentUpdateSettings
from edgeagent.telemetry.event_log import EventLog
from edgeagent.telemetry.mqtt.interface import Publisher

if TYPE_CHECKING:
    from edgeagent.delivery.agent.probation import AgentProbation
    from edgeagent.delivery.service import Delivery

logger = logging.getLogger(__name__)

REPORTED = "reported.json"
DETECTING_S = 60.0
"""A frame that was detected in so recently shows that the agent detects."""


class _ReportedEnd(BaseModel):
    """Content of the file: the last end of an update that was reported."""

    version: str
    state: str
    since: str


class AgentUpdates(AgentPart):
    """Probation of this version and update to the next, where the launcher has started it.

    Args:
        settings: of the agent.
        publisher: connection to the broker.
        events: receiver of the ends of updates.
    """

    def __init__(self, settings: Settings, publisher: Publisher, events: EventLog) -> None:
        self._settings, self._publisher, self._events = settings, publisher, events
        self._start: Launched | None = launched()
        self._probation: AgentProbation | None = None
        self._frame_s: float | None = None

    def begin(self) -> None:
        """Note that this version is up, and begin its probation."""
        start = self._start
        note_up(start)
        if start is None:
            return
        self.report_end()
        if start.trial:
            from edgeagent.delivery.agent.probation import AgentProbation  # only where it is used

            self._probation = AgentProbation(
                start, self._probation_settings(), self._is_connected, self.report_end
            )
            self._probation.start()

    def attach(self, delivery: Delivery, models: ModelExchange) -> None:
        """Update the agent by the channel from now on."""
        start = self._start
        section = self._settings.delivery
        if section is None or section.agent is None:
            return
        if start is None:
            logger.warning("delivery.agent: only the installed service is updated; this agent is not")
            return
        from edgeagent.delivery.agent.agent_host import AgentHost  # only where it is used
        from edgeagent.delivery.agent.agent_updater import AgentUpdater
        from edgeagent.delivery.agent.probation import end_process

        def bundle() -> Path | None:
            return models.bundle.directory

        host = AgentHost(start, delivery.device, bundle, delivery.busy, self._health, end_process)
        updater = AgentUpdater(section, host)
        delivery.attach_agent(updater, start, self.report_end)
        if self._probation is not None:

            def ended() -> None:
                delivery.agent_changed()
                updater.look_again()

            self._probation.on_end = ended

    def stop(self, timeout_s: float = 0.0) -> None:
        """Watch no more."""
        if self._probation is not None:
            self._probation.stop()

    def frame(self, result: Result) -> None:
        """Count a frame."""
        self._frame_s = time.monotonic()
        if self._probation is not None:
            self._probation.count_frame()

    def report_end(self) -> None:
        """Report the end of the last update as an event, unless that has been done."""
        if self._start is None:
            return
        file = self._start.path / REPORTED
        try:
            last = read_agent_record(self._start.path).last
            if last is None:
                return
            now = _ReportedEnd(version=last.version, state=last.state, since=last.since)
            if now == _read(file):
                return
            from edgeagent.delivery.agent.report import describe_end

            data = {"state": last.state, "name": "edgeagent", "version": last.version}
            if last.reason is not None:
                data["reason"] = last.reason
            self._events.record("update", describe_end(last), **data)
            write_state(file, now.model_dump_json().encode())
        except EdgeagentError as error:
            logger.warning("%s; the end of the last update may be reported again", error)

    def _probation_settings(self) -> AgentUpdateSettings:
        section = self._settings.delivery
        return (section.agent if section is not None else None) or AgentUpdateSettings()

    def _is_connected(self) -> bool:
        return self._publisher.state == "connected"

    def _health(self) -> tuple[bool, bool]:
        detecting = self._frame_s is not None and time.monotonic() - self._frame_s < DETECTING_S
        return detecting, self._is_connected()


def _read(file: Path) -> _ReportedEnd | None:
    try:
        return read_json(file, _ReportedEnd)
    except FileNotFoundError:
        return None
    except (OSError, DamagedJsonError) as error:
        logger.warning("%s: cannot be read (%s); the last end may be reported again", file, error)
        return None
