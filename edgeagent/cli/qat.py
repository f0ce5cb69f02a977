"""``edgeagent qat``: INT8 bundles by quantization-aware training, and tools to inspect them."""

from __future__ import annotations

import argparse

from edgeagent.cli import qat_compile, qat_describe, qat_lint, qat_report, qat_sensitivity, qat_train


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``qat`` and its actions."""
    parser = commands.add_parser("qat", help="make an INT8 bundle by quantization-aware training")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    qat_describe.add_parser(actions)
    qat_train.add_parser(actions)
    qat_sensitivity.add_parser(actions)
    qat_lint.add_parser(actions)
    qat_compile.add_parser(actions)
    qat_report.add_parser(actions)
