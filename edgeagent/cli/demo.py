"""``edgeagent demo``: the main job on a sample clip, for a look."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from edgeagent.errors import ConfigurationError
from edgeagent.files.result import write_result

DESCRIPTION = """\
Run the daemon on a sample clip with the default bundle and a broker inside this program. Shows a live table,
writes an annotated clip and prints a summary."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demo``."""
    parser = commands.add_parser("demo", help="the main job on a sample clip", description=DESCRIPTION)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long (default %(default)g)")
    parser.add_argument("--source", help="another clip or camera, as in the configuration")
    parser.add_argument("--bundle", type=Path, help="another bundle")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="where the clip goes (%(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the summary here too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and print its summary."""
    if not arguments.seconds > 0:  # so that not-a-number is refused too
        raise ConfigurationError(f"--seconds: expected a positive number, got {arguments.seconds:g}")
    try:
        from edgeagent.demo.session import run_demo
    except ImportError as error:
        raise ConfigurationError(
            f"the demo needs more packages ({error}); pip install 'edgeagent[demo]'"
        ) from error
    if not arguments.verbose:
        logging.getLogger().setLevel(logging.WARNING)  # the live table shows it better
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
    result = run_demo(arguments.seconds, arguments.out, arguments.bundle, arguments.source)
    print(json.dumps(result, indent=2))
    if arguments.json:
        write_result(arguments.json, result)
    return 0
