"""Status of the updater."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgeagent.delivery.problems import CODES
from edgeagent.delivery.state.record import Record
from edgeagent.telemetry.contract.messages import ProblemCode

_CLOCK_TIMES = re.compile(r"here it is \d\d:\d\d|shows \d{4}-\d\d-\d\d \d\d:\d\d UTC")


@dataclass(frozen=True)
class UpdaterStatus:
    """Status of the updater.

    Attributes:
        record: deployment record.
        progress: fetched share of the bytes, 0..1; None when nothing is fetched.
        waiting: why the deployment waits; None if it does not.
        step_error: error of the deployment's last step, until one succeeds.
        check_error: error of the last update check, until one succeeds.
        no_target: why the last update check found no release to move to; None if it found one.
        expires: which signed metadata expire soon, as a sentence; None if none do.
        step_code, check_code: codes of the alarms for the two errors; None for one that is no alarm.
    """

    record: Record
    progress: float | None = None
    waiting: str | None = None
    step_error: str | None = None
    check_error: str | None = None
    no_target: str | None = None
    expires: str | None = None
    step_code: ProblemCode | None = None
    check_code: ProblemCode | None = None

    @property
    def waits_for(self) -> str | None:
        """Why the device does not move on now; None without a reason."""
        return self.waiting or self.step_error or self.check_error or self.no_target

    @property
    def problems(self) -> dict[ProblemCode, str | None]:
        """Text of each alarm of delivery by its code; None for those that are off."""
        found: dict[ProblemCode, str | None] = dict.fromkeys(CODES)
        found["repository_expires"] = self.expires
        for code, error in ((self.step_code, self.step_error), (self.check_code, self.check_error)):
            if code is not None:
                found[code] = error
        return found

    @property
    def reported(self) -> tuple[object, ...]:
        """What is published of it, without times of the clock, which change by themselves."""
        texts = (self.waits_for, *self.problems.values())
        return tuple(None if text is None else _CLOCK_TIMES.sub("", text) for text in texts)

    def describe(self) -> str:
        """Return the status as a sentence."""
        current, deployment = self.record.current, self.record.deployment
        parts = [f"{current.name} {current.version} is good" if current else "the configured bundle is good"]
        if deployment is not None and deployment.state != "good":
            share = f" {self.progress:.0%}" if self.progress is not None else ""
            reason = deployment.reason or self.waiting
            state = deployment.state.replace("_", " ")
            model = deployment.model
            parts.append(f"{model.name} {model.version}: {state}{share}{f' ({reason})' if reason else ''}")
        if self.record.pinned is not None:
            parts.append(f"pinned to {self.record.pinned}")
        waiting = None if deployment is not None and deployment.reason is None else self.waiting
        others = (waiting, self.step_error, self.check_error, self.no_target, self.expires)
        parts += [text for text in dict.fromkeys(others) if text is not None]
        return "; ".join(parts)
