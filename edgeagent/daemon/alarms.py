"""What is wrong with the device now, from what its parts report."""

from __future__ import annotations

import threading
import time

from edgeagent.delivery.deployment_report import problem
from edgeagent.delivery.state.record import Record
from edgeagent.detection.serving import Change
from edgeagent.sensors.board import read_board
from edgeagent.telemetry.contract.messages import Alarm, Problem, ProblemCode
from edgeagent.timing.utc import utc_time


class Alarms:
    """Keeps the problems that are not over, one of each part and camera; may be used from several threads."""

    def __init__(self) -> None:
        self._problems: dict[str, Problem] = {}
        self._lock = threading.Lock()
        self._boot_id = read_board().boot_id

    def note(self, change: Change) -> None:
        """Learn what serves from now on."""
        now = utc_time(time.time())
        if change.serving is None:
            self._keep("delegate", Problem(code="not_detecting", text=change.reason, since=now))
        elif not change.best:
            text = f"{change.serving} serves instead of the first choice: {change.reason}"
            self._keep("delegate", Problem(code="fallback_delegate", text=text, since=now))
        else:
            self._keep("delegate", None)

    def note_deployment(self, record: Record) -> None:
        """Learn how far the last update is."""
        found = problem(record)
        if found is None:
            self._keep("deployment", None)
        else:
            code, text, since = found
            self._keep("deployment", Problem(code=code, text=text, since=since))

    def tell(self, code: ProblemCode, text: str | None) -> None:
        """Learn of something that is wrong by itself: what, for people, or None when it is over."""
        with self._lock:
            known = self._problems.get(code)
        since = known.since if known is not None else utc_time(time.time())
        self._keep(code, None if text is None else Problem(code=code, text=text, since=since))

    def note_drift(self, camera: str, text: str | None) -> None:
        """Learn that a camera shows something else than in its first days; None when that is over."""
        now = utc_time(time.time())
        self._keep(f"drift {camera}", None if text is None else Problem(code="drift", text=text, since=now))

    def message(self, serving: str | None) -> Alarm:
        """Return the message to publish; ``serving`` is what serves now."""
        with self._lock:
            problems = tuple(self._problems.values())
        return Alarm(time=utc_time(time.time()), boot_id=self._boot_id, serving=serving, problems=problems)

    def _keep(self, part: str, problem: Problem | None) -> None:
        """Replace what is wrong with a part; the other parts are as they were."""
        with self._lock:
            self._problems.pop(part, None)
            if problem is not None:
                self._problems[part] = problem
