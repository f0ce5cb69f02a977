"""The command ``edgeagent demo``, end to end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from edgeagent.camera.clip import ClipSource
from edgeagent.cli import main
from edgeagent.demo import broker
from edgeagent.files.resources import sample_clip
from tests.camera.media import write_clip
from tests.cli.command import edgeagent, mistake, the_line, wrong_use
from tests.engines import cell_detector as cells
from tests.small_disk import on_small_disk

Capture = pytest.CaptureFixture[str]
ODD = os.fsdecode(b"\xff")


def frames_in(path: Path) -> int:
    source = ClipSource(path)
    source.open()
    count = 0
    while source.read(None) is not None:
        count += 1
    source.close()
    return count


def demo(tmp_path: Path, *more: object, seconds: float = 0.5) -> dict[str, Any]:
    """Run a demo that must succeed and return its summary."""
    out, file = tmp_path / f"out{ODD}", tmp_path / "r.json"
    code, output, errors = edgeagent(
        "demo", "--seconds", seconds, "--out", out, "--json", "--json-file", file, *more
    )
    assert code == 0, errors
    assert "Traceback" not in errors
    summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert json.loads(output) == summary
    assert json.loads((out / "summary.json").read_text(encoding="utf-8")) == summary
    assert frames_in(out / "annotated.mp4") == summary["frames"] > 0
    return summary


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Return a small, fast bundle."""
    return cells.build_bundle(tmp_path / "tiny").directory


def test_the_sample_clip_and_the_default_bundle(tmp_path: Path) -> None:
    summary = demo(tmp_path, seconds=3)
    assert summary["detections"]["person"] > 0
    assert summary["seconds"] >= 3
    assert summary["fps"] == pytest.approx(summary["frames"] / summary["seconds"], rel=0.005)
    assert summary["fps"] < 11  # the clip has 10 frames a second
    topics = summary["messages_by_topic"]
    assert summary["telemetry_messages"] == sum(topics.values())
    assert topics["info"] == 1
    assert topics["telemetry"] >= 3
    assert 0 < topics["detections/demo"] <= summary["frames"]
    assert summary["engine"].split()[0] in ("onnxruntime", "openvino", "tflite")
    assert summary["bundle"].startswith("coco-small ")
    assert {stage["count"] for stage in summary["stages"].values()} == {summary["frames"]}
    for stage in summary["stages"].values():
        assert ("p90_ms" in stage) == (stage["count"] >= 64)


def test_another_clip_and_bundle_of_any_name(tmp_path: Path, tiny: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi").rename(tmp_path / f"clip{ODD}.avi")
    bundle = tiny.rename(tmp_path / f"tiny{ODD}")
    summary = demo(tmp_path, "--source", clip, "--bundle", bundle)
    assert summary["bundle"] == "tiny 1.2.3"
    assert summary["clip"] == str(tmp_path / f"out{ODD}" / "annotated.mp4")


def test_pictures_of_several_sizes(tmp_path: Path, tiny: Path) -> None:
    folder = tmp_path / f"pictures{ODD}"
    folder.mkdir()
    (folder / "0.png").write_bytes(cells.png(cells.picture()))
    (folder / "1.png").write_bytes(cells.png(cells.picture()[:, :32]))
    summary = demo(tmp_path, "--source", folder, "--bundle", tiny, seconds=1.5)
    assert summary["frames"] >= 2
    assert summary["detections"]["person"] >= 2


def test_a_clip_that_was_cut_off_is_played_to_where_it_goes(tmp_path: Path, tiny: Path) -> None:
    clip, content = tmp_path / "half.mp4", sample_clip().read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    assert demo(tmp_path, "--source", clip, "--bundle", tiny)["frames"] > 0


def failure(tmp_path: Path, code: int, *more: object) -> str:
    """Run a demo that must fail before its first frame and return its message."""
    found, output, errors = edgeagent("demo", "--seconds", 60, "--out", tmp_path / "out", *more)
    assert (found, output) == (code, "")
    assert "Traceback" not in errors
    return the_line(errors.splitlines()[-1])


def test_a_clip_that_is_missing(tmp_path: Path, tiny: Path) -> None:
    line = failure(tmp_path, 5, "--bundle", tiny, "--source", tmp_path / f"absent{ODD}.mp4")
    assert line == rf"camera source {tmp_path}/absent\xff.mp4: No such file or directory"


def test_a_clip_without_an_index(tmp_path: Path, tiny: Path) -> None:
    clip = tmp_path / f"cut{ODD}.mp4"
    clip.write_bytes(sample_clip().read_bytes()[:1000])
    line = failure(tmp_path, 5, "--bundle", tiny, "--source", clip)
    assert line.startswith(rf"clip {tmp_path}/cut\xff.mp4 cannot be played: ")


def test_a_camera_that_is_not_there(tmp_path: Path, tiny: Path) -> None:
    line = failure(tmp_path, 5, "--bundle", tiny, "--source", "/dev/video99")
    assert "no such device" in line


def test_mistakes_in_the_arguments(tmp_path: Path, capsys: Capture) -> None:
    for seconds in ("0", "-1", "nan"):
        line = mistake(capsys, 2, "demo", "--seconds", seconds)
        assert line == f"--seconds: expected a positive number, got {seconds}"
    assert "invalid float value: 'x'" in wrong_use(capsys, "demo", "--seconds", "x")
    out = "demo", "--out", tmp_path / "out"
    assert "ftp:// is not supported" in mistake(capsys, 2, *out, "--source", "ftp://host/clip")
    assert "no such bundle directory" in mistake(capsys, 3, *out, "--bundle", tmp_path / "absent")
    (tmp_path / "file").write_bytes(b"")
    line = mistake(capsys, 1, "demo", "--out", tmp_path / "file")
    assert line == f"{tmp_path / 'file'}: File exists"


def test_a_damaged_bundle(tmp_path: Path, tiny: Path) -> None:
    model = next(tiny.rglob("*.onnx"))
    model.write_bytes(model.read_bytes()[:-1])
    assert "copy the bundle again" in failure(tmp_path, 3, "--bundle", tiny)


@pytest.mark.parametrize("package", ["amqtt", "rich"])
def test_a_missing_package(tmp_path: Path, package: str) -> None:
    code, output, errors = edgeagent("demo", "--out", tmp_path / "out", without=package)
    assert (code, output) == (2, "")
    line = the_line(errors)
    assert line.startswith("the demo needs more packages (")
    assert line.endswith("; pip install 'edgeagent[demo]'")
    assert not (tmp_path / "out").exists()


def test_a_full_disk(tmp_path: Path) -> None:
    """A clip that does not fit on the disk is an error, not a silently truncated file."""
    arguments = ("demo", "--seconds", "1", "--out", str(tmp_path / "out"))
    done = on_small_disk(tmp_path, "64k", [sys.executable, "-m", "edgeagent", *arguments])
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    line = the_line(done.stderr.splitlines()[-1])
    assert line.startswith(f"{tmp_path / 'out' / 'annotated.mp4'}: only ")
    assert line.endswith(" frames were written; is the disk full?")


def test_a_summary_that_cannot_be_written(tmp_path: Path, tiny: Path, capsys: Capture) -> None:
    clip = write_clip(tmp_path / "clip.avi")
    arguments = ["--bundle", str(tiny), "--source", str(clip), "--out", str(tmp_path / "out")]
    assert main(["demo", "--seconds", "0.5", *arguments, "--json", "--json-file", "/dev/full"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["frames"] > 0  # the clip is kept
    line = the_line(printed.err.splitlines()[-1])
    assert line == "/dev/full: the result cannot be written (No space left on device)"


def test_a_broker_that_does_not_stop_hides_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()

    async def never(self: object) -> None:
        await asyncio.to_thread(stuck.wait)

    monkeypatch.setattr(broker, "STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr("amqtt.broker.Broker.shutdown", never)
    with pytest.raises(ValueError, match="the reason"), broker.EmbeddedBroker():
        raise ValueError("the reason")
    stuck.set()
