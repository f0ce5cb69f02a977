"""The command ``edgeagent board``: what is known of this board, and a configuration for it."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgeagent.cli.json_result import add_json_options, give_result
from edgeagent.doctor.board_profile import find_profile, load_profiles
from edgeagent.doctor.board_recognition import RecognizedBoard, describe_board, recognize_board
from edgeagent.doctor.profile_text import profile_configuration, profile_lines
from edgeagent.errors import EdgeagentError
from edgeagent.files.resources import included_configuration

DESCRIPTION = """\
Show the profile of this board: camera line, delegates in their expected order, power sensor, thermal limits,
packages and known traps (docs/boards.md). With --config print a configuration for it, ready to save: on a
machine without a profile the one with every key, for a camera at /dev/video0. Nothing is changed. Exit code
1: this machine has no profile to show.

examples:
  edgeagent board                                      the profile of this board
  edgeagent board --config > edgeagent.yaml            a configuration with its camera line
  edgeagent board --list                               all profiles
  edgeagent board --profile jetson-orin-nano           the profile of another board"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``board``."""
    parser = commands.add_parser(
        "board",
        help="what is known of this board, and a configuration for it",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", metavar="NAME", help="profile to show instead of this board's")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--config", action="store_true", help="print a configuration for the board")
    what.add_argument("--list", action="store_true", help="list all profiles")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="look at a copy of a board's /sys, /proc, /dev (default: this machine)",
    )
    add_json_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the profile of the board."""
    if arguments.list:
        titles = {profile.name: profile.title for profile in load_profiles().values()}
        for name, title in titles.items():
            print(f"{name:<18}{title}")
        give_result(arguments, {"profiles": titles})
        return 0
    board = _board(arguments)
    if board is None:
        return _without_profile(arguments)
    give_result(arguments, _plain(board))
    if arguments.config:
        print(profile_configuration(board), end="")
    else:
        for line in profile_lines(board):
            print(line)
    return 0


def _board(arguments: argparse.Namespace) -> RecognizedBoard | None:
    if arguments.profile:
        return describe_board(find_profile(arguments.profile), arguments.root)
    return recognize_board(arguments.root)


def _without_profile(arguments: argparse.Namespace) -> int:
    if not arguments.config:
        raise EdgeagentError(
            "this machine has no board profile, and needs none: `edgeagent board --config` prints a "
            "configuration with every key (`edgeagent board --list` names the boards that have a profile)"
        )
    configuration = included_configuration().read_text(encoding="utf-8")
    give_result(arguments, {"profile": None, "configuration": configuration})
    print(configuration, end="")
    return 0


def _plain(board: RecognizedBoard) -> dict[str, object]:
    return {
        "profile": board.profile.model_dump(mode="json"),
        "system": board.system.model_dump(mode="json") if board.system else None,
        "accelerators": [one.model_dump(mode="json") for one in board.accelerators],
        "delegates": list(board.delegates),
        "configuration": profile_configuration(board),
    }
