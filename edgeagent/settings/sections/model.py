"""The ``model`` section of the configuration: bundle, engine, worker process, thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
)

from edgeagent.engines.delegates import CATALOGUE, ENGINES, EXTERNAL
from edgeagent.settings.types import Fraction, Seconds, SettingsSection

MAX_THREADS = 64

ENGINE_NAMES = ("auto", *ENGINES, *(delegate.name for delegate in CATALOGUE), EXTERNAL)


def _engine_names(value: str) -> str:
    for name in value.split(","):
        if name.strip() not in ENGINE_NAMES:
            raise ValueError(
                f"expected auto, or some of {', '.join(ENGINE_NAMES[1:])}; {name.strip()!r} is none"
            )
    return value


class LibrarySettings(SettingsSection):
    """External TFLite delegate, in addition to the catalogue.

    Attributes:
        path: path of the shared library.
        options: options passed to the delegate.
    """

    path: str
    options: dict[str, str] = Field(default_factory=dict)


class WorkerSettings(SettingsSection):
    """Worker process settings.

    Attributes:
        cpus: indices of the processors that the worker may use; empty for all.
        nice: increment of the niceness; a negative value requires the permission.
    """

    cpus: tuple[Annotated[int, Field(ge=0)], ...] = ()
    nice: Annotated[int, Field(ge=-20, le=19)] = 0


class ModelSettings(SettingsSection):
    """Model settings.

    Attributes:
        bundle: directory of the bundle, or name of an included one; None is ``coco-small``.
        engine: ``auto`` selects the fastest delegate with correct outputs; otherwise names of delegates or
            engines, separated by commas, in order of preference.
        library: external TFLite delegate, called ``tflite-external`` in ``engine``.
        threads: intra-operator threads; 0 selects the faster of all processors and all but one.
        spinning: whether waiting threads of ONNX Runtime keep their processors busy.
        check_every: seconds between two golden checks of the serving delegate.
        worker: process in which the engine runs.
        score_threshold: minimum score of detections, 0..1.
        iou_threshold: threshold of non-maximum suppression, 0..1.
    """

    bundle: Path | None = None
    engine: Annotated[str, AfterValidator(_engine_names)] = "auto"
    library: LibrarySettings | None = None
    threads: Annotated[int, Field(ge=0, le=MAX_THREADS)] = 0
    spinning: bool = False
    check_every: Seconds = 300.0
    worker: WorkerSettings = WorkerSettings()
    score_threshold: Fraction = 0.4
    iou_threshold: Fraction = 0.65
