"""Drift file: the saved reference and window of one camera under one model, as JSON."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from edgeagent.accuracy.drift import Hysteresis, SavedDrift
from edgeagent.accuracy.scene import QUANTITIES, SceneCounts
from edgeagent.files.atomic import write_state
from edgeagent.files.state_json import read_json
from edgeagent.telemetry.contract.accuracy import Quantity

logger = logging.getLogger(__name__)

ADDED: tuple[Quantity, ...] = ("detections",)
"""Quantities that files of the first version of the program do not have."""

FOLDER = "drift"
"""Name of the folder in the agent's state folder."""
MOST_COUNT = 2**53

BoundedCount = Annotated[int, Field(ge=0, le=MOST_COUNT)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Counts(_Part):
    frames: BoundedCount
    counts: dict[Quantity, list[BoundedCount]]
    contributing: dict[Quantity, BoundedCount]


class _Hold(_Part):
    drifted: bool
    count: BoundedCount


class _File(_Part):
    schema_version: Literal[1] = 1
    model: str
    reference: _Counts
    window: list[_Counts]
    filling: _Counts
    holds: dict[Quantity, _Hold]


def write_drift(path: Path, model: str, saved: SavedDrift) -> None:
    """Write a drift file durably; ``model`` identifies the model, thresholds included.

    Raises:
        EdgeagentError: the file cannot be written; an older one is unchanged.
    """
    file = _File(
        model=model,
        reference=_serialized(saved.reference),
        window=[_serialized(slot) for slot in saved.window],
        filling=_serialized(saved.filling),
        holds={name: _Hold(drifted=one.drifted, count=one.count) for name, one in saved.hysteresis.items()},
    )
    write_state(path, file.model_dump_json().encode())


def read_drift(path: Path, model: str, classes: int) -> SavedDrift | None:
    """Return the content of a drift file; None where it is missing, unreadable, or of another model.

    Args:
        path: path of the file.
        model: identity of the model, as written.
        classes: number of classes of the model.
    """
    try:
        file = read_json(path, _File)
        if file.model != model:
            logger.info("%s belongs to %s; a new reference is started", path, file.model)
            return None
        window = [_parsed(slot, classes) for slot in file.window]
        reference, filling = _parsed(file.reference, classes), _parsed(file.filling, classes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.error("%s: cannot be read (%s); a new reference is started", path, error)
        return None
    hysteresis = {name: Hysteresis(hold.drifted, hold.count) for name, hold in file.holds.items()}
    return SavedDrift(reference, window, filling, hysteresis)


def _serialized(counts: SceneCounts) -> _Counts:
    return _Counts(
        frames=counts.frames,
        counts={name: found.tolist() for name, found in counts.counts.items()},
        contributing=counts.contributing,
    )


def _parsed(part: _Counts, classes: int) -> SceneCounts:
    found = SceneCounts(classes)
    found.frames = part.frames
    for name in QUANTITIES:
        if name in ADDED and name not in part.counts:
            continue
        values = part.counts.get(name, [])
        if len(values) != len(found.counts[name]) or name not in part.contributing:
            raise ValueError(f"{name} has {len(values)} bins, not {len(found.counts[name])}")
        found.counts[name][:] = np.array(values, np.int64)
        found.contributing[name] = part.contributing[name]
    return found
