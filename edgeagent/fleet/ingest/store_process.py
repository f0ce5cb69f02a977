"""Process that has the store; its options are JSON on standard input.

It opens the folder, serves it to all other processes at a socket, and computes the derived tables. With a
store on a server it only computes. It ends when standard input is closed.
"""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path

from edgeagent.errors import EdgeagentError
from edgeagent.fleet.ingest.options import IngestOptions
from edgeagent.fleet.ingest.supervised_process import begin_supervised
from edgeagent.fleet.store.derivation import Derivation
from edgeagent.fleet.store.embedded import EmbeddedStore
from edgeagent.fleet.store.endpoint import ServedStore
from edgeagent.fleet.store.opening import is_server
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.fleet.store.server import connect

logger = logging.getLogger("edgeagent.fleet")

LOOK_S = 1.0


def main() -> int:
    """Run the store; return the exit code."""
    given, stopping = begin_supervised("%(levelname)s store: %(message)s")
    options = IngestOptions.model_validate_json(given)
    served: ServedStore | None = None
    store: FleetStore
    try:
        if is_server(options.store):
            store = connect(options.store, options.password_file)
        else:
            store = embedded = EmbeddedStore(Path(options.store))
            served = ServedStore(embedded)
            served.start()
    except EdgeagentError as error:
        logger.error("%s", error)
        return error.exit_code
    derivation = Derivation(store)
    derivation.start()
    print("ready", flush=True)  # noqa: T201 - the supervisor waits for it
    code = _serve(served, stopping)
    derivation.stop()
    if served is not None:
        served.stop()
    store.close()
    return code


def _serve(served: ServedStore | None, stopping: threading.Event) -> int:
    """Wait for the end; return the exit code: 1 where the socket was removed; a new start makes it."""
    while not stopping.wait(LOOK_S):
        if served is not None and not served.reachable:
            logger.error("%s was removed, or the folder was; the store is opened anew", served.path)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
