"""Values of an address as what queries take; a value that cannot be is refused with a sentence."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from edgeagent.fleet.page.permalinks import short_values
from edgeagent.fleet.queries.device_list import SORT_KEYS, SortKey
from edgeagent.fleet.queries.page_of_rows import MOST_PAGE, PageOfRows
from edgeagent.fleet.queries.time_span import SPAN, TimeSpan

_Condition = TypeVar("_Condition", bound=BaseModel)


def condition_of(query: QueryParams, kind: type[_Condition], prefix: str = "") -> _Condition:
    """Return a condition; unknown names are ignored.

    Args:
        query: of the request.
        kind: of the condition.
        prefix: of the names in the query.

    Raises:
        HTTPException: a value is none of the possible ones (400).
    """
    given = {name: query[prefix + name] for name in kind.model_fields if query.get(prefix + name)}
    try:
        return kind.model_validate(short_values(given))
    except ValidationError as error:
        wrong = error.errors()[0]
        name = prefix + str(wrong["loc"][0])
        raise HTTPException(400, f"{name}: {wrong['msg'].lower()}.") from error


def sort_of(query: QueryParams) -> tuple[SortKey, bool]:
    """Return the key that a list is sorted by, and whether the greatest is first; by name if unknown."""
    given = query.get("sort", "")
    key = given.removeprefix("-")
    for known in SORT_KEYS:
        if known == key:
            return known, given.startswith("-")
    return "device", False


def page_of(query: QueryParams) -> PageOfRows:
    """Return the part of a list that is asked for; the first where it is no number."""
    given = query.get("page", "1")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 1
    return PageOfRows(min(max(number, 1), MOST_PAGE))


def span_of(query: QueryParams, default: str) -> TimeSpan:
    """Return the span of time that is asked for; the default where it is none of the known ones."""
    for name, span in SPAN.items():
        if name == query.get("span"):
            return span
    return next(span for name, span in SPAN.items() if name == default)
