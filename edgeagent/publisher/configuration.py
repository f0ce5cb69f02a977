"""Configurations of a channel: check a file and add it, change or withdraw one.

The file is checked as on a board, and is signed as JSON without its comments, which may hold anything.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeagent.delivery.repository.channel import Channel
from edgeagent.delivery.repository.configuration_entry import (
    Configuration,
    ConfigurationFile,
    parse_configuration,
)
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.naming import printable
from edgeagent.files.strict_yaml import Document
from edgeagent.publisher.entries import validated_entry, with_boards, with_policy
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.release import read_index, write_index
from edgeagent.publisher.repository import Publication
from edgeagent.publisher.roles import ensure_channel
from edgeagent.settings.examination import parse_document
from edgeagent.settings.partial import MOST_BYTES, check_partial
from edgeagent.version import __version__


def read_partial(file: Path) -> dict[str, Any]:
    """Read and check the file of a configuration, and return its keys.

    Raises:
        PublishError: it cannot be read, or is refused; each line names a key.
    """
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
        return check_partial(parse_document(content, printable(file)), printable(file))
    except OSError as error:
        raise PublishError(f"{printable(file)}: cannot be read ({error.strerror})") from None
    except ConfigurationError as error:
        raise PublishError(f"{error}\nnothing was published") from None


def add_configuration(
    publication: Publication,
    settings: Mapping[str, Any],
    channel: str,
    version: str,
    boards: Sequence[str],
    policy: Mapping[str, Any] | None = None,
    minimum_agent_version: str | None = None,
) -> Configuration:
    """Add a configuration to a channel as its newest one; a missing channel is made.

    Args:
        publication: to change; nothing is served before it is published.
        settings: partial configuration of :func:`read_partial`.
        channel: label of the channel.
        version: of the configuration, such as 1.2.0.
        boards: names of the boards that take it, or ``any``.
        policy: fields of :class:`edgeagent.delivery.repository.channel_entry.Rollout` without its ``id``.
        minimum_agent_version: oldest edgeagent that may take it; None for any that knows its keys.

    Raises:
        PublishError: the channel has this version already, or a field is invalid.
    """
    ensure_channel(publication, channel)
    index = read_index(publication, channel)
    if any(one.version == version for one in index.configurations):
        raise PublishError(
            f"{channel}: has a configuration {version} already; give the new one a new version"
        )
    content = (
        ConfigurationFile(made_with=__version__, settings=dict(settings)).model_dump_json(indent=1).encode()
    )
    sequence = max((one.sequence for one in index.configurations), default=0) + 1
    fields: dict[str, Any] = {
        "version": version,
        "sequence": sequence,
        "boards": tuple(boards),
        "sha256": "0" * 64,
        "size": len(content),
        "minimum_agent_version": minimum_agent_version,
        "rollout": {**(policy or {}), "id": f"{sequence}-configuration"},
    }
    target = publication.place(
        validated_entry(Configuration, channel, fields).target(channel), io.BytesIO(content)
    )
    added = validated_entry(Configuration, channel, {**fields, "sha256": target.hashes["sha256"]})
    configurations = (*index.configurations, added)
    write_index(publication, index.model_copy(update={"configurations": configurations}), (target,))
    return added


def find_configuration(index: Channel, version: str) -> Configuration:
    """Return a configuration of a channel.

    Raises:
        PublishError: there is none with this version.
    """
    for one in index.configurations:
        if one.version == version:
            return one
    known = ", ".join(one.version for one in index.configurations)
    raise PublishError(f"{index.channel}: has no configuration {version}; it has {known or 'none'}")


def set_configuration_boards(
    publication: Publication, channel: str, version: str, boards: Sequence[str]
) -> Configuration:
    """Replace the boards of a configuration.

    Raises:
        PublishError: there is no such configuration, or a name of a board is invalid.
    """
    return _change(
        publication,
        channel,
        version,
        lambda old: with_boards(old, channel, boards),
    )


def set_configuration_policy(
    publication: Publication, channel: str, version: str, fields: Mapping[str, Any]
) -> Configuration:
    """Change fields of the rollout policy of a configuration; the others stay.

    Raises:
        PublishError: there is no such configuration, it is withdrawn, or a field is invalid.
    """

    title = f"the configuration {version}"
    return _change(publication, channel, version, lambda old: with_policy(old, channel, title, fields))


def withdraw_configuration(
    publication: Publication, channel: str, version: str, reason: str
) -> Configuration:
    """Withdraw a configuration, with a reason that devices show. Its file stays."""
    return _change(publication, channel, version, lambda old: old.model_copy(update={"withdrawn": reason}))


def verify_configuration(channel: str, entry: Configuration, content: bytes) -> None:
    """Check the file of a configuration against the index, and its keys against this edgeagent.

    Raises:
        PublishError: it is another file than the index names, or is refused.
    """
    path = entry.target(channel)
    if len(content) != entry.size or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise PublishError(f"{path}: is not the configuration that the index names")
    try:
        check_partial(Document(parse_configuration(content, path).settings), path)
    except EdgeagentError as error:
        raise PublishError(str(error)) from None


def _change(
    publication: Publication,
    channel: str,
    version: str,
    change: Callable[[Configuration], Configuration],
) -> Configuration:
    index = read_index(publication, channel)
    old = find_configuration(index, version)
    new = change(old)
    configurations = tuple(new if one is old else one for one in index.configurations)
    write_index(publication, index.model_copy(update={"configurations": configurations}))
    return new
