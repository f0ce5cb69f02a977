"""Temperatures of Hailo chips, through HailoRT's Python package ``hailo_platform``; the driver has no file.

HailoRT may hang or crash as any engine may, so it is asked in a process of its own, now and then, and never
waited for. Run as ``python -m edgeagent.sensors.hailo``; prints the temperatures as JSON.

Untested on hardware: ``Device.scan``, ``Device(id).control.get_chip_temperature`` with ``ts0_temperature``
and ``ts1_temperature``, and ``release`` are HailoRT's own (hailo-ai/hailort, ``pyhailort.py``).
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
    """Asks for the temperatures of the chips.

    Args:
        root: below which /dev lies.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._there = bool(find_files(root, "dev/hailo[0-9]*")) and package_is_installed()
        self._asked_s: float | None = None
        self._process: subprocess.Popen[str] | None = None
        self._found: dict[str, float] = {}

    def read(self, now_s: float) -> dict[str, float]:
        """Return degrees Celsius by name, ``hailo_0`` and so on: the last that are known, without waiting.

        Empty without a chip (/dev/hailoN), without the package, and after a question that failed.

        Args:
            now_s: monotonic time.
        """
        if not self._there:
            return {}
        if self._process is not None:
            self._collect(self._process, now_s)
        elif self._asked_s is None or now_s - self._asked_s >= PERIOD_S:
            self._asked_s = now_s
            command = [sys.executable, "-m", "edgeagent.sensors.hailo"]
            self._process = subprocess.Popen(  # noqa: S603
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        return self._found

    @property
    def is_asking(self) -> bool:
        """Whether a question is under way."""
        return self._process is not None

    def close(self) -> None:
        """End a question that is under way."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _collect(self, process: subprocess.Popen[str], now_s: float) -> None:
        if process.poll() is None:
            if self._asked_s is not None and now_s - self._asked_s > DEADLINE_S:
                logger.warning("the Hailo chip did not tell its temperature within %g s", DEADLINE_S)
                self._found = {}
                self.close()
            return
        output, _ = process.communicate()
        self._process = None
        try:
            self._found = json.loads(output)
        except ValueError:
            self._found = {}


def package_is_installed() -> bool:
    """Whether ``hailo_platform`` can be imported."""
    return importlib.util.find_spec("hailo_platform") is not None


def main() -> None:
    """Print the temperatures of the chips that answer."""
    sys.stdout.write(json.dumps(_ask()) + "\n")


def _ask() -> dict[str, float]:
    hailo: Any = importlib.import_module("hailo_platform")
    found = {}
    for number, name in enumerate(hailo.Device.scan()):
        device = hailo.Device(name)
        try:
            heat = device.control.get_chip_temperature()
        finally:
            device.release()
        found[f"hailo_{number}"] = round(float(max(heat.ts0_temperature, heat.ts1_temperature)), 2)
    return found


if __name__ == "__main__":
    main()
