"""Description of a table of the store: its columns, its key, its partitions and how long rows are kept."""

from __future__ import annotations

from dataclasses import dataclass

TIME = "DateTime64(3, 'UTC')"
TEXT = "String"
WORD = "LowCardinality(String)"
MAYBE_TEXT = "Nullable(String)"
MAYBE_WORD = "LowCardinality(Nullable(String))"
MAYBE_TIME = f"Nullable({TIME})"
MAYBE_NUMBER = "Nullable(Float64)"
MAYBE_COUNT = "Nullable(UInt64)"
BUCKETS = "Map(Int16, UInt64)"
"""Histogram of durations: index of a bucket to its count (:mod:`edgeagent.timing.histogram`)."""

Column = tuple[str, str]
"""Name and type of a column."""

DEVICE: tuple[Column, ...] = (("tenant", WORD), ("device", TEXT))

MESSAGE: tuple[Column, ...] = (
    *DEVICE,
    ("run", "Int64"),
    ("sequence", "UInt64"),
    ("device_time", TIME),
    ("time", TIME),
    ("stored", TIME),
    ("clock", WORD),
    ("historical", "Bool"),
    ("retained", "Bool"),
    ("boot_id", TEXT),
    ("inserted", f"{TIME} DEFAULT now64(3)"),
    ("first_counts", "UInt64 DEFAULT toUInt64(9000000000000 - toUnixTimestamp64Milli(stored))"),
)
"""Columns of all tables of messages.

``run`` is -1 and ``sequence`` 0 where the message has none. ``device_time`` is the time in the message.
``time`` is the same, or the time of arrival where the clock of the device is wrong: ``clock`` is then
``past`` or ``future``, and ``absent`` where the message has no time; else ``ok``. ``stored`` is the time of
arrival; ``retained`` says that the broker had kept the message, so that it may be older. ``inserted`` is the
time at the store. ``first_counts`` is greatest for the first arrival: of two rows with one key, it stays.
"""

MESSAGE_KEY = ("tenant", "device", "run", "sequence", "device_time")
"""Identity of a message. The time tells apart starts of an agent that cannot number them."""

# Only from the content of a message: whenever it arrives again, it has the same partition.
MONTHS = (
    "if(device_time < toDateTime64('2020-01-01', 3, 'UTC') "
    "OR device_time >= toDateTime64('2036-01-01', 3, 'UTC'), 0, toYYYYMM(device_time))"
)


@dataclass(frozen=True)
class Table:
    """Table of the store; rows with the same key replace each other, so that what arrives twice counts once.

    Attributes:
        name: of the table.
        about: content in one sentence.
        columns: name and type of each column.
        key: columns by which rows are sorted and identified.
        partition: expression that parts the table for the removal of old rows; None for a small table.
        keep_by, keep_days: column of time and days after which rows are removed; None keeps them.
        derived: whether the rows are computed from other tables, and can be computed again.
        indexes: columns of time of which each granule keeps the range.
        version: column whose greatest value stays of rows with the same key; None: the last one stays.
    """

    name: str
    about: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition: str | None = None
    keep_by: str | None = None
    keep_days: int | None = None
    derived: bool = False
    indexes: tuple[str, ...] = ()
    version: str | None = None
