"""Present problems of the device, and the message ``alarm``."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from edgeagent.delivery.state.record import Record
from edgeagent.detection.serving_state import Change
from edgeagent.sensors.board import read_board
from edgeagent.telemetry.contract.messages import Alarm, Problem, ProblemCode
from edgeagent.timing.utc import utc_time


class Alarms:
    """Present problems, at most one of each subject; thread-safe."""

    def __init__(self) -> None:
        self._problems: dict[str, Problem] = {}
        self._lock = threading.Lock()
        self._boot_id = read_board().boot_id

    def update(self, code: ProblemCode, text: str | None) -> None:
        """Set a problem of the whole device, or clear it with None; a new text keeps the beginning."""
        with self._lock:
            known = self._problems.get(code)
        since = known.since if known is not None else utc_time(time.time())
        self._set(code, None if text is None else Problem(code=code, text=text, since=since))

    def update_serving(self, change: Change) -> None:
        """Set or clear the problem of the detector that serves."""
        now = utc_time(time.time())
        if change.serving is None:
            self._set("delegate", Problem(code="not_detecting", text=change.reason, since=now))
        elif not change.best:
            text = f"{change.serving} serves instead of the first choice: {change.reason}"
            self._set("delegate", Problem(code="fallback_delegate", text=text, since=now))
        else:
            self._set("delegate", None)

    def update_deployment(self, record: Record) -> None:
        """Set or clear the problem of the last deployment."""
        from edgeagent.delivery.deployment_report import problem  # only where it is used: it takes memory

        found = problem(record)
        if found is None:
            self._set("deployment", None)
        else:
            code, text, since = found
            self._set("deployment", Problem(code=code, text=text, since=since))

    def update_delivery(self, problems: Mapping[ProblemCode, str | None]) -> None:
        """Set the problems of delivery by their codes, or clear those that are None."""
        for code, text in problems.items():
            self.update(code, text)

    def update_drift(self, camera: str, text: str | None) -> None:
        """Set the drift of a camera, or clear it with None."""
        self.update_camera("drift", camera, text)

    def update_camera(self, code: ProblemCode, camera: str, text: str | None) -> None:
        """Set a problem of a camera, or clear it with None."""
        now = utc_time(time.time())
        found = None if text is None else Problem(code=code, text=text, camera=camera, since=now)
        self._set(f"{code} {camera}", found)

    def message(self, serving: str | None) -> Alarm:
        """Return the message ``alarm``; ``serving`` is the name of the candidate that serves."""
        with self._lock:
            problems = tuple(self._problems.values())
        return Alarm(time=utc_time(time.time()), boot_id=self._boot_id, serving=serving, problems=problems)

    def _set(self, subject: str, problem: Problem | None) -> None:
        """Replace the problem of a subject, and move it to the end."""
        with self._lock:
            self._problems.pop(subject, None)
            if problem is not None:
                self._problems[subject] = problem
