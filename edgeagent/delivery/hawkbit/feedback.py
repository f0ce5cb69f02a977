"""Feedback to hawkBit on an action, from the deployment record.

hawkBit closes an action on ``closed`` only: a failed or refused one is ``closed`` with ``failure``, as
hawkBit's ``rejected`` leaves the action open. A download-only action it closes on ``downloaded`` (hawkbit
DdiRootController).
"""

from __future__ import annotations

from collections.abc import Collection

from edgeagent.delivery.hawkbit.ddi import ActionFeedback
from edgeagent.delivery.state.record import FINAL_STATES, Deployment, Record
from edgeagent.telemetry.contract.deployment import State

STEPS: tuple[State, ...] = ("fetching", "verifying", "staged", "gating", "trial")
WORDS: dict[State, str] = {
    "fetching": "is fetched",
    "verifying": "is verified",
    "staged": "is complete and verified",
    "gating": "is tried on this board, while the current model serves",
    "trial": "serves on probation",
}
PROGRESS_STEP = 0.1


def deployment_of(action: str, models: Collection[str], record: Record) -> Deployment | None:
    """Return the deployment that fulfils an action; None while there is none.

    A deployment in progress of the same model, of another origin, fulfils it too.

    Args:
        action: its id.
        models: name and version of each of its software modules.
        record: deployment record.
    """
    deployment = record.deployment
    if deployment is None or deployment.action == action:
        return deployment
    same_model = f"{deployment.model.name} {deployment.model.version}" in models
    return deployment if same_model and deployment.state not in FINAL_STATES else None


def feedback_on(deployment: Deployment, progress: float | None, waiting: str | None) -> ActionFeedback:
    """Return the feedback on a deployment.

    Args:
        deployment: that fulfils the action.
        progress: fetched share, 0..1, reported in steps of a tenth; None when nothing is fetched.
        waiting: why it does not serve yet; None without a reason.
    """
    model = f"{deployment.model.name} {deployment.model.version}"
    state = deployment.state
    if state == "good":
        return ActionFeedback(execution="closed", finished="success", detail=f"{model} is good here")
    if state in FINAL_STATES:
        done = "was rolled back" if state == "rolled_back" else "was rejected"
        reason = deployment.reason or "no reason was given"
        return ActionFeedback(execution="closed", finished="failure", detail=f"{model} {done}: {reason}")
    detail = f"{model} {WORDS[state]}"
    if state == "fetching" and progress is not None:
        detail += f", {int(progress / PROGRESS_STEP + 1e-9) * PROGRESS_STEP:.0%}"
    if state == "staged" and waiting is not None:
        detail += f": {waiting}"
    return ActionFeedback(
        execution="downloaded" if state == "staged" else "proceeding",
        step=STEPS.index(state) + 1,
        steps=len(STEPS),
        detail=detail,
    )
