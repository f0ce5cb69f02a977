"""The command line: one module per command, each with ``add_parser`` and ``run``.

Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 bundle refused, 4 engine, 5 camera, 6 pictures,
labels or float model, 7 delivery, 8 a rollout is halted; see :mod:`edgeagent.errors`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence

from edgeagent.cli import bench, bundle, demo, doctor, publish, qat, run, status
from edgeagent.cli import eval as eval_command
from edgeagent.errors import EdgeagentError
from edgeagent.version import __version__

EPILOG = """\
first steps:
  edgeagent demo                                 detect on the sample clip, watch the telemetry
  edgeagent doctor                               what this board has, what is wrong, what to do
  edgeagent run -c /etc/edgeagent/edgeagent.yaml the daemon, as the systemd unit starts it
  edgeagent bench                                which engine is fastest and right on this machine
  edgeagent qat train --help                     make an INT8 bundle from a float ONNX detector
  edgeagent publish --help                       ship bundles to devices, signed
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):  # a file name may hold bytes that are not UTF-8
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    logging.basicConfig(
        level=logging.DEBUG if arguments.verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    if not arguments.verbose:
        logging.getLogger("tuf").setLevel(logging.WARNING)  # it tells of every key that has not signed
    try:
        code: int = arguments.run(arguments)
        _finish_output()
    except EdgeagentError as error:
        print(f"edgeagent: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"edgeagent: {where}{error.strerror or error}", file=sys.stderr)
        with contextlib.suppress(EdgeagentError):
            _finish_output()
        return EdgeagentError.exit_code
    except KeyboardInterrupt:
        print("edgeagent: interrupted", file=sys.stderr)
        return 130
    return code


def _finish_output() -> None:
    """Write what is still buffered: a full disk or a closed pipe is an error, told once."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  (a device, not a file)
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # the interpreter tries again at its end
        raise EdgeagentError(f"the output cannot be written ({error.strerror})") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgeagent",
        description="INT8 detectors on edge boards: training, a detection daemon, telemetry over MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edgeagent {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log what happens in detail")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (run, demo, doctor, status, bench, eval_command, qat, bundle, publish):
        command.add_parser(commands)
    return parser
