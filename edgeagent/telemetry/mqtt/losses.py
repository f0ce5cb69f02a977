"""Losses: counts of lost messages by stream, each kind of loss logged once."""

from __future__ import annotations

import logging
import threading
from collections import Counter

logger = logging.getLogger(__name__)


class Losses:
    """Lost messages of one device; thread-safe."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._reported: set[str] = set()
        self._lock = threading.Lock()

    @property
    def counts(self) -> Counter[str]:
        """Number of lost messages by stream, since the start."""
        with self._lock:
            return Counter(self._counts)

    def count(self, topic: str, number: int = 1) -> None:
        """Count lost messages of a topic."""
        with self._lock:
            self._counts[topic.partition("/")[0]] += number

    def report(self, topic: str, problem: str) -> None:
        """Count a message that the broker does not take; log it once for each topic and connection."""
        self.count(topic)
        with self._lock:
            new = topic not in self._reported
            self._reported.add(topic)
        if new:
            logger.error("a message of %s is dropped, and so will be others of it: %s", topic, problem)

    def reset_log(self) -> None:
        """Log every topic once more: the connection is a new one, and the broker's rules may have changed."""
        with self._lock:
            self._reported.clear()
