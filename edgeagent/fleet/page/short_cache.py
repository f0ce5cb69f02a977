"""Answers that many ask for at the same time, computed once in a few seconds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

KEPT_S = 5.0
MOST_KEPT = 256

_Value = TypeVar("_Value")


class ShortCache(Generic[_Value]):
    """Values by key; thread-safe. While a value is computed, others who ask for it wait for the same.

    Args:
        kept_s: seconds that a value is given out.
        clock: returns monotonic seconds.
    """

    def __init__(self, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept_s, self._clock = kept_s, clock
        self._values: OrderedDict[Hashable, tuple[float, _Value]] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, compute: Callable[[], _Value]) -> _Value:
        """Return the value of a key, computed now where there is none that is new enough.

        Raises:
            Exception: that of ``compute``; nothing is kept then.
        """
        with self._lock:
            mine = self._locks.setdefault(key, threading.Lock())
        with mine:
            found = self._values.get(key)
            if found is not None and self._clock() - found[0] < self._kept_s:
                return found[1]
            try:
                value = compute()
            except BaseException:
                with self._lock:
                    self._locks.pop(key, None)
                raise
            with self._lock:
                self._values[key] = self._clock(), value
                while len(self._values) > MOST_KEPT:
                    oldest, _ = self._values.popitem(last=False)
                    self._locks.pop(oldest, None)
            return value
