"""Bounded files: age, size, a full disk, and what was there before."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from edgeagent.errors import EdgeagentError
from edgeagent.events.retained_files import REMOVED_AT_ONCE, Bounds, NoSpaceError, RetainedFiles

NAMES = re.compile(r"[a-z0-9]+\.jpg")
BOUNDS = Bounds(age_s=100.0, size=1000, free=500)


class Disk:
    """Clock and free space that a test sets."""

    now_s, clock_s, free = 1000.0, 0.0, 10_000

    def files(self, folder: Path, bounds: Bounds = BOUNDS) -> RetainedFiles:
        return RetainedFiles(
            folder, NAMES, bounds, lambda: self.now_s, lambda: self.clock_s, lambda folder: self.free
        )

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.clock_s += seconds


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_oldest_go_when_all_are_too_large(tmp_path: Path) -> None:
    files = Disk().files(tmp_path / "kept")
    for number in range(5):
        path = files.write(f"yard/{number}.jpg", b"x" * 300)
        assert path.read_bytes() == b"x" * 300
    assert names(tmp_path / "kept") == ["yard/2.jpg", "yard/3.jpg", "yard/4.jpg"]


def test_one_that_is_written_again_counts_once_and_is_the_newest(tmp_path: Path) -> None:
    files = Disk().files(tmp_path)
    for name in ("a.jpg", "b.jpg", "a.jpg", "c.jpg", "d.jpg"):
        files.write(f"yard/{name}", b"x" * 300)
    assert names(tmp_path) == ["yard/a.jpg", "yard/c.jpg", "yard/d.jpg"]


def test_the_old_go_and_the_setting_of_the_clock_makes_none_old(tmp_path: Path) -> None:
    disk = Disk()
    files = disk.files(tmp_path)
    files.write("yard/a.jpg", b"x")
    disk.pass_s(60)
    files.write("yard/b.jpg", b"x")
    disk.now_s += 1e6
    files.remove_old()
    assert names(tmp_path) == ["yard/a.jpg", "yard/b.jpg"]
    disk.pass_s(60)
    files.remove_old()
    assert names(tmp_path) == ["yard/b.jpg"]


def test_files_of_earlier_runs_count_and_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    for number, name in enumerate(("old.jpg", "older.jpg", "Holiday Photo.jpg", "notes.txt", ".x.jpg.new")):
        (tmp_path / "yard" / name).write_bytes(b"x" * 400)
        os.utime(tmp_path / "yard" / name, (990 - number, 990 - number))
    (tmp_path / "mine.jpg").write_bytes(b"x" * 4000)
    Disk().files(tmp_path).write("yard/new.jpg", b"x" * 400)
    assert names(tmp_path) == [
        "mine.jpg",
        "yard/Holiday Photo.jpg",
        "yard/new.jpg",
        "yard/notes.txt",
        "yard/old.jpg",
    ]


def test_a_full_disk_drops_the_oldest(tmp_path: Path) -> None:
    disk = Disk()
    files = disk.files(tmp_path)
    for name in ("a", "b", "c"):
        files.write(f"yard/{name}.jpg", b"x" * 300)
    disk.free = 400
    with pytest.raises(NoSpaceError, match="even without all older files"):
        files.write("yard/d.jpg", b"x" * 1001)
    assert names(tmp_path) == ["yard/a.jpg", "yard/b.jpg", "yard/c.jpg"]  # kept, as it would not help
    frees = iter([600, 400, 700])
    files._free = lambda folder: next(frees)
    files.write("yard/d.jpg", b"x" * 100)
    assert names(tmp_path) == ["yard/b.jpg", "yard/c.jpg", "yard/d.jpg"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EdgeagentError, match="file/yard"):
        Disk().files(tmp_path / "file").write("yard/a.jpg", b"x")


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("precious")
    (tmp_path / "kept" / "yard").mkdir(parents=True)
    files = Disk().files(tmp_path / "kept")
    files.remove_old()
    (tmp_path / "kept" / "yard" / ".a.jpg.new").symlink_to(tmp_path / "outside")
    with pytest.raises(EdgeagentError, match="cannot be written"):
        files.write("yard/a.jpg", b"x")
    assert (tmp_path / "outside").read_text() == "precious"


def test_a_folder_far_beyond_its_bounds_comes_within_them_step_by_step(tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    for number in range(3 * REMOVED_AT_ONCE):
        (tmp_path / "yard" / f"{number}.jpg").write_bytes(b"x")
        os.utime(tmp_path / "yard" / f"{number}.jpg", (1, 1))
    files = Disk().files(tmp_path)
    assert files.remove_old()
    assert len(names(tmp_path)) == 2 * REMOVED_AT_ONCE
    files.write("yard/new.jpg", b"x")
    assert len(names(tmp_path)) == REMOVED_AT_ONCE + 1
    assert not files.remove_old()
    assert names(tmp_path) == ["yard/new.jpg"]


def test_a_folder_that_is_not_there_yet_has_nothing_to_remove(tmp_path: Path) -> None:
    assert not Disk().files(tmp_path / "none").remove_old()


def test_a_file_that_grows_counts_and_has_no_name_until_it_is_finished(tmp_path: Path) -> None:
    files = Disk().files(tmp_path)
    for number in range(3):
        files.write(f"yard/{number}.jpg", b"x" * 300)
    growing = files.begin("yard/clip.jpg")
    for _ in range(4):
        growing.write(b"x" * 100)
    assert growing.seek(0) == 0
    growing.write(b"y" * 50)
    assert names(tmp_path) == ["yard/.clip.jpg.new", "yard/1.jpg", "yard/2.jpg"]
    assert growing.finish().read_bytes() == b"y" * 50 + b"x" * 350
    files.write("yard/3.jpg", b"x" * 300)
    assert names(tmp_path) == ["yard/2.jpg", "yard/3.jpg", "yard/clip.jpg"]


def test_a_file_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    disk = Disk()
    files = disk.files(tmp_path)
    growing = files.begin("yard/clip.jpg")
    growing.write(b"x" * 900)
    disk.free = 0
    with pytest.raises(NoSpaceError):
        growing.write(b"x" * 10)
    growing.discard()
    disk.free = 10_000
    assert names(tmp_path) == []
    files.write("yard/a.jpg", b"x" * 1000)
    assert names(tmp_path) == ["yard/a.jpg"]
