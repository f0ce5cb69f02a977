"""Snapshots: the best picture of an object, hidden regions, and a thread that cannot follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import cv2
import numpy as np
import pytest

from edgeagent.events.object_life import ObjectLife
from edgeagent.events.snapshots import WAITING, Snapshots
from edgeagent.settings.sections.events import EventSettings
from edgeagent.settings.sections.snapshots import SnapshotSettings
from tests.broker import PATIENCE
from tests.events.sightings import sighting

SETTINGS = SnapshotSettings(keep_free=1)
LEFT = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


class Stored:
    """Snapshots of a camera, and the pictures that were written."""

    def __init__(self, folder: Path, settings: SnapshotSettings = SETTINGS) -> None:
        self.folder = folder
        self._written: SimpleQueue[bytes] = SimpleQueue()
        self.snapshots = Snapshots(
            settings, folder, {"yard": (LEFT,)}, lambda event, jpeg: self._written.put(jpeg)
        )

    def next(self) -> np.ndarray:
        picture = cv2.imdecode(np.frombuffer(self._written.get(timeout=PATIENCE), np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        return picture

    def none_left(self) -> bool:
        return self._written.empty()


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    made = Stored(tmp_path / "snapshots")
    made.snapshots.start()
    yield made
    made.snapshots.stop(PATIENCE)


def life() -> ObjectLife:
    return ObjectLife(EventSettings(confirm_after=0.5, update_every=5.0), "yard", 7, sighting(0.0))


def grey(shade: int) -> np.ndarray:
    return np.full((240, 320, 3), shade, np.uint8)


def see(stored: Stored, one: ObjectLife, time_s: float, shade: int, **more: float) -> None:
    event = one.see(sighting(time_s, **more), True)
    image = grey(shade)
    stored.snapshots.frame("yard", image, time_s, [one])
    image[:] = 0  # the buffer is used again
    if event is not None:
        stored.snapshots.event(event)


def test_the_best_picture_is_stored_with_new_update_and_end(stored: Stored) -> None:
    one = life()
    see(stored, one, 0.4, 20)  # not reported yet
    see(stored, one, 0.6, 60)
    first = stored.next()
    assert abs(int(first[10, 300, 0]) - 60) < 6
    assert np.ptp(first.astype(int)) > 60  # its box
    see(stored, one, 3.0, 120, score=0.95)
    see(stored, one, 5.9, 200, score=0.5)  # a worse picture; the better one is reported
    assert abs(int(stored.next()[10, 300, 0]) - 120) < 6
    end = one.end()
    assert end is not None
    assert stored.snapshots.name(end) == f"yard/{end.id}.jpg"
    stored.snapshots.event(end)
    assert abs(int(stored.next()[10, 300, 0]) - 120) < 6
    assert [path.name for path in stored.folder.rglob("*.jpg")] == [f"{end.id}.jpg"]
    assert stored.none_left()


def test_privacy_regions_are_hidden_and_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    made = Stored(tmp_path, SnapshotSettings(keep_free=1, longest_side=160, boxes=False))
    made.snapshots.start()
    one = life()
    event = one.see(sighting(0.6), True)
    assert event is not None
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    made.snapshots.frame("yard", noise, 0.6, [one])
    made.snapshots.event(event)
    picture = made.next().astype(int)
    made.snapshots.stop(PATIENCE)
    assert picture.shape == (120, 160, 3)
    assert picture[:, :76].std() < picture[:, 84:].std() / 2


def test_labels_that_are_not_wanted_have_none(tmp_path: Path) -> None:
    made = Stored(tmp_path, SnapshotSettings(keep_free=1, labels=("car",)))
    made.snapshots.start()
    one = life()
    see(made, one, 0.6, 60)
    end = one.end()
    assert end is not None and made.snapshots.name(end) is None
    made.snapshots.event(end)
    made.snapshots.stop(PATIENCE)
    assert made.none_left()


def test_frames_that_nobody_encodes_are_left_out_and_cost_nothing(tmp_path: Path) -> None:
    made = Stored(tmp_path)  # not started
    for number in range(100):
        one = ObjectLife(EventSettings(confirm_after=0.5), "yard", number, sighting(0.0))
        one.see(sighting(1.0), True)
        made.snapshots.frame("yard", grey(number), 1.0, [one])
    assert made.snapshots._jobs.qsize() == WAITING
    made.snapshots.start()
    made.snapshots.stop(PATIENCE)
    assert made.none_left()


def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    made = Stored(tmp_path / "file")
    made.snapshots.start()
    for number in range(3):
        one = ObjectLife(EventSettings(confirm_after=0.5), "yard", number, sighting(0.0))
        event = one.see(sighting(1.0), True)
        assert event is not None
        made.snapshots.frame("yard", grey(9), 1.0, [one])
        made.snapshots.event(event)
    made.snapshots.stop(PATIENCE)
    told = [record for record in caplog.records if "cannot be written" in record.getMessage()]
    assert len(told) >= 1
    assert made.none_left()
