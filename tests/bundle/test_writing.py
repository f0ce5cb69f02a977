from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle.reading import MANIFEST, Bundle, open_bundle
from edgeagent.bundle.writing import update_manifest, write_bundle
from edgeagent.errors import BundleError
from tests.bundle.tiny import ARTEFACT, OUTPUTS, PICTURE, build, fields, files


def listing(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def test_hashes_and_sizes_are_filled_in(tmp_path: Path) -> None:
    bundle = build(tmp_path / "deep" / "er" / "tiny")
    artefact = bundle.manifest.artefacts[0]
    assert artefact.size == 15000
    assert bundle.manifest.golden is not None
    assert set(bundle.manifest.golden.sha256) == {PICTURE, OUTPUTS}
    assert open_bundle(bundle.directory) == bundle
    assert listing(tmp_path / "deep" / "er") == sorted(
        ["tiny", "tiny/engines", "tiny/golden", f"tiny/{MANIFEST}"]
        + [f"tiny/{name}" for name in (ARTEFACT, PICTURE, OUTPUTS)]
    )


def test_files_are_copied_and_others_may_come_along(tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"model-\xff.onnx")
    source.write_bytes(b"x" * (3 << 20))
    content = {**files(), ARTEFACT: source, "CARD.md": b"about it"}
    bundle = write_bundle(tmp_path / "tiny", fields(), content)
    assert bundle.artefact_path(bundle.manifest.artefacts[0]).read_bytes() == source.read_bytes()
    assert (bundle.directory / "CARD.md").read_bytes() == b"about it"


def test_a_bundle_can_be_written_from_the_manifest_of_another(tmp_path: Path) -> None:
    first = build(tmp_path / "first", note={"a": [1, None]})
    second = write_bundle(tmp_path / "second", first.manifest, {**files(), ARTEFACT: b"other"})
    assert second.manifest.artefacts[0].size == 5
    assert second.manifest.model_extra == {"note": {"a": [1, None]}}


def test_the_manifest_is_for_people(tmp_path: Path) -> None:
    labels = [f"label {number}" for number in range(80)]
    text = (build(tmp_path / "tiny", labels=labels).directory / MANIFEST).read_text(encoding="utf-8")
    assert text.startswith("# Manifest of a model bundle")
    lines = text.splitlines()
    keys = [line.split(":")[0] for line in lines[1:] if not line.startswith((" ", "-"))]
    assert keys[:4] == ["schema_version", "name", "version", "task"]
    assert "- label 79" in lines
    assert "  mean: [0.0, 0.0, 0.0]" in lines
    assert "&" not in text


@pytest.mark.parametrize(
    ("given", "content", "sentence"),
    [
        ({"labels": ["a", "a"]}, {}, "labels must be unique"),
        ({"artefacts": [{"format": "onnx"}]}, {}, "artefacts.0.file: Field required"),
        ({"licence": 5}, {}, "licence: "),
        ({"minimum_agent_version": "999.0.0"}, {}, "needs edgeagent 999.0.0"),
        ({}, {ARTEFACT: None}, f"the manifest names '{ARTEFACT}', but no such file was given"),
        ({}, {PICTURE: None}, f"the manifest names '{PICTURE}', but no such file was given"),
        ({}, {ARTEFACT: b""}, "artefacts.0.size: "),
        ({}, {"../x": b""}, "the file name '../x' is not a plain relative path"),
        ({}, {MANIFEST: b""}, "leave it out"),
        ({}, {"golden": b""}, "cannot be written (File exists)"),
        ({}, {ARTEFACT: Path("/nonexistent/model.onnx")}, "/nonexistent/model.onnx: cannot be read"),
    ],
)
def test_a_wrong_bundle_is_not_written(
    tmp_path: Path, given: dict[str, Any], content: dict[str, Any], sentence: str
) -> None:
    merged = {name: value for name, value in {**files(), **content}.items() if value is not None}
    with pytest.raises(BundleError) as caught:
        write_bundle(tmp_path / "tiny", fields(**given), merged)
    assert sentence in str(caught.value)
    assert ".part" not in str(caught.value)
    assert listing(tmp_path) == []


def test_an_existing_target_is_refused_or_replaced(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    old = build(target)
    with pytest.raises(BundleError, match="exists already"):
        write_bundle(target, fields(version="2.0.0"), files())
    assert open_bundle(target) == old
    new = write_bundle(target, fields(version="2.0.0"), files(), replace=True)
    assert new.manifest.version == "2.0.0"
    assert open_bundle(target) == new
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_bundle_can_be_replaced_from_its_own_files(tmp_path: Path) -> None:
    old = build(tmp_path / "tiny")
    paths: dict[str, Path | bytes] = {name: old.directory / name for name in files()}
    new = write_bundle(old.directory, fields(version="2.0.0"), paths, replace=True)
    assert new.manifest.artefacts == old.manifest.artefacts


def test_a_failed_replacement_leaves_the_old_bundle(tmp_path: Path) -> None:
    old = build(tmp_path / "tiny")
    before = listing(tmp_path)
    with pytest.raises(BundleError, match="labels must be unique"):
        write_bundle(old.directory, fields(labels=["a", "a"]), files(), replace=True)
    assert listing(tmp_path) == before
    assert open_bundle(old.directory) == old


def test_what_is_no_bundle_is_never_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "diary.txt").write_text("dear")
    with pytest.raises(BundleError, match="is not a bundle and is not replaced"):
        write_bundle(home, fields(), files(), replace=True)
    link = tmp_path / "link"
    link.symlink_to(build(tmp_path / "tiny").directory)
    with pytest.raises(BundleError, match="is a symbolic link"):
        write_bundle(link, fields(), files(), replace=True)
    assert listing(home) == ["diary.txt"]


def test_an_interrupted_writer_is_repaired(tmp_path: Path) -> None:
    target, part, old = (tmp_path / name for name in ("tiny", ".tiny.part", ".tiny.old"))
    build(target)
    shutil.copytree(target, part)
    target.rename(old)  # power failure between the two renames
    with pytest.raises(BundleError, match="exists already"):
        write_bundle(target, fields(), files())
    assert open_bundle(target).manifest.version == "1.2.3"
    shutil.copytree(target, old)  # power failure before the old bundle was removed
    write_bundle(target, fields(version="2.0.0"), files(), replace=True)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    target = tmp_path / "tiny"
    build(target)

    def write(number: int) -> Bundle:
        return write_bundle(target, fields(version=f"2.0.{number}"), files(), replace=True)

    with ThreadPoolExecutor(4) as pool:
        versions = [bundle.manifest.version for bundle in pool.map(write, range(4))]
    assert versions == ["2.0.0", "2.0.1", "2.0.2", "2.0.3"]
    assert open_bundle(target).manifest.version.startswith("2.0.")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


_WRITE_TOO_MUCH = """
import resource
import sys
from pathlib import Path
from edgeagent.bundle.reading import open_bundle
from edgeagent.bundle.writing import update_manifest, write_bundle
from edgeagent.errors import BundleError
from tests.bundle.tiny import ARTEFACT, build, fields, files

target = Path(sys.argv[1]) / "tiny"
build(target)
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))
for write in (
    lambda: write_bundle(target, fields(), {**files(), ARTEFACT: b"x" * (1 << 20)}, replace=True),
    lambda: write_bundle(target.with_name("new"), fields(), {**files(), ARTEFACT: b"x" * (1 << 20)}),
    lambda: update_manifest(target, {"recipe": ["y" * 100] * 4000}),
):
    try:
        write()
    except BundleError as error:
        print(error)
print(sorted(path.name for path in target.parent.iterdir()), sorted(path.name for path in target.iterdir()))
print(open_bundle(target).manifest.version)
"""
_ROOT = Path(__file__).parents[2]


def assert_survives_a_full_disk(output: str, directory: Path, reason: str) -> None:
    assert output.splitlines() == [
        f"{directory / name}: cannot be written ({reason}), what was there is unchanged; free some space"
        for name in ("tiny", "new", "tiny")
    ] + ["['tiny'] ['engines', 'golden', 'manifest.yaml']", "1.2.3"]


@pytest.mark.slow
def test_a_file_size_limit_leaves_the_old_bundle(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WRITE_TOO_MUCH, str(tmp_path), "limit"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, check=True)
    assert_survives_a_full_disk(done.stdout, tmp_path, "File too large")


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_bundle(tmp_path: Path) -> None:
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc"]
    script = 'mount -t tmpfs -o size=256k tmpfs "$0"; exec "$@"'
    try:
        probe = subprocess.run([*mount, script, str(tmp_path), "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if probe.returncode:
        pytest.skip("this machine gives no user namespace in which a small disk can be mounted")
    command = [sys.executable, "-c", _WRITE_TOO_MUCH, str(tmp_path), "disk"]
    done = subprocess.run(
        [*mount, script, str(tmp_path), *command], capture_output=True, text=True, cwd=_ROOT, check=True
    )
    assert_survives_a_full_disk(done.stdout, tmp_path, "No space left on device")


def test_update_manifest_keeps_the_rest(tmp_path: Path) -> None:
    old = build(tmp_path / "tiny", future={"key": "value"})
    new = update_manifest(old.directory, {"attribution": "somebody else", "added": [1, 2]})
    assert new.manifest.attribution == "somebody else"
    assert new.manifest.model_extra == {"future": {"key": "value"}, "added": [1, 2]}
    assert new.manifest.artefacts == old.manifest.artefacts
    assert open_bundle(old.directory) == new
    assert sorted(path.name for path in old.directory.iterdir()) == ["engines", "golden", MANIFEST]


def test_update_manifest_refuses_what_does_not_fit(tmp_path: Path) -> None:
    old = build(tmp_path / "tiny")
    artefact = {**old.manifest.artefacts[0].model_dump(), "size": 1}
    with pytest.raises(BundleError, match="is 15000 bytes, the manifest says 1"):
        update_manifest(old.directory, {"artefacts": [artefact]})
    with pytest.raises(BundleError, match="version: "):
        update_manifest(old.directory, {"version": "two"})
    assert open_bundle(old.directory) == old
