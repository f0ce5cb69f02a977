"""``edgeagent fleet simulate``: messages of devices that are not there."""

from __future__ import annotations

import argparse
import logging
import signal

from edgeagent.cli.broker_options import add_broker, broker_of
from edgeagent.errors import ConfigurationError

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Publish the messages of devices that are not there: those of the contract, built by the types of the device,
with histograms of drawn durations. SIGTERM and SIGINT end it. Guide: docs/fleet.md

examples:
  edgeagent fleet simulate --broker 127.0.0.1 --devices 200
  edgeagent fleet simulate --broker 127.0.0.1 --devices 1000 --rate 500 --seconds 60 --faults all=1%
  edgeagent fleet simulate --broker 127.0.0.1 --devices 50 --update 2.0.0 --regression p99=1.5,accuracy=-0.03

faults, each a share: duplicates, lost, late, poison, forged, newer, restarts (of the messages), clock (of the
devices: 1970 or 2100)."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``simulate``."""
    parser = commands.add_parser(
        "simulate",
        help="publish the messages of devices that are not there",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_broker(parser)
    parser.add_argument("--devices", type=int, default=10, metavar="N", help="number (default %(default)s)")
    parser.add_argument(
        "--rate",
        type=float,
        metavar="R",
        help="telemetry messages of all devices in a second (default: one a device every --interval)",
    )
    parser.add_argument(
        "--interval",
        type=float,
        default=10.0,
        metavar="S",
        help="seconds that a message of telemetry covers (default %(default)s)",
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="length (default: until a signal)")
    parser.add_argument("--messages", type=int, metavar="N", help="end after so many messages of telemetry")
    parser.add_argument("--connections", type=int, default=4, metavar="N", help="(default %(default)s)")
    parser.add_argument("--prefix", default="sim-", help="of the names of devices (default %(default)s)")
    parser.add_argument("--tenant", help="first level of the topics")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of what is drawn (default 1)")
    parser.add_argument("--faults", default="", metavar="NAME=SHARE,...", help="what goes wrong, see above")
    parser.add_argument("--update", metavar="VERSION", help="version of the model that devices change to")
    parser.add_argument(
        "--update-share",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="of the devices (default %(default)s)",
    )
    parser.add_argument(
        "--update-after",
        type=int,
        default=30,
        metavar="N",
        help="telemetry messages before (default %(default)s)",
    )
    parser.add_argument(
        "--regression",
        default="",
        metavar="NAME=VALUE,...",
        help="of the new version: factors latency, p99 and energy, and accuracy as a difference of mAP",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Publish until the end or a signal."""
    from edgeagent.fleet.simulator.faults import parse_faults
    from edgeagent.fleet.simulator.fleet import FleetSimulator, Simulation
    from edgeagent.fleet.simulator.regression import regressed

    for name in ("devices", "connections", "interval"):
        if getattr(arguments, name) <= 0:
            raise ConfigurationError(f"--{name}: expected more than 0")
    if arguments.rate is not None and arguments.rate <= 0:
        raise ConfigurationError("--rate: expected more than 0")
    if arguments.regression and arguments.update is None:
        raise ConfigurationError("--regression goes with --update VERSION")
    simulation = Simulation(
        devices=arguments.devices,
        rate=arguments.rate,
        interval_s=arguments.interval,
        seconds=arguments.seconds,
        messages=arguments.messages,
        seed=arguments.seed,
        connections=min(arguments.connections, arguments.devices),
        prefix=arguments.prefix,
        tenant=arguments.tenant,
        faults=parse_faults(arguments.faults),
        update=regressed(arguments.update, arguments.regression) if arguments.update else None,
        update_share=arguments.update_share,
        update_after=arguments.update_after,
    )
    simulator = FleetSimulator(simulation, broker_of(arguments))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: simulator.stop())
    simulator.run(lambda: logger.info("%d devices are connected; %s", arguments.devices, _end(arguments)))
    sent = ", ".join(f"{count} {name}" for name, count in sorted(simulator.counts.items()))
    print(f"{arguments.devices} devices have published: {sent}")
    return 0


def _end(arguments: argparse.Namespace) -> str:
    """Return in words when the simulation ends."""
    ends = []
    if arguments.seconds is not None:
        ends.append(f"for {arguments.seconds:g} s")
    if arguments.messages is not None:
        ends.append(f"until {arguments.messages} messages of telemetry are sent")
    return f"they publish {' or '.join(ends) or 'until Ctrl-C'}"
