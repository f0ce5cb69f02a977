"""Clips: pre-roll, end, a lost camera, a disk that is full or read-only, what a killed run leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from edgeagent.camera.packet_ring import PacketRing
from edgeagent.events.clips import MOST_AT_ONCE, Clips
from edgeagent.events.object_life import ObjectEvent, ObjectLife
from edgeagent.settings.sections.clips import ClipSettings
from edgeagent.settings.sections.events import EventSettings
from tests.broker import PATIENCE
from tests.camera.packets import Feed, numbers, seconds, write_stream
from tests.events.sightings import sighting
from tests.small_disk import on_small_disk

SETTINGS = ClipSettings(before=3.0, after=2.0, longest=60.0, keep_free=1)


class Recorded:
    """Clips of a camera whose packets and clock a test feeds."""

    def __init__(self, tmp_path: Path, settings: ClipSettings = SETTINGS, noise: bool = False) -> None:
        self.folder, self.now_s = tmp_path / "clips", 0.0
        self.ring = PacketRing(20.0, settings.memory)
        self.feed = Feed(write_stream(tmp_path / "stream.mp4", 300, (128, 96), noise), self.ring)
        self._done: SimpleQueue[tuple[str, str | None]] = SimpleQueue()
        self.clips = Clips(
            settings,
            self.folder,
            {"yard": self.ring},
            lambda one, name: self._done.put((one, name)),
            lambda: self.now_s,
        )
        self.clips.start()

    def until(self, time_s: float) -> None:
        self.feed.until(time_s)
        self.now_s = time_s

    def done(self) -> tuple[str, str | None]:
        return self._done.get(timeout=PATIENCE)

    def clip(self) -> Path:
        _, name = self.done()
        assert name is not None
        return self.folder / name

    def wait_for_file(self) -> None:
        """Wait until a clip is begun."""
        deadline = time.monotonic() + PATIENCE
        while not self.files():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.rglob("*") if path.is_file())


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Recorded]:
    made = Recorded(tmp_path)
    yield made
    made.clips.stop(PATIENCE)


def begin(recorded: Recorded, at_s: float, track: int = 7, label: str = "person") -> ObjectEvent:
    """Report an object that was first seen at a time; return the event of its end, in the same moment."""
    first = replace(sighting(at_s), label=label)
    life = ObjectLife(EventSettings(confirm_after=0.1), "yard", track, first)
    new = life.see(replace(sighting(at_s + 0.5), label=label), True)
    assert new is not None and new.what == "new"
    recorded.clips.event(new)
    end = life.end()
    assert end is not None
    return end


def end(recorded: Recorded, event: ObjectEvent, at_s: float) -> None:
    recorded.clips.event(replace(event, now=replace(event.now, time_s=at_s)))


def test_a_clip_has_what_was_before_and_after_and_begins_with_a_key_frame(recorded: Recorded) -> None:
    recorded.until(10.5)
    last = begin(recorded, 10.0)
    recorded.until(12.0)
    end(recorded, last, 12.0)
    assert recorded.clips.is_recording(last.id)
    recorded.until(15.5)
    clip = recorded.clip()
    assert clip.name == f"{last.id}.mp4" and clip.stat().st_mode & 0o077 == 0
    # the key frame at 7 s, 3 s before; the last one at 14 s, 2 s after
    assert numbers(clip) == [n % 32 for n in range(70, 141)]
    assert seconds(clip) == pytest.approx(7.1, abs=0.15)
    assert not recorded.clips.is_recording(last.id)
    assert recorded.clips.take_name(last.id) == f"yard/{last.id}.mp4"
    assert recorded.clips.take_name(last.id) is None


def test_several_objects_have_clips_at_once(recorded: Recorded) -> None:
    recorded.until(10.5)
    first, second = begin(recorded, 10.0, 1), begin(recorded, 10.2, 2)
    recorded.until(11.0)
    end(recorded, first, 11.0)
    end(recorded, second, 11.0)
    recorded.until(14.5)
    paths = {recorded.clip(), recorded.clip()}
    assert len(paths) == 2
    for path in paths:
        assert numbers(path)[0] == 70 % 32


def test_a_clip_has_a_greatest_length(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, SETTINGS.model_copy(update={"longest": 4.0}))
    recorded.until(10.5)
    begin(recorded, 10.0)
    recorded.until(20.0)
    assert seconds(recorded.clip()) == pytest.approx(4.1, abs=0.15)
    recorded.clips.stop(PATIENCE)


def test_a_clip_ends_where_the_camera_is_lost(recorded: Recorded) -> None:
    recorded.until(10.5)
    last = begin(recorded, 10.0)
    recorded.until(11.0)
    recorded.ring.disconnect()
    assert numbers(recorded.clip()) == [n % 32 for n in range(70, 111)]
    end(recorded, last, 11.0)  # nobody waits for it any more
    assert not recorded.clips.is_recording(last.id)


def test_a_camera_without_packets_gives_no_clip_and_no_file(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    last = begin(recorded, 0.5)
    end(recorded, last, 1.0)
    recorded.now_s = 10.0
    assert recorded.done() == (last.id, None)
    assert recorded.files() == []
    recorded.clips.stop(PATIENCE)


def test_a_stop_finishes_what_there_is(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.until(10.5)
    begin(recorded, 10.0)
    recorded.wait_for_file()
    recorded.clips.stop(PATIENCE)
    assert numbers(recorded.clip())[0] == 70 % 32


def test_a_clock_that_is_set_in_an_event_changes_nothing(recorded: Recorded) -> None:
    recorded.until(10.5)
    last = begin(recorded, 10.0)
    recorded.until(12.0)
    jumped = replace(last, now=replace(last.now, time_s=12.0, utc_s=last.now.utc_s - 1e6))
    recorded.clips.event(jumped)
    recorded.until(15.5)
    assert seconds(recorded.clip()) == pytest.approx(7.1, abs=0.15)


def test_a_disk_that_cannot_follow_costs_the_clip_and_not_the_camera(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path)
    recorded.until(10.5)
    last = begin(recorded, 10.0)
    recorded.wait_for_file()
    recorded.feed.until(29.0)  # in one moment, more than the ring holds
    for number in range(2000):
        recorded.ring.add(b"x" * 100_000, number, number, 1, number % 10 == 0, 29.0)
    assert recorded.done() == (last.id, None)
    assert recorded.files() == []
    recorded.clips.stop(PATIENCE)


def test_labels_that_are_not_wanted_have_none_and_there_is_a_greatest_number(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path, SETTINGS.model_copy(update={"labels": ("person",)}))
    recorded.until(10.5)
    assert not recorded.clips.is_recording(begin(recorded, 10.0, 99, "dog").id)
    events = [begin(recorded, 10.0, track) for track in range(MOST_AT_ONCE + 1)]
    assert [recorded.clips.is_recording(one.id) for one in events] == [True] * MOST_AT_ONCE + [False]
    recorded.clips.stop(PATIENCE)


def test_a_folder_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "clips").touch()
    recorded = Recorded(tmp_path)
    recorded.until(10.5)
    for track in range(3):
        begin(recorded, 10.0, track)
    assert [recorded.done()[1] for _ in range(3)] == [None] * 3
    assert sum("cannot be written" in record.getMessage() for record in caplog.records) == 3  # one a clip
    recorded.clips.stop(PATIENCE)


SMALL = """
import sys
from pathlib import Path
from tests.events.test_clips import SETTINGS, Recorded, begin, end
recorded = Recorded(Path(sys.argv[1]), SETTINGS.model_copy(update={"keep_free": 30_000}), noise=True)
feed = recorded.feed
for track in range(12):
    recorded.until(10.5 + track)
    last = begin(recorded, 10.0 + track, track)
    end(recorded, last, 11.0 + track)
    recorded.until(14.0 + track)
    print(recorded.done()[1])
recorded.clips.stop(10)
print(len(list(recorded.folder.rglob("*.mp4"))), len(list(recorded.folder.rglob("*.new"))))
"""


def test_a_full_disk_drops_the_oldest(tmp_path: Path) -> None:
    ended = on_small_disk(tmp_path, "9m", [sys.executable, "-c", SMALL, str(tmp_path)])
    assert ended.returncode == 0, ended.stderr
    *names, left = ended.stdout.splitlines()
    assert len(names) == 12 and "None" not in names
    kept, unfinished = map(int, left.split())
    assert 1 <= kept < 12 and unfinished == 0
    assert ended.stderr.count("the disk is full; the oldest files are removed") == 1


KILLED = """
import sys, time
from pathlib import Path
from tests.events.test_clips import Recorded, begin
recorded = Recorded(Path(sys.argv[1]))
recorded.until(10.5)
begin(recorded, 10.0)
recorded.wait_for_file()
print("recording", flush=True)
time.sleep(600)
"""


def test_a_killed_run_leaves_no_clip_that_is_not_whole(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"recording\n"
        process.send_signal(signal.SIGKILL)
    (left,) = (tmp_path / "clips" / "yard").iterdir()
    assert left.name.startswith(".") and left.name.endswith(".mp4.new")
    recorded = Recorded(tmp_path)
    recorded.until(10.5)
    begin(recorded, 10.0)
    recorded.ring.disconnect()
    clip = recorded.clip()
    recorded.clips.stop(PATIENCE)
    assert recorded.files() == [clip.name]
