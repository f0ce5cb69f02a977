"""Value types of the configuration: durations, sizes, topic levels, and the base of all sections."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}
_MAX_DAYS = 3650
_MAX_NUMBER = 10**15
_MIN_NUMBER = 1e-9


def parse_duration(value: Any) -> float:
    """Return the seconds of ``250ms``, ``10s``, ``5min``, ``1h`` or ``30d``.

    Raises:
        ValueError: the unit is missing or unknown, the number is negative, or it is more than 10 years.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]+)", value.strip()) if isinstance(value, str) else None
    if match is None or match.group(2) not in _UNITS:
        raise ValueError("expected a duration with a unit, such as 250ms, 10s, 5min, 1h or 30d")
    seconds = float(match.group(1)) * _UNITS[match.group(2)]
    if seconds > _MAX_DAYS * _UNITS["d"]:
        raise ValueError(f"expected {_MAX_DAYS}d at most")
    return seconds


def _duration(value: Any, info: ValidationInfo) -> Any:
    """Accept seconds as float from Python; a file, validated as JSON, must give a unit."""
    return value if isinstance(value, float) and info.mode == "python" else parse_duration(value)


def parse_size(value: Any) -> int:
    """Return the bytes of ``500kB``, ``2MB`` or ``1.5GB``; 1 kB is 1000 bytes.

    Raises:
        ValueError: the unit is missing or unknown, the number is negative, or it is more than 1 PB.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]+)", value.strip()) if isinstance(value, str) else None
    if match is None or match.group(2) not in _SIZES:
        raise ValueError("expected a size with a unit, such as 500kB, 2MB or 1.5GB")
    size = float(match.group(1)) * _SIZES[match.group(2)]
    if size > _MAX_NUMBER:
        raise ValueError(f"expected {_MAX_NUMBER // _SIZES['GB']}GB at most")
    return round(size)


def _size(value: Any, info: ValidationInfo) -> Any:
    """Accept bytes as int from Python; a file must give a unit."""
    return value if isinstance(value, int) and info.mode == "python" else parse_size(value)


def _at_most_one_hour(value: float) -> float:
    if value > 3600:
        raise ValueError("expected 1h at most")
    return value


def _topic_level(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise ValueError("expected 1 to 64 letters, digits, - or _")
    return value


def number_as_text(value: Any) -> Any:
    """Convert integers to text, for ``source: 0`` and ``protocol: 5``, which YAML parses as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Seconds = Annotated[float, BeforeValidator(_duration), Field(gt=0)]
"""Duration: text with a unit in the file, seconds as float in Python."""

Timeout = Annotated[float, BeforeValidator(_duration), Field(gt=0), AfterValidator(_at_most_one_hour)]
"""Duration of at most one hour; libraries count milliseconds of time-outs in 32 bits."""

Bytes = Annotated[int, BeforeValidator(_size), Field(gt=0)]
"""Size: text with a unit in the file, bytes as int in Python."""

TopicLevel = Annotated[str, AfterValidator(_topic_level)]
"""One level of an MQTT topic: 1 to 64 letters, digits, ``-`` or ``_``."""

Fraction = Annotated[float, Field(ge=0, le=1)]


class SettingsSection(BaseModel):
    """Base of all sections: frozen, unknown keys are errors.

    NUL characters, which no file name and no name of a server can hold, and numbers that overflow in timers
    and system calls are refused in every key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _values_are_usable(cls, value: Any) -> Any:
        _check(value)
        return value


def _check(value: Any) -> None:
    if isinstance(value, str | Path) and "\0" in str(value):
        raise ValueError("a NUL character is not allowed")
    if isinstance(value, int | float) and (
        _MAX_NUMBER < abs(value) < math.inf or 0 < abs(value) < _MIN_NUMBER
    ):
        raise ValueError(f"expected 0, or a number between {_MIN_NUMBER:g} and {_MAX_NUMBER:g}")
    if isinstance(value, tuple):
        for item in value:
            _check(item)
    elif isinstance(value, dict):
        _check((*value, *value.values()))
