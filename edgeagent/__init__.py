"""INT8 object detectors on edge boards: quantization-aware training, a daemon, telemetry."""

from edgeagent.version import __version__

__all__ = ["__version__"]
