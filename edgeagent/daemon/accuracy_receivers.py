"""Receivers of what the accuracy watch finds: state and events, and hard frames where they are kept."""

from __future__ import annotations

from edgeagent.accuracy.live.accuracy_watch import AccuracyCallbacks
from edgeagent.daemon.hard_frames import HardFrameWatch
from edgeagent.daemon.state_messages import StateMessages


def accuracy_callbacks(state: StateMessages, hard_frames: HardFrameWatch | None) -> AccuracyCallbacks:
    """Return the receivers of the accuracy watch.

    Args:
        state: publishes what is found.
        hard_frames: keeps the frames concerned; None where none are kept.
    """
    if hard_frames is None:
        return AccuracyCallbacks(state.accuracy_changed, state.drift_changed, state.agreement_changed)

    def drift_changed(camera: str, problem: str | None) -> None:
        state.drift_changed(camera, problem)
        hard_frames.drift_changed(camera, problem)

    return AccuracyCallbacks(
        state.accuracy_changed, drift_changed, state.agreement_changed, hard_frames.compared
    )
