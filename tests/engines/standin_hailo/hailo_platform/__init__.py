"""A stand-in of the part of HailoRT's Python package that the engine and the thermometer call.

Names, signatures and messages are those of hailo-ai/hailort, platform/hailo_platform/pyhailort/pyhailort.py.
A "HEF" is a JSON file of its tensors; each output is filled with the mean of the first input. ``failing``
holds the status with which a call fails: 76 for a driver of another release, as libhailort numbers them. In
another process STANDIN_HAILO_FAILS says what the question for the temperature does: fail, abort or hang.
"""

from __future__ import annotations

import enum
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

__version__ = "4.20.0"
failing: dict[str, str] = {}
released: list[str] = []


class HailoRTException(Exception):  # noqa: N818  (its name in HailoRT)
    pass


class HailoRTTimeout(HailoRTException):
    pass


class HailoRTInvalidHEFException(HailoRTException):
    pass


class FormatType(enum.Enum):
    AUTO = 0
    UINT8 = 1
    UINT16 = 2
    FLOAT32 = 3


_DTYPES = {FormatType.UINT8: np.uint8, FormatType.FLOAT32: np.float32}


def _fail(call: str) -> None:
    if call in failing:
        raise HailoRTException(f"libhailort failed with error: {failing[call]}")


class _Context:
    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        released.append(type(self).__name__)


class VDevice(_Context):
    def __init__(self, params: Any = None) -> None:
        _fail("VDevice")

    def create_infer_model(self, hef_source: str, name: str = "") -> InferModel:
        try:
            return InferModel(json.loads(Path(hef_source).read_text(encoding="utf-8")))
        except ValueError as error:
            raise HailoRTInvalidHEFException("Invalid HEF. See hailort.log for more information") from error


class InferStream:
    def __init__(self, fields: dict[str, Any]) -> None:
        self.name: str = fields["name"]
        self.shape: list[int] = fields["shape"]
        self.is_nms: bool = fields.get("nms", False)
        self.type = FormatType.AUTO

    def set_format_type(self, type: FormatType) -> None:  # noqa: A002
        self.type = type


class InferModel:
    def __init__(self, fields: dict[str, Any]) -> None:
        self.inputs = [InferStream(one) for one in fields["inputs"]]
        self.outputs = [InferStream(one) for one in fields["outputs"]]

    def configure(self) -> ConfiguredInferModel:
        _fail("configure")
        return ConfiguredInferModel(self)


class _BoundStream:
    def __init__(self, stream: InferStream) -> None:
        self.stream = stream
        self.buffer: Any = None

    def set_buffer(self, buffer: Any) -> None:
        if list(buffer.shape) != self.stream.shape or buffer.dtype != _DTYPES[self.stream.type]:
            raise HailoRTException("libhailort failed with error: 2 (HAILO_INVALID_ARGUMENT)")
        self.buffer = buffer


class Bindings:
    def __init__(self, model: InferModel) -> None:
        self.inputs = {stream.name: _BoundStream(stream) for stream in model.inputs}
        self.outputs = {stream.name: _BoundStream(stream) for stream in model.outputs}

    def input(self, name: str = "") -> _BoundStream:
        return self.inputs[name]

    def output(self, name: str = "") -> _BoundStream:
        return self.outputs[name]


class ConfiguredInferModel(_Context):
    def __init__(self, model: InferModel) -> None:
        self._model = model

    def create_bindings(self) -> Bindings:
        return Bindings(self._model)

    def run(self, bindings: list[Bindings], timeout: int) -> None:
        _fail("run")
        if timeout < 10:
            raise HailoRTTimeout("Received a timeout - hailort has failed because a timeout had occurred")
        for one in bindings:
            mean = next(iter(one.inputs.values())).buffer.mean()
            for output in one.outputs.values():
                output.buffer[...] = mean


class TemperatureInfo:
    ts0_temperature = 51.75
    ts1_temperature = 52.1267


class Control:
    def get_chip_temperature(self) -> TemperatureInfo:
        wanted = os.environ.get("STANDIN_HAILO_FAILS")
        if wanted == "temperature":
            raise HailoRTException("libhailort failed with error: 6 (HAILO_INTERNAL_FAILURE)")
        if wanted == "abort":
            os.abort()
        if wanted == "hang":
            time.sleep(600)
        return TemperatureInfo()


class Device:
    @staticmethod
    def scan() -> list[str]:
        return ["0000:01:00.0"]

    def __init__(self, device_id: str | None = None) -> None:
        self.control = Control()

    def release(self) -> None:
        released.append(type(self).__name__)
