"""The ``model`` section of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
)

from edgeagent.engines.delegates import CATALOGUE, ENGINES, EXTERNAL
from edgeagent.settings.types import Fraction, Seconds, SettingsSection

MOST_THREADS = 64


ENGINE_NAMES = ("auto", *ENGINES, *(delegate.name for delegate in CATALOGUE), EXTERNAL)


def _engine_names(value: str) -> str:
    for name in value.split(","):
        if name.strip() not in ENGINE_NAMES:
            raise ValueError(
                f"expected auto, or some of {', '.join(ENGINE_NAMES[1:])}; {name.strip()!r} is none"
            )
    return value


class LibrarySettings(SettingsSection):
    """A TFLite delegate that the catalogue does not know.

    Attributes:
        path: of its shared library.
        options: passed to it.
    """

    path: str
    options: dict[str, str] = Field(default_factory=dict)


class WorkerSettings(SettingsSection):
    """The process that the engine runs in.

    Attributes:
        cpus: processors that it may use; empty for all.
        nice: added to the agent's niceness; negative needs the permission.
    """

    cpus: tuple[Annotated[int, Field(ge=0)], ...] = ()
    nice: Annotated[int, Field(ge=-20, le=19)] = 0


class ModelSettings(SettingsSection):
    """Which model serves, and how.

    Attributes:
        bundle: directory of the bundle; None is the bundle that comes with the program.
        engine: ``auto`` takes the fastest delegate that is right; else names of delegates or engines,
            separated by commas, the first choice first.
        library: another TFLite delegate; ``tflite-external`` in ``engine``.
        threads: intra-operator threads; 0 takes what is faster: all processors, or all but one.
        check_every: between two checks of the serving delegate by the golden pictures.
        worker: the process that the engine runs in.
        score_threshold: detections below it are dropped.
        iou_threshold: of non-maximum suppression.
    """

    bundle: Path | None = None
    engine: Annotated[str, AfterValidator(_engine_names)] = "auto"
    library: LibrarySettings | None = None
    threads: Annotated[int, Field(ge=0, le=MOST_THREADS)] = 0
    check_every: Seconds = 300.0
    worker: WorkerSettings = WorkerSettings()
    score_threshold: Fraction = 0.3
    iou_threshold: Fraction = 0.65
