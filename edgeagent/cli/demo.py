"""The command ``edgeagent demo``: the daemon on a sample clip."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.errors import ConfigurationError
from edgeagent.files.naming import printable

DESCRIPTION = """\
Run the daemon on a sample clip with the default bundle and an embedded broker. Shows a live table,
writes an annotated clip and prints a summary.

examples:
  edgeagent demo                                 the sample clip for 20 seconds
  edgeagent demo --source /dev/video0 --seconds 60
  edgeagent demo --json > summary.json"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``demo``."""
    parser = commands.add_parser(
        "demo",
        help="run the daemon on a sample clip",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="duration in seconds (default %(default)g)"
    )
    parser.add_argument(
        "--source", help="another clip or camera, as in the configuration (default: the sample clip)"
    )
    parser.add_argument(
        "--bundle", type=Path, help="bundle, or name of an included one (default: coco-small)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="output folder of the clip and the summary (default %(default)s)",
    )
    add_json_options(parser, file=True)
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
    for line in _lines(result, arguments.out):
        print(line)
    give_result(arguments, result)
    return 0


def _lines(result: dict[str, Any], folder: Path) -> Iterator[str]:
    found = ", ".join(f"{label} {count}" for label, count in result["detections"].items())
    yield f"{result['frames']} frames in {result['seconds']:g} s ({result['fps']:g} frames/s)"
    yield f"engine: {result['engine']}"
    yield f"detections: {found or 'none'}"
    yield f"telemetry: {result['telemetry_messages']} messages"
    yield f"clip: {printable(Path(result['clip']))}"
    yield f"summary: {printable(folder / 'summary.json')}"
