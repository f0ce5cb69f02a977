"""Command line: one module per command, each with add_parser and run; the only package with argparse.

``run`` is the daemon, ``demo`` the daemon on a sample clip, ``doctor`` the examination of a board, ``status``
the state of delivery, ``bench`` the benchmark, ``eval`` the mAP of a model, ``bundle`` the check of a bundle,
``qat_*`` the quantization commands, ``publish_*`` the repository commands.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 bundle refused, 4 engine, 5 camera, 6
pictures, labels or float model, 7 delivery, 8 rollout halted; see :mod:`edgeagent.errors`.
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
from edgeagent.files.log_format import LogFormatter
from edgeagent.files.naming import escape_controls
from edgeagent.version import __version__

EPILOG = """\
first steps:
  edgeagent demo                                 detect on a sample clip and show the telemetry
  edgeagent doctor                               examine this board and recommend actions
  edgeagent run -c /etc/edgeagent/edgeagent.yaml run the daemon, as the systemd unit does
  edgeagent bench                                measure every delegate of this machine
  edgeagent qat train --help                     make an INT8 bundle from a float ONNX detector
  edgeagent publish --help                       publish signed bundles to devices
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):  # file names may contain bytes that are not valid UTF-8
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter())
    logging.basicConfig(level=logging.DEBUG if arguments.verbose else logging.INFO, handlers=[handler])
    if not arguments.verbose:
        logging.getLogger("tuf").setLevel(logging.WARNING)  # logs every key without a signature
    logging.getLogger("urllib3").setLevel(logging.INFO)  # its debug messages hold the queries of URLs
    try:
        code: int = arguments.run(arguments)
        _finish_output()
    except EdgeagentError as error:
        _print_error(str(error))
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _print_error(f"{where}{error.strerror or str(error) or type(error).__name__}")
        with contextlib.suppress(EdgeagentError):
            _finish_output()
        return EdgeagentError.exit_code
    except KeyboardInterrupt:
        print("edgeagent: interrupted", file=sys.stderr)
        return 130
    return code


def _print_error(text: str) -> None:
    """Print an error; it may have several lines, but no other control characters."""
    print("edgeagent: " + "\n".join(map(escape_controls, text.split("\n"))), file=sys.stderr)


def _finish_output() -> None:
    """Flush standard output; a full disk or a closed pipe is reported once as an error."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  (a device, not a file)
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # the interpreter flushes again at exit
        raise EdgeagentError(f"the output cannot be written ({error.strerror})") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgeagent",
        description="INT8 detectors on edge boards: training, a detection daemon, telemetry over MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edgeagent {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log debug messages")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (run, demo, doctor, status, bench, eval_command, qat, bundle, publish):
        command.add_parser(commands)
    return parser
