"""State of the primary host application: whether it is online (Sparkplug 3.0, 4.3 and 5.4).

The host publishes ``{"online": true, "timestamp": 1769860800000}`` as ``spBv1.0/STATE/<host>``, retained; its
last will has ``online`` false and the time stamp of the birth before it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MOST_BYTES = 4096


class StateMessage(BaseModel):
    """Payload of STATE; ``timestamp`` is in milliseconds since the epoch. Unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)

    online: bool
    timestamp: Annotated[int, Field(ge=0)]


class HostState:
    """State of the primary host during one connection; not thread-safe.

    Attributes:
        online: whether the host is online; false until it has said so on this connection.
    """

    def __init__(self) -> None:
        self._timestamp = 0
        self.online = False

    def update(self, payload: bytes) -> bool:
        """Apply a STATE message and return whether the state has changed.

        A message that is older than the last one does not count
        (tck-id-message-flow-edge-node-birth-publish-phid-wait-timestamp,
        tck-id-operational-behavior-edge-node-termination-host-offline-timestamp).

        Raises:
            ValueError: the payload is not a STATE of Sparkplug 3.0.
        """
        if len(payload) > MOST_BYTES:
            raise ValueError(f"{len(payload)} bytes")
        try:
            message = StateMessage.model_validate_json(payload)
        except ValidationError as error:
            raise ValueError(
                f"expected online and timestamp as JSON ({error.error_count()} errors)"
            ) from None
        if message.timestamp < self._timestamp:
            return False
        self._timestamp = message.timestamp
        changed, self.online = self.online != message.online, message.online
        return changed
