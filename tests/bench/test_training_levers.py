"""``benchmarks/training_levers.py`` on a small network: finished runs are kept and compared with the base."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engines import cell_detector as cells
from tests.qat.models import YOLOX_DESCRIPTION, small_yolox

ROOT = Path(__file__).parents[2]


def run(arguments: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "benchmarks/training_levers.py", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def make_pictures(folder: Path, first: int, count: int) -> Path:
    folder.mkdir()
    for number in range(first, first + count):
        place = (number % 3, number // 3 % 3)
        (folder / f"{number}.png").write_bytes(cells.png(cells.picture([place])) + b"%d" % number)
    return folder


@pytest.mark.slow
def test_finished_runs_are_kept_and_compared_with_the_base(tmp_path: Path) -> None:
    model, description = small_yolox(tmp_path / "small.onnx"), tmp_path / "small.yaml"
    description.write_text(YOLOX_DESCRIPTION, encoding="utf-8")
    images, measured = make_pictures(tmp_path / "images", 0, 8), make_pictures(tmp_path / "val", 8, 3)
    labels, results = tmp_path / "labels", tmp_path / "levers.jsonl"
    labels.mkdir()
    for picture in (*images.iterdir(), *measured.iterdir()):
        (labels / f"{picture.stem}.txt").write_text("0 0.5 0.5 0.5 0.5\n", encoding="utf-8")
    command: list[str | Path] = ["--model", model, "--describe", description, "--images", images]
    command += ["--val-labels", labels, "--work", tmp_path / "work", "--results", results]
    command += ["--steps", "2", "--batch", "2", "--no-compile", "--start", "percentile", "--seed", "0"]
    measuring: list[str | Path] = ["--val-images", measured]

    done = run([*command, *measuring, "--lever", "base"])
    assert done.returncode == 0, done.stdout + done.stderr
    first = results.read_text("utf-8")
    assert [json.loads(line)["lever"] for line in first.splitlines()] == ["float", "start", "base"]

    done = run([*command, *measuring, "--lever", "base", "no average"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert results.read_text("utf-8").startswith(first)
    added = [json.loads(line) for line in results.read_text("utf-8").splitlines()[3:]]
    assert [(one["lever"], one["seed"]) for one in added] == [("no average", 0)]
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("| no average |"))
    assert "[" in row

    done = run([*command, "--val-images", images])
    assert done.returncode == 2
    assert "in common" in done.stderr
