"""Command line: one module per command, each with add_parser and run; the only package with argparse.

``run`` is the daemon, ``demo`` the daemon on a sample clip, ``replay`` the events of a clip, ``doctor`` the
examination of a board, ``board`` its profile, ``cameras`` the search for cameras, ``status`` the state of
delivery, ``reload`` and ``live`` changes of the running configuration (``live_source`` reads it at the
start), ``bench`` the benchmark, ``eval`` the mAP of a model, ``bundle`` the check of a bundle, ``frames``
the export of hard frames, ``serve_detector`` a detector for Frigate and others, ``completion`` the scripts
for shells, ``json_result`` their ``--json``, ``qat_*`` the quantization commands, ``publish_*`` the
repository commands, ``provision`` the first configuration of boards, ``fleet_*`` the consumer of the
telemetry of many devices, ``broker_options`` the connection of such consumers.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 bundle refused, 4 engine, 5 camera, 6
pictures, labels or float model, 7 delivery, 8 rollout halted, 9 store of the fleet; see
:mod:`edgeagent.errors`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from edgeagent.cli.json_result import check_json_file, text_on_stderr
from edgeagent.errors import ConfigurationError, EdgeagentError
from edgeagent.files.journal import leads_to_journal, log_uncaught_exceptions, with_priority
from edgeagent.files.log_format import LogFormatter
from edgeagent.files.naming import escape_controls
from edgeagent.files.standard_streams import open_closed_streams
from edgeagent.version import __version__

COMMANDS = (
    "run",
    "demo",
    "replay",
    "doctor",
    "board",
    "cameras",
    "status",
    "reload",
    "live",
    "bench",
    "eval",
    "frames",
    "qat",
    "bundle",
    "publish",
    "provision",
    "fleet",
    "serve-detector",
    "completion",
)
"""Names of the commands; that of a module has "_" for "-". Only the one that is asked for is imported."""

FIRST_STEPS = """\
first steps:
  edgeagent demo                               detect on a sample clip and show the telemetry
  edgeagent doctor                             examine this board and recommend actions
  edgeagent board --config > edgeagent.yaml    write a configuration for this board
  edgeagent run -c edgeagent.yaml --check      show what would run; without --check, run it
  edgeagent status                             show the models of the installed service
"""

EPILOG = f"""\
{FIRST_STEPS}
more:
  edgeagent cameras find                       list cameras of this machine and of the network
  edgeagent reload                             make the service read its configuration again
  edgeagent live show                          show live changes of the configuration
  edgeagent bench                              measure every delegate of this machine
  edgeagent qat train --help                   make an INT8 bundle from a float ONNX detector
  edgeagent publish --help                     publish signed bundles to devices
  edgeagent provision --help                   give boards their configuration from one table
  edgeagent fleet --help                       store and query the telemetry of many devices
  edgeagent completion bash                    complete commands and options in a shell
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    open_closed_streams()
    given = sys.argv[1:] if argv is None else list(argv)
    parser = _parser(given)
    arguments = parser.parse_args(given)
    for stream in (sys.stdout, sys.stderr):  # file names may contain bytes that are not valid UTF-8
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    handler = logging.StreamHandler(sys.stderr)
    journal = leads_to_journal(sys.stderr)
    handler.setFormatter(LogFormatter(journal))
    if journal:
        log_uncaught_exceptions()
    logging.basicConfig(level=logging.DEBUG if arguments.verbose else logging.INFO, handlers=[handler])
    if not arguments.verbose:
        logging.getLogger("tuf").setLevel(logging.WARNING)  # logs every key without a signature
    logging.getLogger("urllib3").setLevel(logging.INFO)  # its debug messages hold the queries of URLs
    try:
        check_json_file(arguments)
        with text_on_stderr(arguments):
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
    lines = "edgeagent: " + "\n".join(map(escape_controls, text.split("\n")))
    print(with_priority(lines, logging.ERROR) if leads_to_journal(sys.stderr) else lines, file=sys.stderr)


def _finish_output() -> None:
    """Flush standard output; a full disk or a closed pipe is reported once as an error."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  (a device, not a file)
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # the interpreter flushes again at exit
        raise EdgeagentError(f"the output cannot be written ({error.strerror})") from error


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the command that is asked for; of all where none is, and for completion."""
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="edgeagent",
        description="INT8 detectors on edge boards: training, a detection daemon, telemetry over MQTT.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edgeagent {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log debug messages")
    parser.set_defaults(run=_show_first_steps, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    one = asked is not None and asked in COMMANDS and asked != "completion"
    for name in (str(asked),) if one else COMMANDS:
        import_module(f"edgeagent.cli.{name.replace('-', '_')}").add_parser(commands)
    return parser


def _show_first_steps(arguments: argparse.Namespace) -> int:
    """Show what to type instead of nothing; the exit code is that of wrong usage."""
    print(f"edgeagent: no command given\n\n{FIRST_STEPS}\nall commands: edgeagent --help", file=sys.stderr)
    return ConfigurationError.exit_code
