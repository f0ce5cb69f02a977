"""Replay of a clip: the same events each time, files, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml

from edgeagent.cli import main
from edgeagent.files.resources import sample_clip
from tests.included import QUICK_NAME

SECONDS, FPS = 6, 10


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first seconds of the sample clip, with people in each frame."""
    path = tmp_path_factory.mktemp("clip") / "people.avi"
    reader = cv2.VideoCapture(str(sample_clip()))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (768, 576))
    for _ in range(SECONDS * FPS):
        ok, frame = reader.read()
        assert ok
        writer.write(frame)
    writer.release()
    reader.release()
    return path


def config(folder: Path, **camera: Any) -> Path:
    """Return a configuration with a zone, of a camera that does not exist."""
    zone = {"name": "all", "polygon": [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], **camera}
    path = folder / "edgeagent.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "state": str(folder / "state"),
                "cameras": [{"name": "yard", "source": "/dev/video7", "zones": [zone]}],
                "model": {"bundle": QUICK_NAME, "engine": "onnxruntime-cpu", "threads": 1},
            }
        )
    )
    return path


def replayed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[dict[str, Any], list[str]]:
    assert main(["replay", *map(str, arguments), "--json"]) == 0
    output, errors = capsys.readouterr()
    return json.loads(output), errors.splitlines()


def test_the_same_clip_gives_the_same_events(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for number in range(2):
        events = tmp_path / f"{number}.jsonl"
        result, lines = replayed(capsys, clip, "-c", config(tmp_path), "--events", events)
        told.append(events.read_text())
        assert result["frames"] == SECONDS * FPS
        assert result["clip_s"] == SECONDS
        assert result["objects"]["person"] >= 3
        assert result["zones"]["all"]["person"] >= 3
        assert any(line.endswith("zone all is occupied") for line in lines)
    assert told[0] == told[1]
    records = [json.loads(line) for line in told[0].splitlines()]
    begun = [r["id"] for r in records if r.get("event") == "new"]
    assert sorted(begun) == sorted(r["id"] for r in records if r.get("event") == "end")


def test_the_annotated_clip_has_every_frame(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "annotated.mp4"
    replayed(capsys, clip, "-c", config(tmp_path), "--out", out)
    reader = cv2.VideoCapture(str(out))
    assert int(reader.get(cv2.CAP_PROP_FRAME_COUNT)) == SECONDS * FPS
    reader.release()


def test_schedules_follow_the_given_time(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night = {"objects": {"schedule": {"begin": "22:00", "end": "06:00"}}}
    by_day, _ = replayed(capsys, clip, "-c", config(tmp_path, **night))
    at_night, _ = replayed(capsys, clip, "-c", config(tmp_path, **night), "--begins", "2026-11-29T23:30")
    assert by_day["zones"] == {"all": {}}
    assert at_night["zones"]["all"]["person"] >= 3


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("missing.mp4",), 5, "missing.mp4"),
        (("CLIP", "--camera", "gate"), 2, "--camera names a camera of the configuration"),
        (("CLIP", "-c", "CONFIG", "--camera", "gate"), 2, "has no such camera; it has yard"),
        (("CLIP", "--out", "CLIP"), 2, "is the file of the clip; name another"),
        (("CLIP", "-c", "CONFIG", "--events", "CONFIG"), 2, "is the file of --config; name another"),
        (("CLIP", "--out", "/tmp/same.mp4", "--events", "/tmp/same.mp4"), 2, "is the file of --out"),
        (("CLIP", "--begins", "tonight"), 2, "--begins: expected a local time such as"),
        (("CLIP", "-c", "CONFIG", "--events", "/nowhere/e.jsonl"), 1, "the events cannot be written"),
        (("CLIP", "-c", "CONFIG", "--out", "/nowhere/o.mp4"), 1, "the clip cannot be written"),
    ],
)
def test_mistakes_are_told(
    arguments: tuple[str, ...],
    code: int,
    text: str,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"CLIP": str(clip), "CONFIG": str(config(tmp_path))}
    assert main(["replay", *(names.get(one, one) for one in arguments)]) == code
    assert text in capsys.readouterr().err
