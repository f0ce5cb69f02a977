"""Table of all keys: which change while the agent runs, which need a new start, and which MQTT may set.

A key stands in exactly one of :data:`LIVE` and :data:`NEW_START`, itself or by a section above it; a test
walks the schema. Keys of cameras are further divided by whether their stream goes on.
"""

from __future__ import annotations

from collections.abc import Mapping

CAMERAS = "cameras"

LIVE: Mapping[str, str] = {
    "cameras": "streams, scenes and all that is counted by camera",
    "model.score_threshold": "pipeline, trackers and drift",
    "telemetry.interval": "telemetry",
    "telemetry.detections": "messages of detections",
    "telemetry.detections_changes": "messages of detections",
    "telemetry.detections_rate": "messages of detections",
    "telemetry.detections_empty": "messages of detections",
    "objects": "counts and presence, which begin anew",
    "tracking": "trackers; another `tracker` ends all objects",
    "events": "lives of objects",
    "snapshots": "pictures of objects",
    "power.budget_w": "controller of the frame rate, which begins anew",
    "adaptive": "controller of the frame rate, which begins anew",
}
"""Keys that change live, and the parts that follow."""

NEW_START: Mapping[str, str] = {
    "device": "it is in all topics, and in the client id at the broker",
    "state": "it holds all files of the running agent",
    "model.bundle": "the model is loaded and checked at a start",
    "model.engine": "delegates are tried at a start",
    "model.library": "delegates are tried at a start",
    "model.threads": "the engine is started with it",
    "model.spinning": "the engine is started with it",
    "model.check_every": "the engine is started with it",
    "model.worker": "the engine is started with it",
    "model.iou_threshold": "the decoder is built with the model",
    "mqtt": "the connection is made at a start",
    "telemetry.spool": "it is opened at a start",
    "power.idle_w": "the energy since the start is counted with it",
    "power.full_w": "the energy since the start is counted with it",
    "accuracy": "measurements go on over days with the same options",
    "clips": "its streams and the thread of its files begin at a start",
    "hard_frames": "its folder and its thread begin at a start",
    "actions": "it is only in the file of the board, and its spool is opened at a start",
    "web": "its port is opened at a start",
    "home_assistant": "adapters are opened at a start",
    "prometheus": "its port is opened at a start",
    "otlp": "adapters are opened at a start",
    "sparkplug": "adapters are opened at a start",
    "frigate": "adapters are opened at a start",
    "delivery": "it decides what the board runs",
}
"""Keys that need a new start of the agent, and why."""

STREAM_RESTARTS: frozenset[str] = frozenset(
    {
        "source",
        "width",
        "height",
        "fps",
        "pace",
        "loop",
        "open_timeout",
        "read_timeout",
        "retry_first",
        "retry_longest",
        "decoder",
    }
)
"""Keys of a camera that open its stream anew; the other cameras go on."""

STREAM_GOES_ON: frozenset[str] = frozenset(
    {"weight", "zones", "lines", "masks", "ground", "motion", "regions", "tiles", "clip_source"}
)
"""Keys of a camera that leave its stream, its tracks and its objects as they are."""

REMOTE: tuple[str, ...] = (
    "cameras.weight",
    "cameras.zones",
    "cameras.lines",
    "model.score_threshold",
    "telemetry.interval",
    "telemetry.detections",
    "telemetry.detections_changes",
    "telemetry.detections_rate",
    "telemetry.detections_empty",
    "objects",
    "tracking",
    "events",
    "power.budget_w",
    "adaptive",
)
"""Keys that the command ``set`` may change: no sources, masks or folders, and no cameras as a whole."""


def schema_path(key: str) -> str:
    """Return a key without the name of its camera: ``cameras.zones`` for ``cameras.yard.zones``."""
    steps = key.split(".")
    if steps[0] == CAMERAS and len(steps) > 1:
        del steps[1]
    return ".".join(steps)


def entries(table: Mapping[str, str] | tuple[str, ...], path: str) -> list[str]:
    """Return the entries of a table that cover a path of the schema: itself, or a section above it."""
    return [entry for entry in table if path == entry or path.startswith(f"{entry}.")]


def needs_new_start(key: str) -> str | None:
    """Return why a key needs a new start; None for one that changes live."""
    path = schema_path(key)
    if entries(LIVE, path):
        return None
    found = entries(NEW_START, path)
    return NEW_START[found[0]] if found else "this version knows no way to change it live"


def may_be_remote(key: str) -> bool:
    """Return whether the command ``set`` may change a key."""
    steps = key.split(".")
    whole_camera = steps[0] == CAMERAS and len(steps) < 3
    return not whole_camera and bool(entries(REMOTE, schema_path(key)))
