"""Releases: what may be added, and how they stand in the index."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgeagent.bundle.reading import MANIFEST
from edgeagent.bundle.writing import write_bundle
from edgeagent.delivery.repository.channel import Release
from edgeagent.errors import BundleError
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import check_target_path
from edgeagent.publisher.release import add_bundle, read_index, withdraw
from tests.bundle import tiny
from tests.publisher.publisher_folder import PublisherFolder, bundle


def index_of(publisher: PublisherFolder, channel: str = "stable") -> tuple[Release, ...]:
    with publisher.opened() as publication:
        return read_index(publication, channel).releases


def test_a_release_says_what_the_bundle_is(publisher: PublisherFolder, tmp_path: Path) -> None:
    (release,) = index_of(publisher)
    directory = tmp_path / "tiny-1.2.3"
    assert release.files == {
        name: (directory / name).stat().st_size
        for name in (MANIFEST, tiny.ARTEFACT, tiny.PICTURE, tiny.OUTPUTS)
    }
    assert release.manifest_sha256 == hashlib.sha256((directory / MANIFEST).read_bytes()).hexdigest()
    assert (release.sequence, release.boards, release.rollout.id) == (1, ("any",), "1-tiny")


def test_evidence_comes_along(publisher: PublisherFolder, tmp_path: Path) -> None:
    evidence = {"measurements": [], "files": ["evidence/seeds.json"]}
    content = {**tiny.files(), "evidence/seeds.json": b"[]"}
    directory = tmp_path / "with-evidence"
    write_bundle(directory, tiny.fields(version="2.0.0", evidence=evidence), content)
    publisher.add(directory)
    assert "evidence/seeds.json" in index_of(publisher)[-1].files


def test_sequences_ascend_whatever_the_versions_are(publisher: PublisherFolder, tmp_path: Path) -> None:
    publisher.add(bundle(tmp_path, "0.9.0"))
    publisher.change(lambda p: withdraw(p, "stable", "tiny", "0.9.0", "too old"))
    publisher.add(bundle(tmp_path, "0.8.0"))
    assert [(r.version, r.sequence) for r in index_of(publisher)] == [
        ("1.2.3", 1),
        ("0.9.0", 2),
        ("0.8.0", 3),
    ]


def test_a_name_and_version_is_used_once(publisher: PublisherFolder, tmp_path: Path) -> None:
    before = publisher.files()
    with pytest.raises(PublishError, match=r"stable: has tiny 1\.2\.3 already$"):
        publisher.add(tmp_path / "tiny-1.2.3")
    with pytest.raises(PublishError, match="already, with other content; give the new bundle a new version"):
        publisher.add(bundle(tmp_path / "other", attribution="somebody else"))
    assert publisher.files() == before
    publisher.add(tmp_path / "tiny-1.2.3", "beta")  # another channel is another matter
    assert index_of(publisher, "beta")[0].sequence == 1


def test_a_broken_bundle_is_refused(publisher: PublisherFolder, tmp_path: Path) -> None:
    before = publisher.files()
    broken = bundle(tmp_path, "2.0.0")
    (broken / tiny.ARTEFACT).write_bytes(b"x" * len(b"not really ONNX" * 1000))
    with pytest.raises(BundleError, match=r"engines/tiny\.onnx has the sha256"):
        publisher.add(broken)
    with pytest.raises(BundleError, match="no such bundle directory"):
        publisher.add(tmp_path / "absent")
    assert publisher.files() == before


def test_a_bundle_that_is_changed_while_it_is_copied_is_refused(
    publisher: PublisherFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes to its folder after it was verified."""
    new = bundle(tmp_path, "2.0.0")
    before = publisher.files()
    with publisher.opened() as opened:
        original = opened.place

        def meddle(path: str, source: object) -> object:
            (new / tiny.PICTURE).write_bytes(b"another picture")
            return original(path, source)  # type: ignore[arg-type]

        monkeypatch.setattr(opened, "place", meddle)
        with pytest.raises(BundleError, match=r"golden/0\.png was changed while it was copied"):
            add_bundle(opened, new, "stable", ["any"])
        opened.discard()
    assert publisher.files() == before


@pytest.mark.parametrize(
    ("channel", "boards", "policy", "words"),
    [
        ("root", ["any"], {}, "root: cannot be the name of a channel"),
        ("watch", ["any"], {}, "watch: cannot be the name of a channel"),
        ("../stable", ["any"], {}, "cannot be the name of a channel"),
        ("Stable", ["any"], {}, "cannot be the name of a channel"),
        ("stable", [], {}, "boards: Tuple should have at least 1 item"),
        ("stable", ["Jetson Orin"], {}, r"boards\.0: String should match"),
        ("stable", ["any"], {"percent": 101}, r"rollout\.percent: .*less than or equal to 100"),
        ("stable", ["any"], {"cohorts": ["a b"]}, r"rollout\.cohorts\.0"),
        ("stable", ["any"], {"window": {"begin": "25:00", "end": "05:00"}}, r"rollout\.window\.begin"),
    ],
)
def test_names_and_policies_are_checked(
    publisher: PublisherFolder,
    tmp_path: Path,
    channel: str,
    boards: list[str],
    policy: dict[str, object],
    words: str,
) -> None:
    before = publisher.files()
    with pytest.raises(PublishError, match=words), publisher.opened() as publication:
        add_bundle(publication, bundle(tmp_path, "2.0.0"), channel, boards, policy)
    assert publisher.files() == before


@pytest.mark.parametrize(
    "path",
    [
        "a/../b",
        "a//b",
        "/a",
        "a/.hidden",
        "a/-x",
        "a/b c",
        "a/b#c",
        "a/b?c",
        "a/b%2e",
        "a/ä",
        "a/b\\c",
        "a/" + "x" * 181,
        "a/b/c/d/e/f/g",
        "",
    ],
)
def test_target_paths_are_plain(path: str) -> None:
    with pytest.raises(PublishError):
        check_target_path(path)


def test_a_file_that_no_address_can_name_is_refused(publisher: PublisherFolder, tmp_path: Path) -> None:
    fields = tiny.fields(
        version="2.0.0", golden={"pictures": ["golden/a b.png"], "outputs": tiny.OUTPUTS, "tolerance": 2.0}
    )
    content = {**tiny.files(), "golden/a b.png": b"picture"}
    del content[tiny.PICTURE]
    write_bundle(tmp_path / "spaced", fields, content)
    with pytest.raises(PublishError, match=r"'a b\.png' cannot be part of a web address"):
        publisher.add(tmp_path / "spaced")


def test_what_is_not_there_cannot_be_withdrawn(publisher: PublisherFolder) -> None:
    with pytest.raises(PublishError, match=r"stable: has no tiny 9\.9\.9; it has tiny 1\.2\.3"):
        publisher.change(lambda p: withdraw(p, "stable", "tiny", "9.9.9", "gone"))
    with pytest.raises(PublishError, match="beta: has no tiny"):
        publisher.change(lambda p: withdraw(p, "beta", "tiny", "1.2.3", "gone"))
