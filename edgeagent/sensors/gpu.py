"""Load of a Jetson's GPU, 0..1000 in tenths of a percent.

The file is /sys/devices/platform/gpu.0/load on Orin with L4T 36 and /sys/devices/gpu.0/load on older systems.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import read_number

LOADS = ("sys/devices/platform/gpu.0/load", "sys/devices/gpu.0/load")


def read_gpu_percent(root: Path = Path("/")) -> float | None:
    """Return the GPU load in percent; None without such a GPU."""
    for load in LOADS:
        tenths = read_number(root / load)
        if tenths is not None and 0 <= tenths <= 1000:
            return tenths / 10
    return None
