"""Bodies of requests: short, in time, and decoded."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

LONGEST_BODY, BODY_S = 16_384, 10.0
LARGE_BODY_S = 120.0
CLOSE = {"Connection": "close"}


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        HTTPException: it is longer than :data:`LONGEST_BODY` bytes (413), takes longer than :data:`BODY_S`
            seconds (408), or the client has gone (400).
    """
    try:
        return await asyncio.wait_for(_read_all(request), BODY_S)
    except asyncio.TimeoutError as error:
        raise HTTPException(408, f"The request did not arrive within {BODY_S:g} s.", CLOSE) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The client went before its request was complete.") from error


async def read_large_body(request: Request, most: int) -> bytes:
    """Return the body of a request that may be longer, of :data:`LARGE_BODY_S` seconds at most.

    Args:
        request: of somebody who may send that much.
        most: number of bytes.

    Raises:
        HTTPException: as :func:`read_body`.
    """
    try:
        return await asyncio.wait_for(_read_all(request, most), LARGE_BODY_S)
    except asyncio.TimeoutError as error:
        raise HTTPException(408, f"The request did not arrive within {LARGE_BODY_S:g} s.", CLOSE) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The client went before its request was complete.") from error


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that is given twice the first one.

    Raises:
        HTTPException: as :func:`read_body`, or it is no form (400).
    """
    try:
        fields = parse_qs((await read_body(request)).decode("utf-8"), max_num_fields=16)
    except ValueError as error:
        raise HTTPException(400, "This is no form.") from error
    return {name: values[0] for name, values in fields.items()}


async def read_json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises:
        HTTPException: as :func:`read_body`, or it is no JSON object (400).
    """
    try:
        found = json.loads(await read_body(request))
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "This is no JSON.") from error
    if not isinstance(found, dict):
        raise HTTPException(400, "Expected a JSON object.")
    return found


async def _read_all(request: Request, most: int = LONGEST_BODY) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise HTTPException(413, f"The request is longer than {most} bytes.", CLOSE)
        parts.append(part)
    return b"".join(parts)
