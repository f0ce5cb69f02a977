"""What an updater does now."""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.delivery.state.record import Record


@dataclass(frozen=True)
class UpdaterStatus:
    """What an updater does.

    Attributes:
        record: what is remembered.
        progress: share of the bytes that are here, 0..1; None when nothing is fetched.
        waits: why the deployment does not go on, if it does not.
        trouble: what hinders the deployment, until it goes on.
        blind: why the last look failed, until one succeeds.
    """

    record: Record
    progress: float | None = None
    waits: str | None = None
    trouble: str | None = None
    blind: str | None = None

    def describe(self) -> str:
        """Return it as a sentence for people."""
        current, deployment = self.record.current, self.record.deployment
        parts = [f"{current.name} {current.version} is good" if current else "the configured bundle is good"]
        if deployment is not None and deployment.state != "good":
            share = f" {self.progress:.0%}" if self.progress is not None else ""
            reason = deployment.reason or self.waits
            state = deployment.state.replace("_", " ")
            model = deployment.model
            parts.append(f"{model.name} {model.version}: {state}{share}{f' ({reason})' if reason else ''}")
        if self.record.pinned is not None:
            parts.append(f"pinned to {self.record.pinned}")
        parts += [what for what in (self.trouble, self.blind) if what is not None]
        return "; ".join(parts)
