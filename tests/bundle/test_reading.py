from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle import reading
from edgeagent.bundle.files import MAX_GOLDEN
from edgeagent.bundle.reading import MANIFEST, open_bundle, parse_manifest
from edgeagent.errors import BundleError
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE, build, edit


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return build(tmp_path / "tiny").directory


def refusal(directory: Path) -> str:
    """Return the one-line message with which the bundle is refused."""
    with pytest.raises(BundleError) as caught:
        open_bundle(directory)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(directory))
    return message


def with_artefact(directory: Path, **changes: Any) -> None:
    artefact = reading.open_bundle(directory).manifest.artefacts[0].model_dump(mode="json")
    edit(directory, artefacts=[{**artefact, **changes}])


def test_a_good_bundle_opens(tiny: Path) -> None:
    (tiny / "README.md").write_text("not named in the manifest")
    bundle = open_bundle(tiny)
    assert bundle.manifest.labels == ("person", "Straßenbahn")
    assert bundle.artefact_path(bundle.manifest.artefacts[0]) == tiny / ARTEFACT
    assert bundle.golden_pictures() == (tiny / PICTURE,)
    assert bundle.golden_outputs(bundle.manifest.artefacts[0]) == tiny / OUTPUTS


def test_the_directory_may_be_text(tiny: Path) -> None:
    assert open_bundle(str(tiny)) == open_bundle(tiny)


def test_the_directory_itself_may_be_a_link_and_have_any_name(tiny: Path) -> None:
    odd = tiny.parent / os.fsdecode(b"bundle-\xff")
    tiny.rename(odd)
    link = tiny.parent / "current"
    link.symlink_to(odd)
    assert open_bundle(link).manifest.name == "tiny"


def test_no_directory(tmp_path: Path) -> None:
    assert "no such bundle directory" in refusal(tmp_path / "absent")
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert "no such bundle directory" in refusal(file)


def _flip(tiny: Path) -> None:
    content = bytearray((tiny / ARTEFACT).read_bytes())
    content[100] ^= 1
    (tiny / ARTEFACT).write_bytes(content)


def _truncate(tiny: Path) -> None:
    os.truncate(tiny / ARTEFACT, 100)


def _link_file(tiny: Path) -> None:
    (tiny / ARTEFACT).rename(tiny / "elsewhere")
    (tiny / ARTEFACT).symlink_to(tiny / "elsewhere")


def _link_directory(tiny: Path) -> None:
    (tiny / "engines").rename(tiny / "elsewhere")
    (tiny / "engines").symlink_to("elsewhere")


def _directory(tiny: Path) -> None:
    (tiny / ARTEFACT).unlink()
    (tiny / ARTEFACT).mkdir()


def _pipe(tiny: Path) -> None:
    (tiny / ARTEFACT).unlink()
    os.mkfifo(tiny / ARTEFACT)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_flip, f"{ARTEFACT} has the sha256 [0-9a-f]{{12}}..., the manifest says [0-9a-f]{{12}}"),
        (_truncate, f"{ARTEFACT} is 100 bytes, the manifest says 15000; copy the bundle again"),
        (lambda tiny: (tiny / ARTEFACT).unlink(), f"{ARTEFACT} is missing"),
        (_link_file, f"{ARTEFACT} is a symbolic link"),
        (_link_directory, "engines is a symbolic link"),
        (_directory, f"{ARTEFACT} is not a regular file"),
        (_pipe, f"{ARTEFACT} is not a regular file"),
        (lambda tiny: (tiny / PICTURE).write_bytes(b"other"), f"{PICTURE} has the sha256"),
        (lambda tiny: (tiny / OUTPUTS).unlink(), f"{OUTPUTS} is missing"),
        (lambda tiny: os.truncate(tiny / OUTPUTS, MAX_GOLDEN + 1), f"{OUTPUTS} is .* more than the 64 MiB"),
        (lambda tiny: (tiny / MANIFEST).unlink(), f"{MANIFEST} is missing"),
        (lambda tiny: os.truncate(tiny / MANIFEST, 2 << 20), f"{MANIFEST} is .* more than the 1 MiB"),
    ],
)
def test_damage_is_refused_by_name(tiny: Path, damage: Callable[[Path], None], sentence: str) -> None:
    damage(tiny)
    assert re.search(sentence, refusal(tiny))


def test_a_manifest_that_is_a_link_is_refused(tiny: Path) -> None:
    (tiny / MANIFEST).rename(tiny / "real.yaml")
    (tiny / MANIFEST).symlink_to("real.yaml")
    assert f"{MANIFEST} is a symbolic link" in refusal(tiny)


@pytest.mark.parametrize(
    "name",
    [
        "../tiny/engines/tiny.onnx",
        "engines/../engines/tiny.onnx",
        "/etc/hostname",
        "engines//tiny.onnx",
        "./engines/tiny.onnx",
        "engines/tiny.onnx/",
        "engines\\tiny.onnx",
        ".",
        "..",
        "engines/\x00tiny.onnx",
        "engines/\ttiny.onnx",
    ],
)
def test_names_that_are_not_plain_are_refused(tiny: Path, name: str) -> None:
    with_artefact(tiny, file=name)
    assert f"the file name {name!r} is not a plain relative path" in refusal(tiny)


def test_a_golden_file_outside_is_refused(tiny: Path) -> None:
    bundle = open_bundle(tiny)
    assert bundle.manifest.golden is not None
    golden = bundle.manifest.golden.model_dump(mode="json")
    golden["sha256"]["../secret"] = "0" * 64
    edit(tiny, golden=golden)
    assert "the file name '../secret' is not a plain relative path" in refusal(tiny)


def test_a_sparse_file_of_10_gb_is_refused_without_being_read(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.truncate(tiny / ARTEFACT, 10_000_000_000)
    opened: list[Path] = []
    original = Path.open

    def watched(path: Path, *arguments: Any, **keywords: Any) -> Any:
        opened.append(path)
        return original(path, *arguments, **keywords)

    monkeypatch.setattr(Path, "open", watched)
    assert f"{ARTEFACT} is 10000000000 bytes, more than the 512 MiB allowed" in refusal(tiny)
    assert tiny / ARTEFACT not in opened
    edit(
        tiny,
        artefacts=[
            {"file": ARTEFACT, "sha256": "0" * 64, "size": 10_000_000_000, "format": "onnx", "grid": "a"}
        ],
    )
    assert "more than the 512 MiB allowed" in refusal(tiny)
    assert tiny / ARTEFACT not in opened


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_files_without_permission_are_refused(tiny: Path) -> None:
    (tiny / ARTEFACT).chmod(0)
    assert f"{ARTEFACT} cannot be read (Permission denied)" in refusal(tiny)
    (tiny / MANIFEST).chmod(0)
    assert f"{MANIFEST} cannot be read (Permission denied)" in refusal(tiny)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": None}, "labels: "),
        ({"labels": []}, "labels: "),
        ({"labels": ["a", "a"]}, "labels must be unique"),
        ({"labels": ["a", False]}, "labels.1: "),
        ({"schema_version": 2}, "has schema version 2, this edgeagent .* knows 1; install a newer edgeagent"),
        ({"minimum_agent_version": "999.0.0"}, "needs edgeagent 999.0.0 or newer, this is"),
        ({"minimum_agent_version": "999.0.0", "task": "segmentation"}, "needs edgeagent 999.0.0"),
        ({"minimum_agent_version": "soon"}, "minimum_agent_version: "),
        ({"task": 7}, "task: Input should be 'detection'"),
        ({"artefacts": []}, "artefacts: "),
        ({"input": {"width": True}}, r"input.width: .* \(and 3 more\)"),
        ({"name": "Über/bundle"}, "name: "),
    ],
)
def test_wrong_fields_are_refused_by_name(tiny: Path, changes: dict[str, Any], sentence: str) -> None:
    edit(tiny, **changes)
    assert re.search(sentence, refusal(tiny))


def test_only_a_compiled_file_has_a_tolerance_of_its_own(tiny: Path) -> None:
    with_artefact(tiny, tolerance=9.0, compiled_for="qnn-v73")
    assert open_bundle(tiny).manifest.artefacts[0].tolerance == 9.0
    with_artefact(tiny, compiled_for=None)
    assert f"{ARTEFACT}: only a compiled file has a tolerance of its own" in refusal(tiny)


def test_a_golden_set_needs_all_hashes(tiny: Path) -> None:
    edit(tiny, golden={"pictures": ["a.png"], "outputs": "b.npz", "sha256": {}, "tolerance": 1.0})
    assert "golden: no sha256 for 'a.png', 'b.npz'" in refusal(tiny)


_BILLION_LAUGHS = b"a: &a [ha, ha]\n" + b"".join(
    b"%c: &%c [*%c, *%c]\n" % (letter, letter, letter - 1, letter - 1) for letter in range(98, 123)
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (_BILLION_LAUGHS, "line 1: anchors (&) and aliases (*) are not allowed"),
        (b"a: *b", "line 1: anchors (&) and aliases (*) are not allowed"),
        (b"name: tiny\nversion: 1.0.0\nname: other\n", "line 3: duplicate key 'name'"),
        (b"a:\n  b: {c: 1, c: 2}\n", "line 2: duplicate key 'c'"),
        (b"name: tiny\nattribution: \xff\n", "line 2: not UTF-8 text (byte 0xff)"),
        (b"\xff\xfen\x00", "line 1: not UTF-8 text"),
        (b"name: tiny\n  oops: [", "line 2: mapping values are not allowed here"),
        (b"a: \x00", "line 1: the character U+0000 is not allowed"),
        (b'a: "\\ud800"', "line 1: text holds half of a surrogate pair"),
        (b"[" * 100_000, "line 1: nested more than 64 levels deep"),
        (b"x: " + b"9" * 100_000, "line 1: a number longer than 64 characters"),
        (b"[" + b"1," * 60_000 + b"]", "line 1: more than 50000 values"),
        (b"a: !!python/object/apply:os.system [id]", "line 1: tags (!) are not allowed"),
        (b"1: a", "line 1: a key must be text"),
        (b"[1]: a", "line 1: a key must be text"),
        (b"", "holds no mapping"),
        (b"- a", "holds no mapping"),
        (b"# nothing", "holds no mapping"),
        (b"a: 1\n---\nb: 2\n", "line 2: but found another document"),
    ],
)
def test_hostile_yaml_is_refused_with_its_line(tiny: Path, content: bytes, sentence: str) -> None:
    (tiny / MANIFEST).write_bytes(content)
    assert sentence in refusal(tiny)


def test_dates_stay_text() -> None:
    with pytest.raises(BundleError, match="version: String should match"):
        parse_manifest(b"name: a\nversion: 2024-01-01\n", "m")


def test_the_copy_of_a_bundle_is_a_bundle(tiny: Path) -> None:
    copy = Path(shutil.copytree(tiny, tiny.parent / "copy"))
    assert open_bundle(copy).manifest == open_bundle(tiny).manifest
    assert stat.S_ISDIR(copy.stat().st_mode)


def test_a_bundle_of_an_unknown_task_is_refused_with_that_word(tiny: Path) -> None:
    edit(tiny, task="keypoints", heads_of_a_newer_version=[1, 2])
    said = refusal(tiny)
    assert "is for the task 'keypoints', this edgeagent" in said
    assert "knows detection, classification, segmentation, instances; install a newer edgeagent" in said


def test_a_task_and_a_decoder_of_another_are_refused(tiny: Path) -> None:
    edit(tiny, task="classification")
    assert "is one for detection or instances, the task is classification; correct one of them" in refusal(
        tiny
    )
