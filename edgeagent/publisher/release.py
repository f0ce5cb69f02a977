"""Releases of a channel: add a bundle, change or withdraw a release.

The index ``CHANNEL/channel.json`` and the files of every release are targets of the channel's role.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuf.api.metadata import TargetFile

from edgeagent.bundle.golden import load_reference_outputs
from edgeagent.bundle.reading import Bundle, open_bundle, parse_manifest
from edgeagent.delivery.repository.channel import INDEX, MANIFEST, Channel, Release, parse_channel
from edgeagent.errors import BundleError
from edgeagent.files.hashing import hash_file
from edgeagent.publisher.entries import validated_entry, with_boards
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.places import check_target_path, served_path
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.roles import ensure_channel


def check_structure(bundle: Bundle) -> None:
    """Check the archives of reference outputs of a verified bundle, whose unpacked size is bounded.

    Raises:
        BundleError: one is damaged, malformed or too large when unpacked.
    """
    golden = bundle.manifest.golden
    if golden is not None:
        for name in sorted({golden.outputs, *golden.other_outputs.values()}):
            load_reference_outputs(bundle.directory / name)


def read_index(publication: Publication, channel: str) -> Channel:
    """Return the index of a channel, with the edits so far; an empty one where there is none yet.

    Raises:
        DeliveryError: it is missing, damaged, or made for a newer edgeagent.
    """
    target = publication.targets(channel).targets.get(f"{channel}/{INDEX}")
    if target is None:
        return Channel(channel=channel)
    path = served_path(publication.folder, target)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PublishError(f"{path}: cannot be read ({error.strerror}); restore it from a copy") from None
    return parse_channel(content, str(path))


def add_bundle(
    publication: Publication,
    directory: Path,
    channel: str,
    boards: Sequence[str],
    policy: Mapping[str, Any] | None = None,
    check: Callable[[Bundle], None] = check_structure,
) -> Release:
    """Add a bundle to a channel as its newest release; a missing channel is made.

    Nothing is copied before the bundle, its place in the channel and the room on the disk are checked. The
    files that are signed are those that were checked: each copy must have the hash of the checked manifest.

    Args:
        publication: to change; nothing is served before it is published.
        directory: of the bundle.
        channel: label of the channel.
        boards: names of the boards that can run it, or ``any``.
        policy: fields of :class:`edgeagent.delivery.repository.channel_entry.Rollout` without its ``id``.
        check: called with the verified bundle; raises what refuses it.

    Raises:
        BundleError: the bundle is damaged, or ``check`` refuses it.
        PublishError: the channel has this name and version already, a name, board or policy is invalid, or
            the disk is too full for the release.
    """
    bundle = open_bundle(directory)
    manifest = bundle.manifest
    ensure_channel(publication, channel)
    index = read_index(publication, channel)
    for release in index.releases:
        if (release.name, release.version) == (manifest.name, manifest.version):
            same = release.manifest_sha256 == hash_file(directory / MANIFEST)
            raise PublishError(
                f"{channel}: has {release.name} {release.version} already"
                + ("" if same else ", with other content; give the new bundle a new version")
            )
    files = _files(bundle)
    for name in files:
        check_target_path(f"{channel}/{manifest.name}/{manifest.version}/{name}")
    check(bundle)
    _check_room(publication, bundle, files)
    sequence = max((release.sequence for release in index.releases), default=0) + 1
    prefix = f"{channel}/{manifest.name}/{manifest.version}"
    placed = {name: _place(publication, bundle, prefix, name, digest) for name, digest in files.items()}
    fields = {
        "name": manifest.name,
        "version": manifest.version,
        "sequence": sequence,
        "boards": tuple(boards),
        "manifest_sha256": placed[MANIFEST].hashes["sha256"],
        "files": {name: target.length for name, target in placed.items()},
        "rollout": {**(policy or {}), "id": f"{sequence}-{manifest.name}"[:64]},
    }
    release = validated_entry(Release, channel, fields)
    write_index(
        publication, index.model_copy(update={"releases": (*index.releases, release)}), placed.values()
    )
    return release


def change_release(
    publication: Publication, channel: str, name: str, version: str, change: Callable[[Release], Release]
) -> Release:
    """Change a release of a channel, and return it.

    Args:
        publication: to change.
        channel, name, version: of the release.
        change: returns the new release for the old one.

    Raises:
        PublishError: there is no such channel or release.
    """
    index = read_index(publication, channel)
    old = find_release(index, name, version)
    new = change(old)
    releases = tuple(new if release is old else release for release in index.releases)
    write_index(publication, index.model_copy(update={"releases": releases}))
    return new


def find_release(index: Channel, name: str, version: str) -> Release:
    """Return a release of a channel.

    Raises:
        PublishError: there is none with this name and version.
    """
    for release in index.releases:
        if (release.name, release.version) == (name, version):
            return release
    known = ", ".join(f"{release.name} {release.version}" for release in index.releases)
    raise PublishError(f"{index.channel}: has no {name} {version}; it has {known or 'none'}")


def set_boards(
    publication: Publication, channel: str, name: str, version: str, boards: Sequence[str]
) -> Release:
    """Replace the boards of a release.

    Args:
        publication: to change.
        channel, name, version: of the release.
        boards: names of the boards that can run it, or ``any``.

    Raises:
        PublishError: there is no such release, or a name of a board is invalid.
    """
    return change_release(
        publication,
        channel,
        name,
        version,
        lambda old: with_boards(old, channel, boards),
    )


def withdraw(publication: Publication, channel: str, name: str, version: str, reason: str) -> Release:
    """Withdraw a release, with a reason that devices show. Its files stay."""
    return change_release(
        publication, channel, name, version, lambda old: old.model_copy(update={"withdrawn": reason})
    )


def write_index(publication: Publication, index: Channel, placed: Any = ()) -> None:
    """Make the next version of a channel.

    Args:
        publication: to change.
        index: of the channel.
        placed: new targets of the channel.
    """
    content = (index.model_dump_json(indent=1, exclude_none=True) + "\n").encode()
    target = publication.place(f"{index.channel}/{INDEX}", io.BytesIO(content))
    with publication.edit_targets(index.channel) as targets:
        for new in (*placed, target):
            targets.targets[new.path] = new


def _files(bundle: Bundle) -> dict[str, str | None]:
    """Return the names of all files of a bundle with their hashes; None for the manifest."""
    manifest = bundle.manifest
    found: dict[str, str | None] = {MANIFEST: None}
    found.update({artefact.file: artefact.sha256 for artefact in manifest.artefacts})
    found.update(manifest.golden.sha256 if manifest.golden else {})
    found.update(manifest.evidence.files)
    return found


def _check_room(publication: Publication, bundle: Bundle, files: Iterable[str]) -> None:
    need = sum((bundle.directory / name).stat().st_size for name in files)
    free = shutil.disk_usage(publication.folder).free
    if need > free:
        raise PublishError(
            f"{publication.folder}: the release needs {need} bytes, and the disk has {free}; "
            "nothing was published"
        )


def _place(
    publication: Publication, bundle: Bundle, prefix: str, name: str, digest: str | None
) -> TargetFile:
    path = bundle.directory / name
    try:
        with path.open("rb") as source:
            target = publication.place(f"{prefix}/{name}", source)
    except FileNotFoundError:
        raise BundleError(
            f"{bundle.directory}: {name} is gone; the bundle was changed while it was copied"
        ) from None
    if digest is None:
        placed = served_path(publication.folder, target).read_bytes()
        changed = parse_manifest(placed, str(path)) != bundle.manifest
    else:
        changed = target.hashes["sha256"] != digest
    if changed:
        raise BundleError(
            f"{bundle.directory}: {name} was changed while it was copied; nothing was published"
        )
    return target
