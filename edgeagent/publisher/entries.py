"""Entries of a channel, of any kind: validated as on a device, with another policy or other boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from edgeagent.delivery.repository.channel_entry import ChannelEntry
from edgeagent.files.validation import first_mistake
from edgeagent.publisher.errors import PublishError

Entry = TypeVar("Entry", bound=ChannelEntry)


def validated_entry(kind: type[Entry], channel: str, fields: Mapping[str, Any]) -> Entry:
    """Return an entry, validated as on a device.

    Args:
        kind: of the entry.
        channel: name of the channel, for messages.
        fields: of the entry.

    Raises:
        PublishError: a field is invalid.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        mistake = first_mistake(error)
        raise PublishError(f"{channel}: {mistake} ({mistake.value!r})") from None


def with_policy(old: Entry, channel: str, title: str, fields: Mapping[str, Any]) -> Entry:
    """Return an entry with changed fields of its rollout policy; the others stay.

    Args:
        old: entry.
        channel: name of the channel, for messages.
        title: of the entry, for messages.
        fields: of :class:`edgeagent.delivery.repository.channel_entry.Rollout`.

    Raises:
        PublishError: it is withdrawn, or a field is invalid.
    """
    if old.withdrawn is not None:
        raise PublishError(f"{channel}: {title} is withdrawn ({old.withdrawn}); add a new version")
    data = old.model_dump(mode="json")
    return validated_entry(type(old), channel, {**data, "rollout": {**data["rollout"], **fields}})


def with_boards(old: Entry, channel: str, boards: Sequence[str]) -> Entry:
    """Return an entry for other boards.

    Raises:
        PublishError: a name of a board is invalid.
    """
    return validated_entry(type(old), channel, {**old.model_dump(), "boards": tuple(boards)})
