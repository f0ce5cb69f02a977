"""``edgeagent publish rollout watch``: sign the due steps of rollouts, or halt them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edgeagent.cli.broker_options import add_broker, broker_of
from edgeagent.cli.publish_options import AFTER, add_signing, duration_of, secrets_of
from edgeagent.errors import ConfigurationError
from edgeagent.publisher.condition import Condition, ConditionResult
from edgeagent.publisher.opening import check_folder
from edgeagent.publisher.rollout_steps import Plan, read_steps
from edgeagent.publisher.signers import Signers, read_config
from edgeagent.publisher.watch import FleetListener, Watch, watch

if TYPE_CHECKING:
    from edgeagent.fleet.rollouts.stored_fleet import StoreJudge

WATCH = """\
Subscribe to the fleet over MQTT, or ask its store, and sign the due steps of all rollouts. A step is refused
while the condition holds: the rollout is halted until `--resume`, and the exit code is 8. Files are written
to DIR/repository; copy them to the web server as after any other action."""

WATCH_MORE = f"""\
examples:
  edgeagent publish rollout watch --broker broker.local
  edgeagent publish rollout watch --broker broker.local:8883 --tls --once --listen 60s    by a timer
  edgeagent publish rollout watch --store fleet-data --once     by what `edgeagent fleet ingest` has stored

It reads the retained messages `deployment`, `status`, `info`, `alarm` and `accuracy`, and `telemetry`, of
docs/mqtt.md. Rollouts of models, of configurations and of the agent (`publish agent rollout`) are watched;
conditions of the last two need --broker, as the store does not keep which devices have tried them.

{AFTER}"""


def watch_parser(above: str) -> argparse.ArgumentParser:
    """Return the parser of ``watch`` below the action with a name."""
    parser = argparse.ArgumentParser(prog=f"{above} watch")
    parser.description, parser.epilog = WATCH, WATCH_MORE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_broker(parser, required=False)
    parser.add_argument(
        "--store", metavar="ADDRESS", help="ask the store of `edgeagent fleet ingest` instead of a broker"
    )
    parser.add_argument(
        "--store-password-file", type=Path, metavar="FILE", help="file with the password of a server"
    )
    parser.add_argument(
        "--tenant", default="", metavar="PREFIX", help="topic prefix of the devices in the store; * for all"
    )
    parser.add_argument("--once", action="store_true", help="listen, check one time, and exit")
    parser.add_argument(
        "--listen", default="30s", metavar="TIME", help="time before the first check (default %(default)s)"
    )
    add_signing(parser)
    parser.set_defaults(run=run_watch)
    return parser


def run_watch(arguments: argparse.Namespace) -> int:
    """Sign the due steps of all rollouts."""
    check_folder(arguments.repository)
    if not any(plan.due or plan.halted for plan in read_steps(arguments.repository).plans):
        print("no rollout has a step left")
        return 0
    listen_s = duration_of("--listen", arguments.listen)
    if (arguments.broker is None) == (arguments.store is None):
        raise ConfigurationError("give --broker to listen to the fleet, or --store to ask its store")
    if arguments.store is None:
        with FleetListener(broker_of(arguments)) as listener:
            _watch(arguments, listener.judge, listen_s)
        return 0
    with _stored_judge(arguments) as judge:
        _watch(arguments, judge.judge, 0.0)
    return 0


@contextmanager
def _stored_judge(arguments: argparse.Namespace) -> Iterator[StoreJudge]:
    from edgeagent.fleet.rollouts.stored_fleet import StoreJudge
    from edgeagent.fleet.store.opening import open_shared

    store = open_shared(arguments.store, arguments.store_password_file)
    try:
        yield StoreJudge(store, arguments.tenant)
    finally:
        store.close()


def _watch(
    arguments: argparse.Namespace, judge: Callable[[Condition, Plan], ConditionResult], listen_s: float
) -> None:
    uris = read_config(arguments.repository).signers
    signers = Signers(uris, secrets_of(arguments), arguments.key)
    watcher = Watch(arguments.repository, judge, signers, _print)
    watcher.who = arguments.who
    watch(watcher, listen_s, once=arguments.once)


def _print(line: str) -> None:
    print(line)
    sys.stdout.flush()
