"""Labels for received frames: damaged and oversized archives, a full disk, and all of them or none."""

from __future__ import annotations

import io
import json
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeagent.errors import DataError, EdgeagentError
from edgeagent.fleet.frames.frame_archive import FrameArchive
from edgeagent.fleet.frames.frame_export import pack_frames
from edgeagent.fleet.frames.frame_key import FrameKey, FrameRefusedError
from edgeagent.fleet.frames.frame_labels import MOST_VALUES, take_labels
from edgeagent.fleet.frames.label_archive import MOST_UNPACKED
from tests.fleet.frames.test_fleet_frames import jpeg, notes


def filled(folder: Path, count: int = 3) -> FrameArchive:
    archive = FrameArchive(folder / "frames", 10_000_000)
    for number in range(count):
        key = FrameKey("", "board", "yard", f"{number}.000000")
        archive.put_notes(key, notes())
        archive.put_picture(key, jpeg())
    return archive


def coco(archive: FrameArchive, label: str = "car") -> bytes:
    images = [
        {"id": number, "file_name": one.key.name, "width": 64, "height": 48}
        for number, one in enumerate(archive.frames(None))
    ]
    boxes = [
        {"id": one["id"], "image_id": one["id"], "category_id": 1, "bbox": [1, 1, 20, 20]} for one in images
    ]
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": label}]}
    return json.dumps(document).encode()


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as file:
        for name, one in files.items():
            file.writestr(name, one)
    return content.getvalue()


def refused(archive: FrameArchive, name: str, content: bytes) -> str:
    """Return why labels are refused; those of before stay."""
    before = archive.frames(None)
    with pytest.raises(DataError) as caught:
        take_labels(archive, None, name, content, "bob")
    assert archive.frames(None) == before
    return str(caught.value)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let the system refuse larger files, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_damaged_archives_are_refused(method: int, tmp_path: Path) -> None:
    archive = filled(tmp_path, 1)
    damaged = bytearray(packed({"annotations.json": coco(archive)}, method))
    for at in range(50, 60):
        damaged[at] ^= 0xFF
    assert "pack it again" in refused(archive, "a.zip", bytes(damaged))


def test_archives_and_files_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    archive = filled(tmp_path, 1)
    bomb = b"[" + b"{}," * (MOST_UNPACKED // 6) + b"{}]"
    small = packed({"annotations.json": bomb})
    assert len(small) < 100_000
    assert "grow by more than 100 times" in refused(archive, "a.zip", small)
    assert f"{MOST_VALUES} are the most" in refused(archive, "a.json", bomb)
    large = packed({f"{number}.json": b" " * (MOST_UNPACKED // 2 + 1) for number in range(2)})
    assert f"{MOST_UNPACKED} bytes are the most" in refused(archive, "a.zip", large)
    yaml = {"data.yaml": b"names: [a" + b",a" * 100_000 + b"]", "labels/a.txt": b""}
    assert "data.yaml: larger than 100000 bytes" in refused(
        archive, "a.zip", packed(yaml, zipfile.ZIP_STORED)
    )


def test_archives_of_tools_are_known_by_their_content(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    yolo = {"data.yaml": b"names: [car]\n", f"labels/{archive.frames(None)[0].key.name[:-4]}.txt": b""}
    text = refused(archive, "a.zip", packed({"annotations.json": coco(archive), **yolo}))
    assert "holds labels twice, COCO in annotations.json and YOLO in labels" in text
    fork = {"__MACOSX/labels/._a.txt": b"\x00"}
    assert take_labels(archive, None, "a.zip", packed({**yolo, **fork}), "bob") == (1, 2)
    for name in ("annotations/instances_default.json", "result.json", "ANNOTATIONS.JSON"):
        assert take_labels(archive, None, "a.zip", packed({name: coco(archive)}), "bob") == (3, 0)
    assert "list of tasks" in refused(archive, "a.zip", packed({"project-1.json": b"[]"}))
    assert "file and a folder of one name" in refused(
        archive, "a.zip", packed({"a.txt": b"", "a.txt/b.txt": b""})
    )


def test_labels_of_several_frames_are_stored_all_or_none(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    first, *_, last = archive.frames(None)
    assert take_labels(archive, None, "a.json", coco(archive), "ann")[0] == 3
    camera = tmp_path / "frames" / "-" / "board" / "yard"
    (camera / f"{first.key.stem}.labels.json").unlink()
    hinder = camera / f"{last.key.stem}.labels.json"
    hinder.unlink()
    hinder.mkdir()
    archive = FrameArchive(tmp_path / "frames", 10_000_000)
    before = {path: path.read_bytes() for path in camera.iterdir() if path.is_file()}
    used = archive.used("")
    assert "cannot be stored" in refused(archive, "a.json", coco(archive, "person"))
    assert {path: path.read_bytes() for path in camera.iterdir() if path.is_file()} == before
    assert archive.used("") == used
    hinder.rmdir()
    assert take_labels(archive, None, "a.json", coco(archive, "person"), "bob")[0] == 3
    assert not [path for path in camera.iterdir() if path.suffix in (".new", ".old")]
    again = FrameArchive(tmp_path / "frames", 10_000_000)
    assert again.frames(None) == archive.frames(None)
    assert again.used("") == archive.used("")
    assert {one.labels.objects[0].label for one in again.frames(None) if one.labels} == {"person"}


def test_names_of_classes_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    archive = filled(tmp_path, 1)
    assert "has control characters" in refused(archive, "a.json", coco(archive, "a\u0007"))
    assert "half of a surrogate pair" in refused(archive, "a.json", coco(archive, "\ud800"))
    for label in ("a\u0007", " ", "a\nb", "\uffff"):
        given = notes(objects=[{"label": label, "box": [0, 0, 1, 1]}])
        with pytest.raises(FrameRefusedError, match="is blank, or has control characters"):
            archive.put_notes(FrameKey("", "board", "yard", "9.000000"), given)


def test_without_room_for_temporary_files_nothing_is_stored(tmp_path: Path) -> None:
    archive = filled(tmp_path)
    content = coco(archive) + b" " * 20_000
    for name, given in (("a.json", content), ("a.zip", packed({"a.json": content}))):
        with files_up_to(12_000):
            text = refused(archive, name, given)
        assert "cannot be unpacked here (File too large); make room for temporary files" in text
    with files_up_to(12_000), pytest.raises(EdgeagentError, match="the export cannot be written"):
        pack_frames(archive, archive.frames(None), "coco")
    with files_up_to(2_000):
        assert "cannot be stored (File too large); all are as they were" in refused(
            archive, "a.json", many(archive)
        )


def many(archive: FrameArchive) -> bytes:
    """Return COCO of 1 kB whose labels of one frame take more than 2 kB."""
    document = json.loads(coco(archive, "c" * 128))
    box = document["annotations"][0]
    document["annotations"] = [{**box, "id": number} for number in range(12)]
    return json.dumps(document, separators=(",", ":")).encode()
