"""Load of a Jetson's GPU, 0..1000 in tenths of a percent.

The file is ``load`` of the GPU's device: /sys/devices/platform/gpu.0/load on Orin with L4T 36,
/sys/devices/gpu.0/load on older systems. Where neither link exists, the device is that of the GPU's clock.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.devfreq import find_gpus
from edgeagent.sensors.kernel_file import read_number

LOADS = ("sys/devices/platform/gpu.0/load", "sys/devices/gpu.0/load")


def read_gpu_percent(root: Path = Path("/")) -> float | None:
    """Return the GPU load in percent; None without such a GPU."""
    for load in (*(root / name for name in LOADS), *(gpu / "device/load" for gpu in find_gpus(root))):
        tenths = read_number(load)
        if tenths is not None and 0 <= tenths <= 1000:
            return tenths / 10
    return None
