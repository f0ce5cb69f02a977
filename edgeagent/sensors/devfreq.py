"""Clock of a Jetson's GPU, from devfreq: /sys/class/devfreq/*/cur_freq in Hz.

A GPU is recognised by the name of its node in the device tree, ``device/of_node/name``::

    gp10b   17000000.gp10b                     TX2
    gv11b   17000000.gv11b                     Xavier NX, AGX Xavier; JetPack 4 and 5
    ga10b   17000000.ga10b                     Orin, JetPack 5
    gpu     17000000.gpu, 57000000.gpu         Orin, JetPack 6; Nano

The device of Thor is called ``gpu-gpc-0``. Other devices of the class are memory, video and JPEG engines.

Source: jetson_stats, ``jtop/core/gpu.py``.
"""

from __future__ import annotations

from pathlib import Path

from edgeagent.sensors.kernel_file import find_files, read_number, read_text

NODES = ("gp10b", "gv11b", "ga10b", "gpu")
THOR = "gpu-gpc-0"


def read_gpu_mhz(root: Path = Path("/")) -> float | None:
    """Return the current GPU clock in MHz; None without such a GPU."""
    clocks = (read_number(gpu / "cur_freq") for gpu in find_gpus(root))
    return next((hertz / 1e6 for hertz in clocks if hertz is not None), None)


def find_gpus(root: Path = Path("/")) -> list[Path]:
    """Return the devfreq folders of GPUs, each with the folder ``device`` of the GPU itself."""
    return [folder for folder in find_files(root, "sys/class/devfreq/*") if _is_gpu(folder)]


def _is_gpu(folder: Path) -> bool:
    node = read_text(folder / "device/of_node/name") or folder.name.rpartition(".")[2]
    return node in NODES or folder.name == THOR
