"""Process of one worker; its options are JSON on standard input.

It ends when standard input is closed, as it is when its supervisor ends, whatever the reason.
"""

from __future__ import annotations

import logging
import sys
import time

from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.fleet.ingest.options import IngestPart
from edgeagent.fleet.ingest.supervised_process import begin_supervised
from edgeagent.fleet.ingest.worker import IngestWorker
from edgeagent.fleet.store.opening import open_shared

logger = logging.getLogger("edgeagent.fleet")

REPORT_S = 60.0


def main() -> int:
    """Run the worker; return the exit code."""
    given, stopping = begin_supervised("%(levelname)s %(processName)s %(message)s")
    part = IngestPart.model_validate_json(given)
    try:
        worker = IngestWorker(part, open_shared(part.options.store, part.options.password_file))
        worker.start()
    except EdgeagentError as error:
        logger.error("%s", error)
        return error.exit_code
    reported, told = time.monotonic(), False
    while not stopping.wait(1.0):
        if worker.refusal is not None:
            logger.error("%s", worker.refusal)
            return ConfigurationError.exit_code
        if not worker.healthy:
            logger.error("the thread that stores batches has ended; this process ends")
            return 1
        if not told and worker.subscribed.is_set():
            print("ready", flush=True)  # noqa: T201 - the supervisor waits for it
            told = True
        if time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            logger.info("%s: %s", part.client_id, dict(worker.counts))
    worker.stop()
    logger.info("%s: %s", part.client_id, dict(worker.counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
