"""Verifying finds what a device would refuse."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeagent.delivery.repository.channel import Channel
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import metadata_folder, targets_folder
from edgeagent.publisher.release import read_index, write_index
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.verification import verify
from tests.publisher.publisher_folder import PublisherFolder, bundle


def test_what_is_right_is_counted(publisher: PublisherFolder, tmp_path: Path) -> None:
    publisher.add(bundle(tmp_path, "2.0.0"))
    (found,) = verify(publisher.folder, publisher.root())
    assert (found.channel, found.files) == ("stable", 9)
    served = [
        content for name, content in publisher.files().items() if name.startswith("targets/stable/tiny")
    ]
    index = max(
        targets_folder(publisher.folder).glob("stable/*.channel.json"), key=lambda path: path.stat().st_size
    )
    assert found.size == sum(map(len, served)) + index.stat().st_size


def one(publisher: PublisherFolder, pattern: str) -> Path:
    (path,) = (publisher.folder / "repository").glob(pattern)
    return path


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("targets/stable/tiny/1.2.3/engines/*", "is not what was signed"),
        ("targets/stable/tiny/1.2.3/*.manifest.yaml", "is not what was signed"),
        ("targets/stable/*.channel.json", "is not what was signed"),
        ("metadata/1.stable.json", "a device refuses it"),
        ("metadata/2.snapshot.json", "a device refuses it"),
        ("metadata/2.targets.json", "a device refuses it"),
        ("metadata/timestamp.json", "a device refuses it"),
    ],
)
def test_a_changed_or_missing_file_is_found(publisher: PublisherFolder, pattern: str, words: str) -> None:
    path = one(publisher, pattern)
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(PublishError, match=words):
        verify(publisher.folder, publisher.root())
    path.unlink()
    with pytest.raises(PublishError, match=r"cannot be read|a device refuses it"):
        verify(publisher.folder, publisher.root())


def test_an_older_state_that_is_put_back_is_found(publisher: PublisherFolder, tmp_path: Path) -> None:
    """A mix of two states: the new timestamp with an old snapshot."""
    old = (metadata_folder(publisher.folder) / "2.snapshot.json").read_bytes()
    publisher.add(bundle(tmp_path, "2.0.0"))
    (metadata_folder(publisher.folder) / "3.snapshot.json").write_bytes(old)
    with pytest.raises(PublishError, match="a device refuses it"):
        verify(publisher.folder, publisher.root())


def test_another_root_does_not_trust_it(publisher: PublisherFolder, tmp_path: Path) -> None:
    other = PublisherFolder(tmp_path / "other")
    with pytest.raises(PublishError, match="a device refuses it"):
        verify(publisher.folder, other.root())
    with pytest.raises(PublishError, match="a device refuses it"):
        verify(publisher.folder, b"{}")


def _without_a_target(publication: Publication, index: Channel) -> None:
    with publication.edit_targets("stable") as targets:
        del targets.targets["stable/tiny/1.2.3/golden/0.png"]


def _other_length(publication: Publication, index: Channel) -> None:
    (release,) = index.releases
    files = {**release.files, "golden/0.png": 1}
    write_index(
        publication, index.model_copy(update={"releases": (release.model_copy(update={"files": files}),)})
    )


def _other_manifest(publication: Publication, index: Channel) -> None:
    (release,) = index.releases
    other = release.model_copy(update={"manifest_sha256": "0" * 64})
    write_index(publication, index.model_copy(update={"releases": (other,)}))


def _other_channel(publication: Publication, index: Channel) -> None:
    content = index.model_copy(update={"channel": "beta"}).model_dump_json().encode()
    target = publication.place("stable/channel.json", io.BytesIO(content))
    with publication.edit_targets("stable") as targets:
        targets.targets[target.path] = target


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (_without_a_target, r"0\.png: is offered, but no key of its channel signed for it"),
        (_other_length, r"0\.png: is 14 bytes, the index says 1"),
        (_other_manifest, r"manifest\.yaml: is not the manifest that the index names"),
        (_other_channel, "is the index of another channel, beta"),
    ],
)
def test_an_index_that_does_not_fit_is_found(
    publisher: PublisherFolder, mistake: Callable[[Publication, Channel], None], words: str
) -> None:
    """All of it is signed, by somebody who made a mistake."""
    assert publisher.change(lambda p: mistake(p, read_index(p, "stable")))
    with pytest.raises(PublishError, match=words):
        verify(publisher.folder, publisher.root())
