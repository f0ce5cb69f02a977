"""Device names that do not last: the random host name of a container, where ``device`` is not configured."""

from __future__ import annotations

import re
from pathlib import Path

from edgeagent.settings.schema import Settings


def passing_device_name(settings: Settings, root: Path = Path("/")) -> str | None:
    """Return a warning where the device has the random name of a container; None otherwise.

    Docker and Podman give 12 hexadecimal digits of the container's id, new with each container, so that every
    update of the image would make another device of it.
    """
    if "device" in settings.model_fields_set or not re.fullmatch(r"[0-9a-f]{12}", settings.device):
        return None
    if not any((root / name).exists() for name in (".dockerenv", "run/.containerenv")):
        return None
    return (
        f"the device is called {settings.device}, the random host name of this container; give `device` in "
        "the configuration, or start the container with --hostname"
    )
