"""Clock of a Jetson's GPU, from devfreq: /sys/class/devfreq/*/cur_freq in Hz.

The device is called ``17000000.gpu`` on Orin, ``57000000.gpu`` on Nano and ``gpu-gpc-0`` on Thor.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number

DEVICES = ("sys/class/devfreq/*.gpu", "sys/class/devfreq/gpu-gpc-0")


def read_gpu_mhz(root: Path = Path("/")) -> float | None:
    """Return the current GPU clock in MHz; None without such a GPU."""
    for pattern in DEVICES:
        for device in find_files(root, pattern):
            hertz = read_number(device / "cur_freq")
            if hertz is not None:
                return hertz / 1e6
    return None
