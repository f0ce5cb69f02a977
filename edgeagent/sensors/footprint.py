"""Footprint of the agent: processor time and memory of its process and its workers."""

from __future__ import annotations

import contextlib
import time

import psutil


class Footprint:
    """Reader of the agent's processor time and memory, per interval.

    Processor time of ended workers is included, so a crash leaves no gap. Memory shared by agent and worker
    (the frames in flight) is counted in both.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._read_at, self._used_s = time.monotonic(), self._used()

    def read(self) -> tuple[float, float]:
        """Return (processor use since the last call in percent of one processor, resident bytes)."""
        now, used = time.monotonic(), self._used()
        elapsed = now - self._read_at
        percent = 100 * max(0.0, used - self._used_s) / elapsed if elapsed > 0 else 0.0
        self._read_at, self._used_s = now, used
        return percent, sum(self._resident())

    def _used(self) -> float:
        times = self._process.cpu_times()
        used = times.user + times.system + times.children_user + times.children_system
        for child in self._process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                own = child.cpu_times()
                used += own.user + own.system
        return float(used)

    def _resident(self) -> list[int]:
        found = [self._process.memory_info().rss]
        for child in self._process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found.append(child.memory_info().rss)
        return found
