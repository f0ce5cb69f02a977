"""Lists as Parquet, with types: times are UTC in milliseconds, what is not known is null."""

from __future__ import annotations

import tempfile
import types
import typing
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from edgeagent.fleet.queries.fleet_row import FleetRow

ROWS_AT_ONCE, CHUNK, IN_MEMORY = 10_000, 65_536, 8_000_000


def parquet_chunks(kind: type[FleetRow], rows: Iterable[FleetRow]) -> Iterator[bytes]:
    """Yield the Parquet file of rows; it is written to the disk where it is large, and removed."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        write_parquet(file, kind, rows)
        file.seek(0)
        while chunk := file.read(CHUNK):
            yield chunk


def write_parquet(file: IO[bytes], kind: type[FleetRow], rows: Iterable[FleetRow]) -> None:
    """Write rows into an open file."""
    schema = pa.schema([(name, _type(field.annotation)) for name, field in kind.model_fields.items()])
    source = iter(rows)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while part := list(islice(source, ROWS_AT_ONCE)):
            columns = {name: [getattr(row, name) for row in part] for name in kind.model_fields}
            writer.write_table(pa.table(columns, schema=schema))


def _type(annotation: Any) -> pa.DataType:
    """Return the column type of a field; literals are text."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(one for one in typing.get_args(annotation) if one is not types.NoneType)
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is list:
        return pa.list_(pa.string())
    known = {int: pa.int64(), float: pa.float64(), datetime: pa.timestamp("ms", tz="UTC")}
    return known.get(annotation, pa.string())
