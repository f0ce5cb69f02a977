"""``edgeagent fleet ingest``: messages from the broker into the store."""

from __future__ import annotations

import argparse
import logging
import signal

from pydantic import ValidationError

from edgeagent.cli.broker_options import add_broker, broker_of
from edgeagent.cli.fleet_store_options import add_store
from edgeagent.errors import ConfigurationError
from edgeagent.files.validation import first_mistake

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Store the messages of all devices: workers share them (MQTT 5, $share), and acknowledge a message once it is
stored. A message that arrives twice counts once; one that cannot be read goes to the table dead_letters with
the reason. SIGTERM and SIGINT end it; the broker keeps what comes meanwhile. Guide: docs/fleet.md

examples:
  edgeagent fleet ingest --broker broker.local
  edgeagent fleet ingest --broker broker.local:8883 --tls --username fleet --password-file broker.password \\
      --store /srv/fleet --workers 2
  edgeagent fleet ingest --broker nats.local --mqtt-version 3.1.1     RabbitMQ, NATS: one worker
  edgeagent fleet ingest --broker broker.local --store clickhouse://fleet@db.local:8123/edgeagent"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``ingest``."""
    parser = commands.add_parser(
        "ingest",
        help="store the messages of all devices",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_broker(parser)
    add_store(parser)
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that share the messages (default 1)"
    )
    parser.add_argument(
        "--name", help="name of this ingest at the broker, another on each machine (default: the host name)"
    )
    parser.add_argument(
        "--group", default="edgeagent", help="name of the shared subscription (default %(default)s)"
    )
    parser.add_argument(
        "--batch", type=int, default=2000, metavar="N", help="messages of a batch (default %(default)s)"
    )
    parser.add_argument(
        "--batch-seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="longest time that a message waits for its batch (default %(default)s)",
    )
    parser.add_argument(
        "--tenants", action="store_true", help="topics have one more level in front, the name of a tenant"
    )
    parser.add_argument(
        "--detections", action="store_true", help="also store the objects of single frames (detections)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Store messages until a signal."""
    from edgeagent.fleet.ingest.options import IngestOptions
    from edgeagent.fleet.ingest.supervisor import IngestSupervisor

    given = {
        "store": arguments.store,
        "password_file": arguments.store_password_file,
        "broker": broker_of(arguments),
        "group": arguments.group,
        "workers": arguments.workers,
        "batch": arguments.batch,
        "batch_s": arguments.batch_seconds,
        "tenants": arguments.tenants,
        "detections": arguments.detections,
    }
    if arguments.name is not None:
        given["name"] = arguments.name
    try:
        options = IngestOptions(**given)
    except ValidationError as error:
        raise ConfigurationError(f"fleet ingest: {first_mistake(error)}") from None
    supervisor = IngestSupervisor(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run(
        lambda: logger.info("messages are stored in %s; workers: %d", options.store, options.workers)
    )
    return 0
