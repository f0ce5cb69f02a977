"""Base of the results of queries: types from which the documentation of the API is generated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict

from edgeagent.fleet.store.protocol import FleetStore


def _utc(value: Any) -> Any:
    """Return a time of the store, which is UTC without a zone, with its zone."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value


UtcTime = Annotated[datetime, BeforeValidator(_utc)]


class FleetRow(BaseModel):
    """Row of a result; what is not known is None."""

    model_config = ConfigDict(frozen=True)


_Row = TypeVar("_Row", bound=FleetRow)


def read_records(store: FleetStore, kind: type[_Row], sql: str, parameters: Mapping[str, Any]) -> list[_Row]:
    """Return the rows of a statement as objects.

    Raises:
        StoreError: the store refuses, or cannot be reached.
    """
    return [kind.model_validate(record) for record in store.query(sql, parameters).records()]
