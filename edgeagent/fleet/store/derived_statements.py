"""Statements that compute the derived tables; parameters are ``since`` and ``begun``, times at the store."""

from __future__ import annotations

from edgeagent.fleet.store.derived import MODEL, STEPS
from edgeagent.fleet.store.device_statement import DEVICE_ROWS

_MODEL = ", ".join(name for name, _ in MODEL)
_KEY = f"tenant, device, at, {_MODEL}"
_MINUTES_KEPT = STEPS["minute"]

# Minutes that new messages belong to; and those since a new `info`, which says which model served in them.
# What is older than the messages that are kept would be computed from a part of them, and is left as it is.
_TOUCHED = f"""touched AS (
    SELECT DISTINCT tenant, device, toStartOfMinute(time) AS at FROM telemetry
    WHERE inserted > {{since:DateTime64(3)}} AND time > now() - INTERVAL {_MINUTES_KEPT - 1} DAY
    UNION DISTINCT
    SELECT DISTINCT t.tenant, t.device, toStartOfMinute(t.time) AS at FROM telemetry AS t
    INNER JOIN (
        SELECT i.tenant AS tenant, i.device AS device, min(i.time) AS since FROM info AS i
        LEFT JOIN (SELECT tenant, device, info_time FROM devices FINAL) AS d USING (tenant, device)
        WHERE i.inserted > {{since:DateTime64(3)}} AND (d.info_time IS NULL OR i.time > d.info_time OR NOT i.retained)
        GROUP BY tenant, device
    ) AS news USING (tenant, device)
    WHERE t.time >= news.since AND t.time > now() - INTERVAL {_MINUTES_KEPT - 1} DAY
)"""
_IN_TOUCHED = (
    "(tenant, device) IN (SELECT tenant, device FROM touched) "
    "AND time >= (SELECT min(at) FROM touched) {margin}AND time < (SELECT max(at) FROM touched) + INTERVAL 1 MINUTE"
)
_RESTRICTED = _IN_TOUCHED.format(margin="- INTERVAL 10 MINUTE ")
_NARROW = _IN_TOUCHED.format(margin="")
_MODELS_OF_DEVICES = f"(SELECT tenant, device, time, {_MODEL} FROM info FINAL) AS i"
_OF_MODEL = ", ".join(f"i.{name} AS {name}" for name, _ in MODEL)

SYSTEM_COLUMNS = (
    "messages, seconds, frames, frames_dropped, energy_j, energy_covered_s, inference_used_j, inference_idle_j, "
    "inferences, watts_max, temperature_max_c, temperature_mean_c, cpu_mean_percent, memory_least_mb, "
    "throttled_messages"
)
_SYSTEM_SUMS = """sum(messages) AS messages, sum(seconds) AS seconds, sum(frames) AS frames,
    sum(frames_dropped) AS frames_dropped, sumOrNull(energy_j) AS energy_j,
    sumOrNull(energy_covered_s) AS energy_covered_s, sumOrNull(inference_used_j) AS inference_used_j,
    sumOrNull(inference_idle_j) AS inference_idle_j, sumOrNull(inferences) AS inferences,
    maxOrNull(watts_max) AS watts_max, maxOrNull(temperature_max_c) AS temperature_max_c,
    if(sum(temperature_weight) = 0, NULL, sum(temperature_weighted) / sum(temperature_weight)) AS temperature_mean_c,
    if(sum(cpu_weight) = 0, NULL, sum(cpu_weighted) / sum(cpu_weight)) AS cpu_mean_percent,
    minOrNull(memory_least_mb) AS memory_least_mb, sum(throttled_messages) AS throttled_messages"""
_NONE, _ZERO = "CAST(NULL AS Nullable(Float64))", "toFloat64(0)"
_NOTHING = (
    f"toUInt64(0) AS messages, {_ZERO} AS seconds, {_ZERO} AS frames, toUInt64(0) AS frames_dropped, "
    f"{_NONE} AS energy_j, {_NONE} AS energy_covered_s, {_NONE} AS inference_used_j, {_NONE} AS inference_idle_j, "
    f"CAST(NULL AS Nullable(UInt64)) AS inferences, {_NONE} AS watts_max, {_NONE} AS temperature_max_c, "
    f"{_ZERO} AS temperature_weighted, toUInt64(0) AS temperature_weight, {_ZERO} AS cpu_weighted, "
    f"toUInt64(0) AS cpu_weight, {_NONE} AS memory_least_mb, toUInt64(0) AS throttled_messages"
)
_OF_ROWS = (
    "messages, seconds, frames, frames_dropped, energy_j, energy_covered_s, inference_used_j, inference_idle_j, "
    "inferences, watts_max, temperature_max_c, ifNull(temperature_mean_c, 0) * messages AS temperature_weighted, "
    "if(temperature_mean_c IS NULL, toUInt64(0), messages) AS temperature_weight, "
    "ifNull(cpu_mean_percent, 0) * messages AS cpu_weighted, "
    "if(cpu_mean_percent IS NULL, toUInt64(0), messages) AS cpu_weight, memory_least_mb, throttled_messages"
)

# Counters of dropped frames run from the start of the agent: the message before is needed.
SYSTEM_MINUTE = f"""INSERT INTO system_minute ({_KEY}, computed, {SYSTEM_COLUMNS})
WITH {_TOUCHED}
SELECT {_KEY}, now64(3) AS computed, {_SYSTEM_SUMS} FROM (
    SELECT t.tenant AS tenant, t.device AS device, toStartOfMinute(t.time) AS at, {_OF_MODEL}, toUInt64(1) AS messages,
        t.interval_s AS seconds, t.frames AS frames, t.frames_dropped AS frames_dropped, t.energy_j AS energy_j,
        t.energy_covered_s AS energy_covered_s, t.inference_used_j AS inference_used_j,
        t.inference_idle_j AS inference_idle_j, t.inferences AS inferences, t.watts AS watts_max,
        t.temperature_c AS temperature_max_c, ifNull(t.temperature_c, 0) AS temperature_weighted,
        toUInt64(t.temperature_c IS NOT NULL) AS temperature_weight, ifNull(t.cpu_percent, 0) AS cpu_weighted,
        toUInt64(t.cpu_percent IS NOT NULL) AS cpu_weight, t.memory_available_mb AS memory_least_mb,
        toUInt64(notEmpty(t.throttled)) AS throttled_messages
    FROM (
        SELECT *, arraySum(camera_fps) * interval_s AS frames, arraySum(camera_dropped) AS dropped,
            lagInFrame(toNullable(dropped)) OVER (
                PARTITION BY tenant, device, run ORDER BY sequence ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ) AS dropped_before,
            toUInt64(if(sequence = 1, dropped, greatest(0, toInt64(dropped) - toInt64(ifNull(dropped_before, dropped)))))
                AS frames_dropped
        FROM telemetry FINAL WHERE {_RESTRICTED}
    ) AS t ASOF LEFT JOIN {_MODELS_OF_DEVICES}
    ON t.tenant = i.tenant AND t.device = i.device AND t.time >= i.time
    WHERE (t.tenant, t.device, toStartOfMinute(t.time)) IN (SELECT tenant, device, at FROM touched)
    UNION ALL
    SELECT {_KEY}, {_NOTHING} FROM system_minute FINAL
    WHERE (tenant, device, at) IN (SELECT tenant, device, at FROM touched)
) GROUP BY {_KEY}"""

LATENCY_MINUTE = f"""INSERT INTO latency_minute ({_KEY}, stage, computed, buckets)
WITH {_TOUCHED}
SELECT {_KEY}, stage, now64(3) AS computed, sumMap(buckets) AS buckets FROM (
    SELECT t.tenant AS tenant, t.device AS device, toStartOfMinute(t.time) AS at, {_OF_MODEL},
        t.stage AS stage, t.buckets AS buckets
    FROM (
        SELECT tenant, device, time, stage, buckets FROM telemetry FINAL
        ARRAY JOIN stage_names AS stage, stage_buckets AS buckets
        WHERE {_NARROW}
    ) AS t ASOF LEFT JOIN {_MODELS_OF_DEVICES}
    ON t.tenant = i.tenant AND t.device = i.device AND t.time >= i.time
    WHERE (t.tenant, t.device, toStartOfMinute(t.time)) IN (SELECT tenant, device, at FROM touched)
    UNION ALL
    SELECT {_KEY}, stage, CAST(map() AS Map(Int16, UInt64)) AS buckets FROM latency_minute FINAL
    WHERE (tenant, device, at) IN (SELECT tenant, device, at FROM touched)
) GROUP BY {_KEY}, stage"""


def _coarser(finer: str, coarser: str, start: str) -> tuple[str, str]:
    """Return the statements that compute the rows of a step from those of the finer step that are new."""
    touched = (
        f"touched AS (SELECT DISTINCT tenant, device, {start}(at) AS coarse FROM system_{finer} "
        "WHERE computed >= {begun:DateTime64(3)})"
    )
    within = (
        "(tenant, device) IN (SELECT tenant, device FROM touched) AND at >= (SELECT min(coarse) FROM touched) "
        f"AND (tenant, device, {start}(at)) IN (SELECT tenant, device, coarse FROM touched)"
    )
    system = f"""INSERT INTO system_{coarser} ({_KEY}, computed, {SYSTEM_COLUMNS})
WITH {touched}
SELECT tenant, device, coarse AS at, {_MODEL}, now64(3) AS computed, {_SYSTEM_SUMS} FROM (
    SELECT tenant, device, {start}(at) AS coarse, {_MODEL}, {_OF_ROWS} FROM system_{finer} FINAL WHERE {within}
) GROUP BY tenant, device, coarse, {_MODEL}"""
    latency = f"""INSERT INTO latency_{coarser} ({_KEY}, stage, computed, buckets)
WITH {touched}
SELECT tenant, device, coarse AS at, {_MODEL}, stage, now64(3) AS computed, sumMap(buckets) AS buckets FROM (
    SELECT tenant, device, {start}(at) AS coarse, {_MODEL}, stage, buckets FROM latency_{finer} FINAL WHERE {within}
) GROUP BY tenant, device, coarse, {_MODEL}, stage"""
    return system, latency


def _sequences(stream: str) -> str:
    return f"""INSERT INTO sequences
    (tenant, device, run, stream, block, computed, messages, first, last, first_time, last_time)
WITH touched AS (
    SELECT DISTINCT tenant, device, run, intDiv(sequence - 1, 1024) AS block FROM {stream}
    WHERE inserted > {{since:DateTime64(3)}} AND run >= 0 AND sequence > 0
)
SELECT tenant, device, run, '{stream}', block, now64(3), uniqExact(sequence), min(sequence), max(sequence),
    min(time), max(time)
FROM (SELECT tenant, device, run, sequence, time, intDiv(sequence - 1, 1024) AS block FROM {stream}
    WHERE run >= 0 AND sequence > 0 AND (tenant, device, run) IN (SELECT tenant, device, run FROM touched))
WHERE (tenant, device, run, block) IN (SELECT tenant, device, run, block FROM touched)
GROUP BY tenant, device, run, block"""


# A problem has ended with the first message of its device that no longer has it.
PROBLEM_ROWS = """INSERT INTO problems (tenant, device, code, camera, since, computed, text, seen, ended)
WITH touched AS (SELECT DISTINCT tenant, device FROM alarm_messages WHERE inserted > {since:DateTime64(3)})
SELECT tenant, device, code, camera, since, now64(3), argMax(text, time), max(time) AS seen,
    tupleElement(argMax(tuple(next), time), 1) AS ended
FROM (
    SELECT tenant, device, time, problem_codes, problem_cameras, problem_since, problem_texts,
        leadInFrame(toNullable(time)) OVER (
            PARTITION BY tenant, device ORDER BY time ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING
        ) AS next
    FROM alarm_messages FINAL WHERE (tenant, device) IN (SELECT tenant, device FROM touched)
)
ARRAY JOIN problem_codes AS code, problem_cameras AS camera, problem_since AS since, problem_texts AS text
GROUP BY tenant, device, code, camera, since"""

TOUCHED = (
    SYSTEM_MINUTE,
    LATENCY_MINUTE,
    *_coarser("minute", "hour", "toStartOfHour"),
    *_coarser("hour", "day", "toStartOfDay"),
    *(_sequences(stream) for stream in ("telemetry", "events", "objects")),
    PROBLEM_ROWS,
    DEVICE_ROWS,
)
"""Statements of one step, in their order; the state of the devices is last, as the first ask what was known."""

_HOURS = "touched AS (SELECT DISTINCT tenant, at FROM system_hour WHERE computed >= {since:DateTime64(3)})"
_WITHIN = "at IN (SELECT at FROM touched) AND (tenant, at) IN (SELECT tenant, at FROM touched)"
_BOARDS = "(SELECT tenant, device, ifNull(board, '') AS board FROM devices FINAL) AS d USING (tenant, device)"
_GROUP = f"tenant, at, board, {_MODEL}"

MODELS = (
    f"""INSERT INTO models_hour ({_GROUP}, devices, computed, {SYSTEM_COLUMNS})
WITH {_HOURS}
SELECT {_GROUP}, uniqExactIf(device, messages > 0) AS devices, now64(3) AS computed,
    {_SYSTEM_SUMS.replace("sum(messages) AS messages, ", "sum(messages) AS messages_, ")} FROM (
    SELECT tenant, device, at, board, {_MODEL}, {_OF_ROWS}
    FROM (SELECT * FROM system_hour FINAL WHERE {_WITHIN}) AS s LEFT JOIN {_BOARDS}
    UNION ALL
    SELECT tenant, '' AS device, at, board, {_MODEL}, {_NOTHING} FROM models_hour FINAL WHERE {_WITHIN}
) GROUP BY {_GROUP}""",
    f"""INSERT INTO models_latency_hour ({_GROUP}, stage, computed, buckets)
WITH {_HOURS}
SELECT {_GROUP}, stage, now64(3) AS computed, sumMap(buckets) AS buckets FROM (
    SELECT tenant, at, board, {_MODEL}, stage, buckets
    FROM (SELECT * FROM latency_hour FINAL WHERE {_WITHIN}) AS s LEFT JOIN {_BOARDS}
    UNION ALL
    SELECT tenant, at, board, {_MODEL}, stage, CAST(map() AS Map(Int16, UInt64)) AS buckets FROM models_latency_hour FINAL WHERE {_WITHIN}
) GROUP BY {_GROUP}, stage""",
)
"""Statements of the tables of models, in their order."""
