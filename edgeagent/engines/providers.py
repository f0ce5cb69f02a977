"""Execution providers of the installed onnxruntime, asked in a process of its own, and its plug-ins.

Importing onnxruntime takes 20 MB, and has ended the process on some machines; only workers import it. This
module run as a program prints the providers as JSON.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import logging
import subprocess
import sys

from edgeagent.engines.provider_plugins import installed_plugins

logger = logging.getLogger(__name__)

LONGEST_S = 60.0


@functools.cache
def built_providers() -> tuple[str, ...]:
    """Return the names of the providers, those of installed plug-ins last.

    There is none, with a warning, where onnxruntime cannot be imported.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return ()
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(  # noqa: S603  (this program)
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LONGEST_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        logger.warning("onnxruntime cannot be imported, its delegates are left out: %s", error)
        return ()
    return tuple(dict.fromkeys([*json.loads(done.stdout.splitlines()[-1]), *installed_plugins()]))


if __name__ == "__main__":
    import onnxruntime

    print(json.dumps(onnxruntime.get_available_providers()))  # noqa: T201  (for the parent)
