"""Statement that computes the rows of ``devices``: of each group of columns, what the newest message says.

The greatest by time is the same however often and in whatever order messages arrive. The percentiles of
latency are of all frames of RECENT_MINUTES up to the newest minute of a device: one message of ten seconds
has too few frames for a p99.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgeagent.fleet.store.percentile import MERGED, percentile_of


@dataclass(frozen=True)
class _Group:
    """Columns that come from the messages of one table.

    Attributes:
        table: of the messages.
        time: column of ``devices`` with the time of the newest message.
        columns: column of ``devices`` to the expression over the row of that message.
    """

    table: str
    time: str
    columns: dict[str, str]


_RUNNING = "arrayCount(state -> state = 'running', camera_states)"
RECENT_MINUTES = 15
"""Minutes of telemetry that the percentiles of ``devices`` are of."""
_PERCENTILES = ("p50", "p90", "p99")
_GROUPS = (
    _Group("status", "status_time", {"status": "status"}),
    _Group(
        "info",
        "info_time",
        {
            name: name
            for name in (
                "agent",
                "board",
                "architecture",
                "system",
                "kernel",
                "bundle",
                "bundle_version",
                "artefact",
                "engine",
                "delegate",
                "cameras",
                "configuration",
            )
        },
    ),
    _Group(
        "alarm_messages",
        "alarm_time",
        {"serving": "serving", "problem_codes": "problem_codes", "problem_texts": "problem_texts"},
    ),
    _Group(
        "deployments",
        "deployment_time",
        {
            "deployment_state": "state",
            "deployment_name": "name",
            "deployment_version": "version",
            "deployment_reason": "reason",
            "rollout": "rollout",
        },
    ),
    _Group(
        "accuracy",
        "accuracy_time",
        {
            "map50_95": "map50_95",
            "map_claimed": "map_claimed",
            "map_tolerance": "map_tolerance",
            "recent_agreement": "recent_share",
            "drifted_cameras": "toNullable(toUInt64(arrayCount(state -> state = 'drifted', drift_states)))",
        },
    ),
    _Group(
        "telemetry",
        "telemetry_time",
        {
            "run": "if(run < 0, NULL, run)",
            "uptime_s": "toNullable(uptime_s)",
            "fps": "toNullable(toFloat64(arraySum(camera_fps)))",
            "cameras_running": f"toNullable(toUInt64({_RUNNING}))",
            "watts": "watts",
            "power_quality": "power_quality",
            "joules_per_inference": "(inference_used_j - inference_idle_j) / nullIf(inferences, 0)",
            "temperature_c": "temperature_c",
            "cpu_percent": "cpu_percent",
            "memory_available_mb": "memory_available_mb",
            "throttled": "throttled",
            "clock": "toNullable(clock)",
            "clock_offset_s": (
                "if(historical, NULL, toNullable((toUnixTimestamp64Milli(device_time) "
                "- toUnixTimestamp64Milli(stored)) / 1000))"
            ),
        },
    ),
)
_NEW = "inserted > {since:DateTime64(3)}"
_RECENT_COLUMNS = ", ".join(f"{percentile_of('merged', name)} AS {name}_ms" for name in _PERCENTILES)
_RECENT = f"""SELECT tenant, device, {_RECENT_COLUMNS}
FROM (
    SELECT tenant, device, {MERGED} AS merged FROM (
        SELECT tenant, device, at, buckets, max(at) OVER (PARTITION BY tenant, device) AS last
        FROM latency_minute FINAL
        WHERE stage = 'end_to_end' AND (tenant, device) IN (SELECT tenant, device FROM telemetry WHERE {_NEW})
            AND at > (
                SELECT min(newest) FROM (
                    SELECT max(time) AS newest FROM telemetry WHERE {_NEW} GROUP BY tenant, device
                )
            ) - INTERVAL {RECENT_MINUTES + 1} MINUTE
    ) WHERE at > last - INTERVAL {RECENT_MINUTES} MINUTE GROUP BY tenant, device
)"""


def _newest(group: _Group) -> str:
    """Return the query of the newest message of each device among the new ones."""
    tuple_of = ", ".join(group.columns.values())
    elements = ", ".join(
        f"tupleElement(newest, {number}) AS {name}" for number, name in enumerate(group.columns, 1)
    )
    return (
        f"SELECT tenant, device, toNullable(newest_time) AS newest_time, {elements} FROM ("
        f"SELECT tenant, device, max(time) AS newest_time, "
        f"argMax(tuple({tuple_of}), (time, stored)) AS newest "
        f"FROM {group.table} WHERE {_NEW} GROUP BY tenant, device)"
    )


def _statement() -> str:
    names, values, joins = ["tenant", "device", "updated", "first_stored", "last_stored"], [], []
    for number, group in enumerate(_GROUPS):
        alias = f"g{number}"
        newer = (
            f"{alias}.newest_time IS NOT NULL AND (old.{group.time} IS NULL "
            f"OR {alias}.newest_time >= old.{group.time})"
        )
        names.append(group.time)
        values.append(f"if({newer}, {alias}.newest_time, old.{group.time}) AS new_{group.time}")
        for name in group.columns:
            names.append(name)
            values.append(f"if({newer}, {alias}.{name}, old.{name}) AS new_{name}")
        joins.append(f"LEFT JOIN ({_newest(group)}) AS {alias} USING (tenant, device)")
        if group.table == "telemetry":
            for name in _PERCENTILES:
                names.append(f"{name}_ms")
                values.append(f"if({newer}, recent.{name}_ms, old.{name}_ms) AS new_{name}_ms")
            joins.append(f"LEFT JOIN ({_RECENT}) AS recent USING (tenant, device)")
    # A message that the broker had retained does not say that the device is there now.
    touched = " UNION ALL ".join(
        f"SELECT tenant, device, stored, retained FROM {group.table} WHERE {_NEW}" for group in _GROUPS
    )
    return f"""INSERT INTO devices ({", ".join(names)})
SELECT touched.tenant, touched.device, now64(3),
    if(old.known = 1, least(old.first_stored, touched.first_stored), touched.first_stored),
    if(old.known = 1, greatest(old.last_stored, touched.last_stored), touched.last_stored),
    {", ".join(values)}
FROM (
    SELECT tenant, device, min(stored) AS first_stored, maxIf(stored, NOT retained) AS last_stored
    FROM ({touched}) GROUP BY tenant, device
) AS touched
LEFT JOIN (SELECT *, toNullable(1) AS known FROM devices FINAL) AS old USING (tenant, device)
{" ".join(joins)}
SETTINGS join_use_nulls = 1"""


DEVICE_ROWS = _statement()
"""The statement; its parameter is ``since``."""
