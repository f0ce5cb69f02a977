"""Tables that are computed from the messages, and can be computed again at any time.

A materialised view of ClickHouse sees each insertion, so that a message that arrives twice is added twice.
Here each row is a function of the messages (the roll-ups, :data:`SEQUENCES`) or the greatest by time
(:data:`DEVICES`): to compute it twice gives the same row, which replaces the one before
(docs/adr/0052-fleet-store.md).
"""

from __future__ import annotations

from edgeagent.fleet.store.columns import (
    BUCKETS,
    DEVICE,
    MAYBE_COUNT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MAYBE_TIME,
    MAYBE_WORD,
    TEXT,
    TIME,
    WORD,
    Column,
    Table,
)

DEVICES = Table(
    "devices",
    "Devices: one row each, with what the newest message of each stream says; `..._time` is its time.",
    (
        *DEVICE,
        ("updated", TIME),
        ("first_stored", TIME),
        ("last_stored", TIME),
        ("status", MAYBE_WORD),
        ("status_time", MAYBE_TIME),
        ("info_time", MAYBE_TIME),
        ("agent", MAYBE_WORD),
        ("board", MAYBE_WORD),
        ("architecture", MAYBE_WORD),
        ("system", MAYBE_WORD),
        ("kernel", MAYBE_WORD),
        ("bundle", MAYBE_WORD),
        ("bundle_version", MAYBE_WORD),
        ("artefact", MAYBE_WORD),
        ("engine", MAYBE_WORD),
        ("delegate", MAYBE_WORD),
        ("cameras", "Array(String)"),
        ("configuration", MAYBE_WORD),
        ("alarm_time", MAYBE_TIME),
        ("serving", MAYBE_WORD),
        ("problem_codes", f"Array({WORD})"),
        ("problem_texts", "Array(String)"),
        ("deployment_time", MAYBE_TIME),
        ("deployment_state", MAYBE_WORD),
        ("deployment_name", MAYBE_WORD),
        ("deployment_version", MAYBE_WORD),
        ("deployment_reason", MAYBE_TEXT),
        ("rollout", MAYBE_WORD),
        ("accuracy_time", MAYBE_TIME),
        ("map50_95", MAYBE_NUMBER),
        ("map_claimed", MAYBE_NUMBER),
        ("map_tolerance", MAYBE_NUMBER),
        ("recent_agreement", MAYBE_NUMBER),
        ("drifted_cameras", MAYBE_COUNT),
        ("telemetry_time", MAYBE_TIME),
        ("run", "Nullable(Int64)"),
        ("uptime_s", MAYBE_NUMBER),
        ("fps", MAYBE_NUMBER),
        ("cameras_running", MAYBE_COUNT),
        ("p50_ms", MAYBE_NUMBER),
        ("p90_ms", MAYBE_NUMBER),
        ("p99_ms", MAYBE_NUMBER),
        ("watts", MAYBE_NUMBER),
        ("power_quality", MAYBE_WORD),
        ("joules_per_inference", MAYBE_NUMBER),
        ("temperature_c", MAYBE_NUMBER),
        ("cpu_percent", MAYBE_NUMBER),
        ("memory_available_mb", MAYBE_NUMBER),
        ("throttled", f"Array({WORD})"),
        ("clock", MAYBE_WORD),
        ("clock_offset_s", MAYBE_NUMBER),
    ),
    ("tenant", "device"),
    derived=True,
)

MODEL: tuple[Column, ...] = (
    ("bundle", WORD),
    ("bundle_version", WORD),
    ("artefact", WORD),
    ("delegate", WORD),
)
"""Model that served; empty where the device has not said which."""

_PARTS = {"minute": "toYYYYMMDD(at)", "hour": "toMonday(at)", "day": "toYYYYMM(at)"}
_SYSTEM: tuple[Column, ...] = (
    ("computed", TIME),
    ("messages", "UInt64"),
    ("seconds", "Float64"),
    ("frames", "Float64"),
    ("frames_dropped", "UInt64"),
    ("energy_j", MAYBE_NUMBER),
    ("energy_covered_s", MAYBE_NUMBER),
    ("inference_used_j", MAYBE_NUMBER),
    ("inference_idle_j", MAYBE_NUMBER),
    ("inferences", MAYBE_COUNT),
    ("watts_max", MAYBE_NUMBER),
    ("temperature_max_c", MAYBE_NUMBER),
    ("temperature_mean_c", MAYBE_NUMBER),
    ("cpu_mean_percent", MAYBE_NUMBER),
    ("memory_least_mb", MAYBE_NUMBER),
    ("throttled_messages", "UInt64"),
)
_LATENCY: tuple[Column, ...] = (("computed", TIME), ("buckets", BUCKETS))


def _system(step: str, days: int | None) -> Table:
    return Table(
        f"system_{step}",
        f"Telemetry of each device and model by {step}; rows with 0 messages are void.",
        (*DEVICE, ("at", TIME), *MODEL, *_SYSTEM),
        ("tenant", "device", "at", *(name for name, _ in MODEL)),
        _PARTS[step],
        "at",
        days,
        derived=True,
        indexes=("at", "computed"),
    )


def _latency(step: str, days: int | None) -> Table:
    return Table(
        f"latency_{step}",
        f"Histogram of each stage, device and model by {step}, all cameras together; empty ones are void.",
        (*DEVICE, ("at", TIME), *MODEL, ("stage", WORD), *_LATENCY),
        ("tenant", "device", "stage", "at", *(name for name, _ in MODEL)),
        _PARTS[step],
        "at",
        days,
        derived=True,
        indexes=("at", "computed"),
    )


STEPS = {"minute": 90, "hour": 800, "day": 3700}
"""Steps of the roll-ups, each computed from the one before, and the days that they are kept."""

SYSTEM = {step: _system(step, days) for step, days in STEPS.items()}
LATENCY = {step: _latency(step, days) for step, days in STEPS.items()}

MODELS_HOUR = Table(
    "models_hour",
    "Telemetry of all devices of a board, model and delegate by hour; rows with 0 messages are void.",
    (("tenant", WORD), ("at", TIME), ("board", WORD), *MODEL, ("devices", "UInt64"), *_SYSTEM),
    ("tenant", "at", "board", *(name for name, _ in MODEL)),
    "toYYYYMM(at)",
    "at",
    800,
    derived=True,
)
MODELS_LATENCY_HOUR = Table(
    "models_latency_hour",
    "Histogram of each stage of all devices of a board, model and delegate by hour; empty ones are void.",
    (("tenant", WORD), ("at", TIME), ("board", WORD), *MODEL, ("stage", WORD), *_LATENCY),
    ("tenant", "at", "board", *(name for name, _ in MODEL), "stage"),
    "toYYYYMM(at)",
    "at",
    800,
    derived=True,
)
SEQUENCES = Table(
    "sequences",
    "Messages of each stream and run by blocks of 1024 sequence numbers; the gaps are what was lost.",
    (
        *DEVICE,
        ("run", "Int64"),
        ("stream", WORD),
        ("block", "UInt64"),
        ("computed", TIME),
        ("messages", "UInt64"),
        ("first", "UInt64"),
        ("last", "UInt64"),
        ("first_time", TIME),
        ("last_time", TIME),
    ),
    ("tenant", "device", "run", "stream", "block"),
    keep_by="last_time",
    keep_days=400,
    derived=True,
)
PROBLEMS = Table(
    "problems",
    "Problems of devices from their beginning to their end; `ended` is absent while a problem lasts.",
    (
        *DEVICE,
        ("code", WORD),
        ("camera", TEXT),
        ("since", TIME),
        ("computed", TIME),
        ("text", TEXT),
        ("seen", TIME),
        ("ended", MAYBE_TIME),
    ),
    ("tenant", "device", "code", "camera", "since"),
    keep_by="seen",
    keep_days=400,
    derived=True,
)
LABELS = Table(
    "labels",
    "Labels that operators give to devices, such as site or cohort; an empty value removes the label.",
    (*DEVICE, ("label", WORD), ("value", TEXT), ("changed", TIME), ("by", TEXT)),
    ("tenant", "device", "label"),
)
ACKNOWLEDGEMENTS = Table(
    "acknowledgements",
    "Problems that an operator has acknowledged.",
    (
        *DEVICE,
        ("code", WORD),
        ("camera", TEXT),
        ("since", TIME),
        ("at", TIME),
        ("by", TEXT),
        ("note", TEXT),
    ),
    ("tenant", "device", "code", "camera", "since"),
    keep_by="at",
    keep_days=1100,
)

PROGRESS = Table(
    "derivation_progress",
    "Time up to which the derived tables contain what was inserted.",
    (("name", WORD), ("upto", TIME)),
    ("name",),
    derived=True,
)

DERIVED = (
    DEVICES,
    *SYSTEM.values(),
    *LATENCY.values(),
    MODELS_HOUR,
    MODELS_LATENCY_HOUR,
    SEQUENCES,
    PROBLEMS,
    LABELS,
    ACKNOWLEDGEMENTS,
    PROGRESS,
)
