"""What came of a change of the running configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LiveResult:
    """Result of a change that was applied; one that is refused is a ConfigurationError.

    Attributes:
        applied: keys that changed.
        waiting: keys that differ from what runs and need a new start, with the reason.
        hidden: keys of the file that have no effect, as a live change holds them.
        saved: keys of live changes that the file has now.
    """

    applied: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the result as a sentence."""
        parts = [f"in the file now: {', '.join(self.saved)}"] if self.saved else []
        if self.applied or not parts:
            parts.append(f"applied: {', '.join(self.applied)}" if self.applied else "nothing has changed")
        if self.waiting:
            parts.append(f"needs a new start: {', '.join(self.waiting)}")
        if self.hidden:
            parts.append(f"held by live changes: {', '.join(self.hidden)}")
        return "; ".join(parts)

    def plain(self) -> dict[str, object]:
        """Return the result as JSON holds it."""
        found: dict[str, object] = {
            "applied": list(self.applied),
            "waiting": dict(self.waiting),
            "hidden": list(self.hidden),
        }
        return {**found, "saved": list(self.saved)} if self.saved else found
