"""What drift is measured against, on the disk: one JSON file for each camera, begun anew with the model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeagent.accuracy.drift import Hold, Kept
from edgeagent.accuracy.scene import QUANTITIES, SceneCounts
from edgeagent.files.atomic import write_state
from edgeagent.telemetry.contract.accuracy import Quantity

logger = logging.getLogger(__name__)

FOLDER = "drift"
"""In the agent's state folder."""
MOST_COUNT = 2**53

Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Counts(_Part):
    frames: Count
    counts: dict[Quantity, list[Count]]
    contributing: dict[Quantity, Count]


class _Hold(_Part):
    drifted: bool
    count: Count


class _File(_Part):
    schema_version: Literal[1] = 1
    model: str
    reference: _Counts
    window: list[_Counts]
    filling: _Counts
    holds: dict[Quantity, _Hold]


def write_drift(path: Path, model: str, kept: Kept) -> None:
    """Write it durably; ``model`` is what it is of.

    Raises:
        EdgeagentError: it cannot be written; an older file is as it was.
    """
    holds = {name: _Hold(drifted=hold.drifted, count=hold.count) for name, hold in kept.holds.items()}
    file = _File(
        model=model,
        reference=_written(kept.reference),
        window=[_written(slot) for slot in kept.window],
        filling=_written(kept.filling),
        holds=holds,
    )
    write_state(path, file.model_dump_json().encode())


def read_drift(path: Path, model: str, classes: int) -> Kept | None:
    """Return what is kept; None where there is nothing, it is of another model, or it cannot be read."""
    try:
        file = _File.model_validate_json(path.read_bytes())
        if file.model != model:
            logger.info("%s is of %s; the reference is begun anew", path, file.model)
            return None
        window = [_read(slot, classes) for slot in file.window]
        reference, filling = _read(file.reference, classes), _read(file.filling, classes)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, ValueError) as error:
        logger.error("%s: cannot be read (%s); the reference is begun anew", path, error)
        return None
    holds = {name: Hold(hold.drifted, hold.count) for name, hold in file.holds.items()}
    return Kept(reference, window, filling, holds)


def _written(counts: SceneCounts) -> _Counts:
    return _Counts(
        frames=counts.frames,
        counts={name: found.tolist() for name, found in counts.counts.items()},
        contributing=counts.contributing,
    )


def _read(written: _Counts, classes: int) -> SceneCounts:
    found = SceneCounts(classes)
    found.frames = written.frames
    for name in QUANTITIES:
        values = written.counts.get(name, [])
        if len(values) != len(found.counts[name]) or name not in written.contributing:
            raise ValueError(f"{name} has {len(values)} bins, not {len(found.counts[name])}")
        found.counts[name][:] = np.array(values, np.int64)
        found.contributing[name] = written.contributing[name]
    return found
