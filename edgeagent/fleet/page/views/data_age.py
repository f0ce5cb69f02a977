"""Age of the numbers of a view, with a warning where they lag behind the devices."""

from __future__ import annotations

from edgeagent.fleet.queries.table_age import TableAge
from edgeagent.web.views.markup import badge, text, when

LATE_S = 60
"""Seconds from which the tables of devices are late: they are computed every 5 to 30 s."""
MODELS_LATE_S = 180
"""The same for the tables of models, computed every minute."""
REASON = "Is the ingest running? A busy machine computes the tables later, too."


def write_data_age(age: TableAge | None, late_s: int = LATE_S) -> str:
    """Return the HTML, a line below the heading; empty where the tables were never computed."""
    if age is None:
        return ""
    iso = age.computed.strftime("%Y-%m-%dT%H:%M:%SZ")
    if age.seconds <= late_s:
        return f'<span class="age">Data up to {when(iso)}</span>'
    return (
        f'<span class="age">{badge("warn", f"{_length(age.seconds)} behind")} Data up to {when(iso)}. '
        f"{text(REASON)}</span>"
    )


def _length(seconds: int) -> str:
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
