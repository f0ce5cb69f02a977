"""Status of the updater."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.delivery.state.record import Record


@dataclass(frozen=True)
class UpdaterStatus:
    """Status of the updater.

    Attributes:
        record: deployment record.
        progress: fetched share of the bytes, 0..1; None when nothing is fetched.
        waiting: why the deployment waits; None if it does not.
        step_error: error of the deployment's last step, until one succeeds.
        check_error: error of the last update check, until one succeeds.
    """

    record: Record
    progress: float | None = None
    waiting: str | None = None
    step_error: str | None = None
    check_error: str | None = None

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
        parts += [error for error in (self.step_error, self.check_error) if error is not None]
        return "; ".join(parts)
