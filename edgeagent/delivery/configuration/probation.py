"""Probation of a signed configuration: what worked before it must work again. Pure.

::

    on trial --everything works for `steady`----------> good
             --something does not work after `within`--> bad (what is missing)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from edgeagent.delivery.configuration.record import WorkingParts
from edgeagent.settings.sections.delivery import ConfigurationTrialSettings

Verdict = Literal["on_trial", "good", "bad"]


def required_cameras(
    before: WorkingParts, known: Sequence[str], configured: Sequence[str]
) -> tuple[str, ...]:
    """Return the cameras that must deliver frames: those that did before, and new ones.

    A camera that did not work before need not work now. One that the new settings do not have is not missed.

    Args:
        before: what worked before.
        known: names of the cameras of the settings before.
        configured: names of the cameras of the settings now.
    """
    return tuple(name for name in configured if name in before.cameras or name not in known)


def missing(before: WorkingParts, now: WorkingParts, cameras: Sequence[str]) -> str | None:
    """Return what does not work as it must, in words; None if everything does.

    Args:
        before: what worked before.
        now: what works now.
        cameras: that must deliver frames.
    """
    lacking = [f"camera {name} delivers no frames" for name in cameras if name not in now.cameras]
    if before.detecting and not now.detecting:
        lacking.append("nothing is detected")
    if before.broker and not now.broker:
        lacking.append("the broker, which was connected, is not")
    return "; ".join(lacking) or None


class ConfigurationProbation:
    """Probation of one configuration.

    Args:
        settings: its limits; those of the file of the board.
        before: what worked before.
        cameras: that must deliver frames.
        began: monotonic seconds at which all parts had started.

    Attributes:
        lacks: what did not work at the last look; None where everything did.
    """

    def __init__(
        self,
        settings: ConfigurationTrialSettings,
        before: WorkingParts,
        cameras: Sequence[str],
        began: float,
    ) -> None:
        self._settings, self._before, self._cameras = settings, before, tuple(cameras)
        self._began = began
        self._works_since: float | None = None
        self.lacks: str | None = "not looked at yet"

    def look(self, now: WorkingParts, at: float) -> tuple[Verdict, str]:
        """Judge what works at a moment, monotonic seconds; return the verdict and its reason."""
        self.lacks = missing(self._before, now, self._cameras)
        if self.lacks is not None:
            self._works_since = None
        elif self._works_since is None:
            self._works_since = at
        if self._works_since is not None and at - self._works_since >= self._settings.steady:
            return "good", f"everything that worked before works again, for {self._settings.steady:g} s"
        if self.lacks is not None and at > self._began + self._settings.within:
            return "bad", f"after {at - self._began:.0f} s {self.lacks}"
        return "on_trial", self.lacks or "everything that worked before works again"
