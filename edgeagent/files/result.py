"""What a command found, as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeagent.errors import EdgeagentError


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a result, indented.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    try:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise EdgeagentError(f"{path}: the result cannot be written ({error.strerror})") from error
