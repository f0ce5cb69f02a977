"""What to do about each alarm; docs/alarms.md says more."""

from __future__ import annotations

WHAT_TO_DO: dict[str, str] = {
    "starting": "Wait: the delegates are measured. If it does not end, the journal names the one under trial.",
    "not_detecting": "Run edgeagent doctor on the device; it lists every delegate with its reason. Check the accelerator, "
    "the packages and the free memory.",
    "fallback_delegate": "The first choice is tried again by itself. If this stays: check cable, power supply and heat of the "
    "accelerator.",
    "camera_lost": "Check power, address and password of the camera, and whether another program has it open.",
    "camera_unhealthy": "Look at the lens and at the light.",
    "update_rejected": "Tell the publisher of the model; the one before goes on.",
    "rolled_back": "Tell the publisher of the model; the last good one serves.",
    "throttled": "Cool the board: fan, heat sink, shade, or a lower frame rate.",
    "under_voltage": "Use a stronger power supply and a shorter cable; the board may freeze.",
    "drift": "Look at the picture: was the camera moved, is the light another one? The accuracy may be lower.",
    "low_agreement": "Tell the publisher of the model: it may not fit this scene any more.",
    "delivery_unavailable": "Read the text of the alarm; models stay as they are until the next start.",
    "repository_refused": "Tell the publisher: the metadata of the repository is refused. The last good model serves.",
    "repository_expires": "Tell the publisher to sign the repository again before this date.",
    "agent_update_failed": "Tell the publisher; the version before goes on.",
    "configuration_refused": "Tell the publisher; the configuration before goes on.",
    "configuration_rolled_back": "Tell the publisher; the last good configuration serves.",
    "certificate_expires": "Renew the certificate before this date.",
    "internal_error": "Report this with the journal of the service: a part of the agent has a bug, and runs again.",
    "page_unreachable": "End the program that holds the port of the live page, or give web.listen another port.",
}
GENERAL = "docs/alarms.md says what this code means, and what to do."


def advice_for(code: str) -> str:
    """Return what a person does about an alarm."""
    return WHAT_TO_DO.get(code, GENERAL)
