"""Wheel and source archive: equal bytes, complete metadata, and a wheel that works where it is installed."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.long import LONG
from tests.packaging.building import copy_of_project, run_script

pytestmark = [pytest.mark.slow, LONG]
NAME = "edgeagent-0.1.0"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run_script(copy_of_project(folder / "first"), "build_wheel.py", folder / "dist")
    return folder / "dist"


def wheel_of(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def metadata(dist: Path) -> Message:
    with zipfile.ZipFile(wheel_of(dist)) as wheel:
        return email.message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))


def test_the_bytes_do_not_depend_on_place_and_time(dist: Path, tmp_path: Path) -> None:
    second = copy_of_project(tmp_path / "another" / "place")
    for path in second.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    run_script(second, "build_wheel.py", tmp_path / "dist")
    built = sorted(path.name for path in dist.iterdir())
    assert built == [f"{NAME}-py3-none-any.whl", f"{NAME}.tar.gz"]
    for name in built:
        assert (tmp_path / "dist" / name).read_bytes() == (dist / name).read_bytes(), name


def test_the_wheel_holds_all_that_the_program_reads(dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as wheel:
        names = set(wheel.namelist())
    needed = {
        "edgeagent/py.typed",
        "edgeagent/config/edgeagent.yaml",
        "edgeagent/web/parts/tokens.css",
        "edgeagent/web/parts/live-picture.js",
        "edgeagent/web/parts/icons.svg",
        "edgeagent/data/campus.mp4",
        "edgeagent/models/coco-nano/manifest.yaml",
        "edgeagent/models/coco-nano/model.tflite",
        "edgeagent/models/coco-small/manifest.yaml",
        "edgeagent/models/coco-small-320/manifest.yaml",
        "edgeagent/qat/report/templates/report.html",
        f"{NAME}.dist-info/licenses/LICENSE",
        f"{NAME}.dist-info/licenses/NOTICE",
    }
    assert needed <= names
    assert {name.split("/")[0] for name in names} == {"edgeagent", f"{NAME}.dist-info"}
    assert not [name for name in names if "__pycache__" in name]


def test_the_metadata_are_complete(metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE", "NOTICE"]
    assert metadata["Requires-Python"] == ">=3.10"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).startswith("# edgeagent")
    extras = set(metadata.get_all("Provides-Extra", []))
    assert extras == {
        "tflite",
        "openvino",
        "eval",
        "qat",
        "demo",
        "prometheus",
        "otlp",
        "live",
        "serve",
        "clips",
        "web",
        "s3",
        "fleet",
        "docs",
        "test",
    }
    classifiers = metadata.get_all("Classifier", [])
    pythons = [name for name in classifiers if name.startswith("Programming Language :: Python :: 3.")]
    assert [name.rpartition(".")[2] for name in pythons] == ["10", "11", "12", "13", "14"]
    assert "Typing :: Typed" in classifiers
    assert not [name for name in classifiers if name.startswith("License ::")]  # PEP 639


def test_the_metadata_are_valid(dist: Path) -> None:
    """As an index checks them on upload: every field by its specification, known classifiers only."""
    validation = pytest.importorskip("packaging.metadata")
    with zipfile.ZipFile(wheel_of(dist)) as wheel:
        validation.Metadata.from_email(wheel.read(f"{NAME}.dist-info/METADATA"), validate=True)


def test_the_source_archive_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        names = {name.split("/")[1] for name in archive.getnames()}
        archive.extractall(tmp_path, filter="data")
    assert {"edgeagent", "models", "config", "systemd", "packaging", "pyproject.toml"} <= names
    run_script(tmp_path / NAME, "build_wheel.py", tmp_path / "dist")
    assert wheel_of(tmp_path / "dist").read_bytes() == wheel_of(dist).read_bytes()


def test_an_installed_wheel_opens_an_included_bundle(dist: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(target), str(wheel_of(dist))], check=True)
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "run the daemon" in run(str(target / "bin" / "edgeagent"), "--help")
    opened = (
        "import edgeagent; from edgeagent.files.resources import find_bundle; "
        "print(edgeagent.open_bundle(find_bundle('coco-small')).directory)"
    )
    assert run("-c", opened).strip() == str(target / "edgeagent" / "models" / "coco-small")
