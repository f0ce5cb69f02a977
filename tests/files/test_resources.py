from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeagent.bundle.reading import open_bundle
from edgeagent.camera.clip import ClipSource
from edgeagent.files import resources
from edgeagent.settings.file import load_settings


def test_the_default_bundle_is_whole() -> None:
    assert open_bundle(resources.default_bundle()).manifest.name == "coco-small"


def test_an_included_bundle_has_a_name() -> None:
    found = resources.find_bundle("coco-small")
    assert found == resources.included_bundles()["coco-small"]
    assert open_bundle(found).manifest.name == "coco-small"


def test_a_directory_comes_before_an_included_bundle_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("coco-small").mkdir()
    assert resources.find_bundle("coco-small") == Path("coco-small")
    assert resources.find_bundle("coco-smal") == Path("coco-smal")
    assert resources.find_bundle(None) == resources.default_bundle()
    Path("coco-nano").touch()
    assert resources.find_bundle("coco-nano") == resources.included_bundles()["coco-nano"]
    assert resources.find_bundle("x" * 300) == Path("x" * 300)


def test_a_configuration_elsewhere_names_an_included_bundle(tmp_path: Path) -> None:
    file = tmp_path / "edgeagent.yaml"
    for name, found in (
        ("coco-small", resources.included_bundles()["coco-small"]),
        ("coco-smal", tmp_path / "coco-smal"),
    ):
        file.write_text(f"cameras: [{{name: door, source: door.mp4}}]\nmodel: {{bundle: {name}}}\n", "utf-8")
        assert load_settings(file).model.bundle == found
    (tmp_path / "coco-small").mkdir()
    file.write_text("cameras: [{name: door, source: door.mp4}]\nmodel: {bundle: coco-small}\n", "utf-8")
    assert load_settings(file).model.bundle == tmp_path / "coco-small"


def test_the_sample_clip_is_what_its_description_says() -> None:
    source = ClipSource(resources.sample_clip())
    source.open()
    try:
        assert (source.facts.size, source.facts.fps) == ((768, 576), 10.0)
        assert source.read(None) is not None
    finally:
        source.close()


def test_an_installed_program_has_its_bundle_inside(tmp_path: Path) -> None:
    """In a checkout the bundle lies beside the package, in a wheel within it."""
    package = tmp_path / "edgeagent"
    (package / "files").mkdir(parents=True)
    for folder in (package, package / "files"):
        (folder / "__init__.py").touch()
    shutil.copy(resources.__file__, package / "files")
    program = "from edgeagent.files.resources import default_bundle, sample_clip; print(default_bundle())"
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def bundle() -> Path:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
        )
        return Path(done.stdout.rstrip("\n"))

    assert bundle() == tmp_path / "models" / "coco-small"
    (package / "models" / "coco-small").mkdir(parents=True)
    assert bundle() == package / "models" / "coco-small"
