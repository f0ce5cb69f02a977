from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeagent.camera.clip import ClipSource
from edgeagent.demo.clip_writer import ClipWriter
from edgeagent.errors import EdgeagentError
from edgeagent.imaging.frame import Image
from tests.camera.media import grey, number_of
from tests.small_disk import on_small_disk


def frames_of(path: Path) -> list[Image]:
    source = ClipSource(path)
    source.open()
    found = []
    while (image := source.read(None)) is not None:
        found.append(image)
    source.close()
    return found


def write(path: Path, count: int = 5) -> ClipWriter:
    writer = ClipWriter(path, 10.0)
    for number in range(count):
        writer.write(grey(number))
    writer.close()
    return writer


def test_every_frame_is_in_the_clip(tmp_path: Path) -> None:
    assert write(tmp_path / "c.mp4", 12).frames == 12
    assert [number_of(image) for image in frames_of(tmp_path / "c.mp4")] == list(range(12))
    source = ClipSource(tmp_path / "c.mp4")
    source.open()
    assert (source.facts.fps, source.facts.size) == (10.0, (64, 48))
    source.close()


def test_an_older_clip_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "c.mp4", 9)
    write(tmp_path / "c.mp4", 3)
    assert len(frames_of(tmp_path / "c.mp4")) == 3


def test_no_frames_make_no_file(tmp_path: Path) -> None:
    ClipWriter(tmp_path / "c.mp4", 10.0).close()
    assert not any(tmp_path.iterdir())


def test_a_written_frame_is_not_changed(tmp_path: Path) -> None:
    writer, image = ClipWriter(tmp_path / "c.mp4", 10.0), grey(7)
    before = image.copy()
    writer.write(image)
    writer.close()
    np.testing.assert_array_equal(image, before)


def test_frames_of_other_sizes_are_scaled_to_the_first(tmp_path: Path) -> None:
    writer = ClipWriter(tmp_path / "c.mp4", 10.0)
    for number, size in enumerate(((64, 48), (48, 64), (640, 480), (64, 48))):
        writer.write(grey(number, size))
    writer.close()
    images = frames_of(tmp_path / "c.mp4")
    assert [number_of(image) for image in images] == [0, 1, 2, 3]
    assert {image.shape for image in images} == {(48, 64, 3)}


@pytest.mark.parametrize("name", [os.fsdecode(b"out-\xff"), "a:b", "http:", "per%03dcent", "ünd"])
def test_folders_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)  # a relative name begins with what looks like a protocol
    Path(name).mkdir()
    write(Path(name) / "c.mp4")
    assert len(frames_of(tmp_path / name / "c.mp4")) == 5


def test_a_clip_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("c.mp4"))
    assert len(frames_of(tmp_path / "c.mp4")) == 5


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    write(tmp_path / "c.mp4")
    with pytest.raises(EdgeagentError):
        write(tmp_path / "absent" / "c.mp4")
    (tmp_path / "d.mp4").mkdir()
    with pytest.raises(EdgeagentError):
        write(tmp_path / "d.mp4")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_clip_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(
        EdgeagentError, match=r"c\.mp4: the clip cannot be written \(No such file or directory"
    ):
        write(tmp_path / "absent" / "c.mp4")
    (tmp_path / "d.mp4").mkdir()
    with pytest.raises(
        EdgeagentError, match=r"d\.mp4: the clip cannot be written with frames of 64 x 48; is"
    ):
        write(tmp_path / "d.mp4")


_FILL = """
import sys
from pathlib import Path
import numpy as np
from edgeagent.demo.clip_writer import ClipWriter
from edgeagent.errors import EdgeagentError
random = np.random.default_rng(1)
writer = ClipWriter(Path(sys.argv[1]) / "c.mp4", 10.0)
for _ in range(40):
    writer.write(random.integers(0, 256, (240, 320, 3), np.uint8))
try:
    writer.close()
except EdgeagentError as error:
    print(error)
"""


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    done = on_small_disk(tmp_path, "128k", [sys.executable, "-c", _FILL, str(tmp_path)])
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path / 'c.mp4'}: only ")
    assert line.endswith(" of 40 frames were written; is the disk full?")


def test_a_large_enough_disk_gives_no_error(tmp_path: Path) -> None:
    done = on_small_disk(tmp_path, "64m", [sys.executable, "-c", _FILL, str(tmp_path)])
    assert (done.returncode, done.stdout) == (0, "")
