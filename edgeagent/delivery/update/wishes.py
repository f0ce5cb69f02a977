"""Wishes of an operator as tables: state of the device x command -> what is done, or why it is refused.

No file, no clock, no network. :mod:`edgeagent.delivery.update.deployment_decisions` finds the state and does
what the tables say; docs/delivery-device.md shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pending = Literal["none", "update", "trial"]
"""Deployment in progress: none, one that does not serve yet, or one on trial."""
Before = Literal["nothing", "configured", "good", "withdrawn"]
"""What a rollback leads to: the good model before the one that serves, on trial or not.

``nothing``: the configured bundle serves, and there is nothing to leave. ``configured``: no good model comes
before. ``withdrawn``: one does, but the channel has withdrawn it, so that the configured bundle is next.
"""
Named = Literal["unknown", "withdrawn", "other_board", "offered", "in_progress"]
"""Release that a pin names, as the channel has it; ``in_progress`` is offered and being deployed."""
Action = Literal["end_update", "end_trial", "go_back", "leave_withdrawn", "pin", "unpin", "forgive", "cancel"]
"""Steps of a wish.

``end_update``: the deployment in progress ends, and is not bad here. ``end_trial``: the model on trial is bad
here. ``go_back``: the model that serves is bad here, and the one before is current. ``leave_withdrawn``: the
withdrawn good model is not current any more. ``cancel``: the update ends, and is bad here.
"""
Refusal = Literal[
    "nothing_before", "no_deployment", "on_trial", "not_offered", "withdrawn", "other_board", "not_bad"
]


@dataclass(frozen=True)
class WishOutcome:
    """What becomes of a wish.

    Attributes:
        actions: done in order; empty for a refusal.
        refusal: why not; None where it is done.
    """

    actions: tuple[Action, ...] = ()
    refusal: Refusal | None = None


def _do(*actions: Action) -> WishOutcome:
    return WishOutcome(actions)


def _refuse(why: Refusal) -> WishOutcome:
    return WishOutcome(refusal=why)


ROLLBACK: dict[tuple[Pending, Before], WishOutcome] = {
    ("none", "nothing"): _refuse("nothing_before"),
    ("none", "configured"): _do("go_back"),
    ("none", "good"): _do("go_back"),
    ("none", "withdrawn"): _do("go_back"),
    ("update", "nothing"): _refuse("nothing_before"),
    ("update", "configured"): _do("end_update", "go_back"),
    ("update", "good"): _do("end_update", "go_back"),
    ("update", "withdrawn"): _do("end_update", "go_back"),
    ("trial", "nothing"): _do("end_trial"),
    ("trial", "configured"): _do("end_trial"),
    ("trial", "good"): _do("end_trial"),
    ("trial", "withdrawn"): _do("end_trial", "leave_withdrawn"),
}
CANCEL: dict[Pending, WishOutcome] = {
    "none": _refuse("no_deployment"),
    "update": _do("cancel"),
    "trial": _refuse("on_trial"),
}
PIN: dict[tuple[Pending, Named], WishOutcome] = {
    **{(pending, "unknown"): _refuse("not_offered") for pending in ("none", "update", "trial")},
    **{(pending, "withdrawn"): _refuse("withdrawn") for pending in ("none", "update", "trial")},
    **{(pending, "other_board"): _refuse("other_board") for pending in ("none", "update", "trial")},
    ("none", "offered"): _do("pin"),
    ("update", "offered"): _do("pin", "end_update"),
    ("trial", "offered"): _do("pin", "end_update"),
    ("update", "in_progress"): _do("pin"),
    ("trial", "in_progress"): _do("pin"),
}
UNPIN = _do("unpin")
FORGIVE: dict[bool, WishOutcome] = {True: _do("forgive"), False: _refuse("not_bad")}
"""By whether the named model is bad here."""

TEXTS: dict[Action | Refusal, str] = {
    "end_update": "the update in progress ends, not bad here",
    "end_trial": "the trial ends, its model is bad here",
    "go_back": "the model that serves is bad here, the one before is current",
    "leave_withdrawn": "the withdrawn model is left, too",
    "cancel": "the update ends, bad here",
    "pin": "pinned, and forgiven",
    "unpin": "follows the channel",
    "forgive": "is no longer bad here",
    "nothing_before": "the bundle of the configuration serves",
    "no_deployment": "no deployment is in progress",
    "on_trial": "it is on trial; roll it back",
    "not_offered": "the channel does not offer it",
    "withdrawn": "it is withdrawn",
    "other_board": "it is for other boards",
    "not_bad": "it is not bad here",
}


def wish_table() -> list[tuple[str, str, str]]:
    """Return the rows of the table in docs/delivery-device.md: command, state, what is done."""
    doing = {"none": "no update", "update": "an update that does not serve yet", "trial": "a trial"}
    leads = {
        "nothing": "the configured bundle serves",
        "configured": "no good model before",
        "good": "a good model before",
        "withdrawn": "the model before is withdrawn",
    }
    names = {
        "unknown": "not offered",
        "withdrawn": "withdrawn",
        "other_board": "for other boards",
        "offered": "offered",
        "in_progress": "being deployed",
    }
    rows = [
        ("rollback", f"{doing[pending]}, {leads[before]}", _told(outcome))
        for (pending, before), outcome in ROLLBACK.items()
    ]
    rows += [("cancel", doing[pending], _told(outcome)) for pending, outcome in CANCEL.items()]
    rows += [
        ("pin", f"{doing[pending]}, the release is {names[named]}", _told(outcome))
        for (pending, named), outcome in PIN.items()
    ]
    rows += [("unpin", "any", _told(UNPIN))]
    return rows + [
        ("forgive", "the model is bad here" if bad else "it is not", _told(outcome))
        for bad, outcome in FORGIVE.items()
    ]


def _told(outcome: WishOutcome) -> str:
    if outcome.refusal is not None:
        return f"refused: {TEXTS[outcome.refusal]}"
    return "; ".join(TEXTS[action] for action in outcome.actions)
