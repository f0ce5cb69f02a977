"""Result of a command as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeagent.errors import EdgeagentError
from edgeagent.files.atomic import replace_file


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a result, indented; a file is replaced whole, a link, pipe or device is written to.

    Raises:
        EdgeagentError: it cannot be written; an older file is as it was.
    """
    content = (json.dumps(result, indent=2) + "\n").encode()
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):  # such as /dev/stdout
            path.write_bytes(content)
        else:
            replace_file(path, content)
    except OSError as error:
        raise EdgeagentError(f"{path}: the result cannot be written ({error.strerror})") from error
