"""Table of devices: CSV with a header, one row a board, and the line of every mistake.

RFC 4180 with commas, or with semicolons as spreadsheets of many countries write it; UTF-8. Empty cells and
missing columns take the value of the option with the same name.
"""

from __future__ import annotations

import csv
import difflib
import io
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeagent.files.naming import printable
from edgeagent.provisioning.errors import ProvisioningError

COLUMNS = {
    "device": "name of the device in topics: letters, digits, - and _; the only required column",
    "serial": "serial number of the board, by which it knows its file",
    "machine_id": "/etc/machine-id of the board",
    "mac": "address of a network interface of the board",
    "cameras": "sources with names, `door=rtsp://10.0.0.7/1 | yard=/dev/video0`; a single one needs no name",
    "broker": "HOST or HOST:PORT of the MQTT broker",
    "username": "account at the broker",
    "password": "its password",
    "password_file": "file with the password in its first line",
    "tls": "yes or no: TLS to the broker (yes with ca or certificate)",
    "ca": "file of certificates to trust at the broker",
    "certificate": "file with the client certificate of the board",
    "key": "file with its private key",
    "repository": "address of the repository of models",
    "root": "file with its trusted root metadata, repository/metadata/1.root.json of the publisher",
    "channel": "channel of the repository",
    "labels": "rollout cohorts, separated by blanks",
    "boards": "additional board names, separated by blanks",
}
"""Columns with their meaning."""
FILE_COLUMNS = ("password_file", "ca", "certificate", "key", "root")
"""Columns that name files, relative to the table; ``{device}`` in them is the name of the device."""
ONE_BOARD = ("device", "serial", "machine_id", "mac", "password")
"""Columns of one board only, without an option for all boards."""


@dataclass(frozen=True)
class TableRow:
    """Row of a table.

    Attributes:
        line: its first line in the file, from 1.
        values: cells that are not empty, by column.
    """

    line: int
    values: dict[str, str]


def read_table(path: Path) -> list[TableRow]:
    """Read a table of devices.

    Raises:
        ProvisioningError: it cannot be read, has no device, or has unknown columns, broken quotes or rows
            that are too long; each line of the message is ``FILE:LINE: what is wrong``.
    """
    name = printable(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProvisioningError(f"{name}: is no regular file")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProvisioningError(f"{name}: is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ProvisioningError(f"{name}: cannot be read ({error.strerror})") from None
    rows, mistakes = _rows(text, name)
    if not mistakes and not rows:
        mistakes = [f"{name}:1: no device; the first line names the columns, each further one is a board"]
    if mistakes:
        raise ProvisioningError("\n".join(mistakes))
    return rows


def _rows(text: str, name: str) -> tuple[list[TableRow], list[str]]:
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[TableRow] = []
    mistakes: list[str] = []
    columns: list[str] | None = None
    try:
        begin = 1
        for cells in reader:
            line, begin = begin, reader.line_num + 1  # a quoted cell may have several lines
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            if columns is None:
                columns = stripped
                mistakes += [f"{name}:{line}: {text}" for text in _wrong_columns(columns)]
                continue
            if len(stripped) > len(columns):
                mistakes.append(
                    f"{name}:{line}: {len(stripped)} cells, and {len(columns)} columns; quote the commas"
                )
            elif not dict(zip(columns, stripped, strict=False)).get("device"):
                mistakes.append(f"{name}:{line}: no device name")
            else:
                values = zip(columns, stripped, strict=False)
                rows.append(TableRow(line, {column: cell for column, cell in values if cell}))
    except csv.Error as error:
        mistakes.append(f"{name}:{reader.line_num}: {error}")
    return rows, mistakes


def _wrong_columns(columns: list[str]) -> Iterator[str]:
    if "device" not in columns:  # perhaps no header at all, and its cells are secrets
        yield "no column device; the first line names the columns"
        return
    for column in sorted(set(columns) - set(COLUMNS)):
        near = difflib.get_close_matches(column.lower(), COLUMNS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"known columns: {', '.join(COLUMNS)}"
        yield f"unknown column {column!r}; {advice}"
    for column in sorted({column for column in columns if columns.count(column) > 1}):
        yield f"the column {column} stands there twice"
