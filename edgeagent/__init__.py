"""edgeagent: INT8 detectors on edge boards, made by quantization-aware training."""

__version__ = "0.1.0"
