"""What is shown where there is nothing yet: how to begin."""

from __future__ import annotations

from edgeagent.web.views.markup import empty


def no_devices() -> str:
    """Return how devices get into the store."""
    return empty(
        "No devices yet",
        "Start the ingest beside this page: <code>edgeagent fleet serve --broker HOST</code>, or as processes of its own "
        "<code>edgeagent fleet ingest</code>. A device appears with its first message, within seconds. To look around "
        "without boards: <code>edgeagent fleet simulate --devices 200</code>.",
    )


def no_match() -> str:
    """Return what to do where no device fulfils the conditions."""
    return empty(
        "No device is like this",
        'Take a condition away, or <a href="/devices">show all devices</a>. The search is for a part of the name.',
    )


def no_models() -> str:
    """Return when figures of models are there."""
    return empty(
        "No figures in this span",
        "They are computed from telemetry, hour by hour: choose a longer span, or wait for the first devices to report.",
    )


def no_rollouts() -> str:
    """Return how a rollout begins."""
    return empty(
        "Nothing was rolled out yet",
        "<code>edgeagent publish rollout stable NAME VERSION --percent 5,25,100 --every 1d</code> plans one; the devices "
        "report each step here. Give devices the label <code>cohort</code> on their pages to see them apart.",
    )


def no_alarms(which: str) -> str:
    """Return what it means that there is no alarm."""
    told = {
        "open": "No alarm waits for anybody. Acknowledged ones are under “Present”.",
        "present": "No connected device reports a problem.",
        "ended": "An alarm is here when its cause is gone.",
    }.get(which, "No device has reported a problem so far.")
    return empty("No alarms", told)
