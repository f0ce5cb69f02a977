"""Temperatures of Hailo chips, from HailoRT's Python package ``hailo_platform``.

The driver has no file for them. HailoRT can hang or crash like any engine, so it is queried periodically in a
separate process and the agent never waits for the reply. ``python -m edgeagent.sensors.hailo`` prints the
temperatures as JSON.

Untested on hardware. The calls ``Device.scan``, ``Device(id).control.get_chip_temperature`` with
``ts0_temperature`` and ``ts1_temperature``, and ``release`` are those of hailo-ai/hailort, ``pyhailort.py``.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgeagent.sensors.kernel_file import find_files

logger = logging.getLogger(__name__)

PERIOD_S = 60.0
DEADLINE_S = 20.0


class HailoThermometer:
    """Periodic query of the chip temperatures.

    Args:
        root: directory that holds /dev.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._available = bool(find_files(root, "dev/hailo[0-9]*")) and package_is_installed()
        self._queried_s: float | None = None
        self._process: subprocess.Popen[str] | None = None
        self._temperatures: dict[str, float] = {}

    def read(self, now_s: float) -> dict[str, float]:
        """Return the last known degrees Celsius by chip (``hailo_0``, ...) without waiting.

        Empty without a chip (/dev/hailoN), without the package and after a failed query.

        Args:
            now_s: monotonic time in seconds.
        """
        if not self._available:
            return {}
        if self._process is not None:
            self._collect(self._process, now_s)
        elif self._queried_s is None or now_s - self._queried_s >= PERIOD_S:
            self._queried_s = now_s
            command = [sys.executable, "-m", "edgeagent.sensors.hailo"]
            self._process = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        return self._temperatures

    @property
    def is_querying(self) -> bool:
        """Whether a query is pending."""
        return self._process is not None

    def close(self) -> None:
        """Cancel a pending query."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _collect(self, process: subprocess.Popen[str], now_s: float) -> None:
        if process.poll() is None:
            if self._queried_s is not None and now_s - self._queried_s > DEADLINE_S:
                logger.warning("the Hailo chip did not report its temperature within %g s", DEADLINE_S)
                self._temperatures = {}
                self.close()
            return
        output, _ = process.communicate()
        self._process = None
        try:
            self._temperatures = json.loads(output)
        except ValueError:
            self._temperatures = {}


def package_is_installed() -> bool:
    """Return whether ``hailo_platform`` can be imported."""
    return importlib.util.find_spec("hailo_platform") is not None


def main() -> None:
    """Print the temperatures of all chips as JSON."""
    sys.stdout.write(json.dumps(_query_chips()) + "\n")


def _query_chips() -> dict[str, float]:
    hailo: Any = importlib.import_module("hailo_platform")
    temperatures = {}
    for number, name in enumerate(hailo.Device.scan()):
        device = hailo.Device(name)
        try:
            reading = device.control.get_chip_temperature()
        finally:
            device.release()
        hottest = max(reading.ts0_temperature, reading.ts1_temperature)
        temperatures[f"hailo_{number}"] = round(float(hottest), 2)
    return temperatures


if __name__ == "__main__":
    main()
