"""Parser of a command below another one, whose description keeps its lines."""

from __future__ import annotations

import argparse


def add_subcommand(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str, description: str
) -> argparse.ArgumentParser:
    """Add a command, and return its parser.

    Args:
        commands: commands beside it.
        name: of the command.
        text: its line in the list of commands.
        description: above its own options, with examples.
    """
    return commands.add_parser(
        name,
        help=text,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
