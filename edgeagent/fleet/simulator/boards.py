"""What distinguishes the devices of a simulated fleet: boards, models, and what a planted regression changes.

The numbers are invented; no board was measured for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SimulatedBoard:
    """Kind of device.

    Attributes:
        model: of the board.
        architecture: of its processor.
        delegate: that serves.
        engine: of the delegate.
        inference_ms: median of the stage ``inference``.
        spread: standard deviation of the logarithm of the durations.
        idle_w, busy_w: power without inference, and with it.
        power_quality: how power is measured; None on a board without a sensor.
        temperature_c: of the processor in a room of 20 degrees.
    """

    model: str
    architecture: str
    delegate: str
    engine: str
    inference_ms: float
    spread: float
    idle_w: float
    busy_w: float
    power_quality: str | None
    temperature_c: float


BOARDS = (
    SimulatedBoard(
        "Raspberry Pi 5 Model B",
        "aarch64",
        "onnxruntime-cpu",
        "onnxruntime",
        48.0,
        0.10,
        3.1,
        6.4,
        None,
        61.0,
    ),
    SimulatedBoard(
        "Raspberry Pi 4 Model B", "aarch64", "tflite-cpu", "tflite", 92.0, 0.12, 2.8, 5.2, None, 64.0
    ),
    SimulatedBoard("Coral Dev Board", "aarch64", "tflite-edgetpu", "tflite", 8.5, 0.06, 2.4, 4.0, None, 55.0),
    SimulatedBoard(
        "NVIDIA Jetson Orin Nano",
        "aarch64",
        "onnxruntime-tensorrt",
        "onnxruntime",
        6.2,
        0.08,
        4.9,
        9.3,
        "module",
        52.0,
    ),
    SimulatedBoard(
        "NVIDIA Jetson Xavier NX",
        "aarch64",
        "onnxruntime-tensorrt",
        "onnxruntime",
        9.8,
        0.09,
        5.2,
        11.8,
        "module",
        57.0,
    ),
)


@dataclass(frozen=True)
class SimulatedModel:
    """Model that serves, and how it differs from the one before.

    Attributes:
        name, version: of the bundle.
        map50_95: on the golden pictures.
        latency: factor of the median of ``inference``.
        tail: factor of the slowest 2 % of the frames.
        energy: factor of the energy of an inference.
    """

    name: str = "coco-small"
    version: str = "1.0.0"
    map50_95: float = 0.312
    latency: float = 1.0
    tail: float = 1.0
    energy: float = 1.0
