"""``edgeagent publish add``: what is checked before anything is signed."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from edgeagent.bundle.golden import MAX_UNPACKED
from edgeagent.bundle.reading import MANIFEST, open_bundle
from edgeagent.cli import main
from edgeagent.publisher.errors import PublishError
from tests.bundle.tiny import ARTEFACT, OUTPUTS
from tests.cli.command import mistake
from tests.engines import cell_detector as cells
from tests.publisher.publisher_folder import PublisherFolder, bundle

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def publisher(tmp_path: Path) -> PublisherFolder:
    return PublisherFolder(tmp_path / "fleet")


def replaced(directory: Path, name: str, content: bytes) -> None:
    """Replace a file of a bundle, with its hash in the manifest: a bundle that lies consistently."""
    data = yaml.safe_load((directory / MANIFEST).read_text(encoding="utf-8"))
    digest = hashlib.sha256(content).hexdigest()
    for artefact in data["artefacts"]:
        if artefact["file"] == name:
            artefact.update(sha256=digest, size=len(content))
    if name in data["golden"]["sha256"]:
        data["golden"]["sha256"][name] = digest
    (directory / name).write_bytes(content)
    (directory / MANIFEST).write_text(yaml.safe_dump(data), encoding="utf-8")
    open_bundle(directory)


def add(publisher: PublisherFolder, directory: Path, *more: object) -> tuple[object, ...]:
    return ("publish", "add", directory, "--board", "any", "--repository", publisher.folder, *more)


def test_a_good_bundle_is_checked_in_an_engine(
    publisher: PublisherFolder, tmp_path: Path, capsys: Capture
) -> None:
    directory = cells.build_bundle(tmp_path / "tiny", claim=1.0).directory
    assert main([str(word) for word in add(publisher, directory)]) == 0
    outputs, accuracy, done = capsys.readouterr().out.splitlines()[:3]
    assert outputs.startswith(f"{ARTEFACT}: onnxruntime ")
    assert "gives the reference outputs" in outputs
    assert "has the claimed accuracy" in accuracy
    assert done.startswith("stable: tiny 1.2.3 for 100 % of any, ")


def test_what_an_engine_refuses_is_not_signed(
    publisher: PublisherFolder, tmp_path: Path, capsys: Capture
) -> None:
    before = publisher.files()
    garbage = bundle(tmp_path)
    line = mistake(capsys, 3, *add(publisher, garbage))
    assert f"{garbage}: {ARTEFACT} does not run here" in line
    assert "nothing was published (--unchecked" in line
    wrong = cells.build_bundle(tmp_path / "wrong", golden_error=0.25).directory
    line = mistake(capsys, 3, *add(publisher, wrong))
    assert line.startswith(f"{ARTEFACT} is refused: {wrong}: the outputs of onnxruntime ")
    assert publisher.files() == before
    assert main([str(word) for word in add(publisher, garbage, "--unchecked")]) == 0
    assert publisher.files() != before


def test_scrambled_weights_are_refused(publisher: PublisherFolder, tmp_path: Path, capsys: Capture) -> None:
    directory = cells.build_bundle(tmp_path / "tiny").directory
    model = bytearray((directory / ARTEFACT).read_bytes())
    for position in range(len(model) // 3, 2 * len(model) // 3):
        model[position] ^= 0x55
    replaced(directory, ARTEFACT, bytes(model))
    before = publisher.files()
    assert ARTEFACT in mistake(capsys, 3, *add(publisher, directory))
    assert publisher.files() == before


@pytest.mark.parametrize("more", [(), ("--unchecked",)])
def test_a_zip_bomb_is_refused_without_being_unpacked(
    publisher: PublisherFolder, tmp_path: Path, capsys: Capture, more: tuple[str, ...]
) -> None:
    directory = cells.build_bundle(tmp_path / "tiny").directory
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("0/0.npy", "w") as member:
        header = io.BytesIO()
        count = MAX_UNPACKED // 4 + 1
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (count,)}
        )
        member.write(header.getvalue())
        for _ in range(MAX_UNPACKED >> 20):
            member.write(bytes(1 << 20))
        member.write(bytes(4))
    replaced(directory, OUTPUTS, bomb.getvalue())
    before = publisher.files()
    line = mistake(capsys, 3, *add(publisher, directory, *more))
    assert f"{OUTPUTS}: unpacks to " in line
    assert publisher.files() == before


def test_no_engine_here_reads_it(
    publisher: PublisherFolder, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = cells.build_bundle(tmp_path / "tiny").directory
    monkeypatch.setattr("edgeagent.accuracy.bundle_check.available_engines", lambda: ["tflite"])
    line = mistake(capsys, 3, *add(publisher, directory))
    assert "no engine on this machine reads any of its artefacts" in line


def test_the_whole_release_has_room_before_its_first_file(
    publisher: PublisherFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 10_000

    before = publisher.files()
    monkeypatch.setattr("edgeagent.publisher.release.shutil.disk_usage", lambda path: Usage)
    with pytest.raises(
        PublishError, match=r"the release needs \d+ bytes, and the disk has 10000; nothing was"
    ):
        publisher.add(bundle(tmp_path))
    assert publisher.files() == before
