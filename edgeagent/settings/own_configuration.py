"""Configuration of a board without a signed one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgeagent.files.strict_yaml import Document
from edgeagent.settings.schema import Settings


@dataclass(frozen=True)
class OwnConfiguration:
    """Configuration of a board, as its file has it.

    Attributes:
        directory: folder against which relative paths are resolved.
        document: keys of the file.
        settings: of the file alone.
    """

    directory: Path
    document: Document
    settings: Settings
