"""The command ``edgeagent demo``: the daemon on a sample clip."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.files.result import write_result

DESCRIPTION = """\
Run the daemon on a sample clip with the default bundle and an embedded broker. Shows a live table,
writes an annotated clip and prints a summary."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demo``."""
    parser = commands.add_parser("demo", help="run the daemon on a sample clip", description=DESCRIPTION)
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="duration in seconds (default %(default)g)"
    )
    parser.add_argument(
        "--source", help="another clip or camera, as in the configuration (default: the sample clip)"
    )
    parser.add_argument("--bundle", type=Path, help="bundle, or name of an included one (default: coco-nano)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="output folder of the clip and the summary (default %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the summary to FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and print its summary."""
    if not arguments.seconds > 0:  # refuses NaN too
        raise ConfigurationError(f"--seconds: expected a positive number, got {arguments.seconds:g}")
    try:
        from edgeagent.demo.session import run_demo
    except ImportError as error:
        raise ConfigurationError(
            f"the demo needs more packages ({error}); pip install 'edgeagent[demo]'"
        ) from error
    if not arguments.verbose:
        logging.getLogger().setLevel(logging.WARNING)  # the live table replaces the log
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
    result = run_demo(arguments.seconds, arguments.out, arguments.bundle, arguments.source)
    print(json.dumps(result, indent=2))
    if arguments.json:
        write_result(arguments.json, result)
    return 0
