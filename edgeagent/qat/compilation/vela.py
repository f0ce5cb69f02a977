"""Vela, Arm's compiler for Ethos-U (Apache-2.0): pip install ethos-u-vela, in an environment of its own.

It replaces the operators that the accelerator runs by one custom operator, and leaves the others to the
processor. What is read from it: the numbers of operators and the reasons in what it prints, and
``<model>_summary_<system>.csv`` (documentation of Vela, "PERFORMANCE.md"). Its cycles are estimates by its
model of the chip, with a given memory bandwidth.
"""

from __future__ import annotations

import csv
import math
import re
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from edgeagent.bundle.evidence import CompilationRecord, LeftOperator
from edgeagent.errors import ConfigurationError, DataError
from edgeagent.qat.compilation.tool import MOST_LEFT, find_tool, run_tool, told_text

TARGET = re.compile(r"ethos-u(55|65|85)-\d{2,4}")
INSTALL = "install it in an environment of its own (python3 -m venv vela; vela/bin/pip install ethos-u-vela)"
_COUNT = re.compile(r"^(CPU|NPU) operators = (\d{1,9})\b", re.MULTILINE)
_LEFT = re.compile(
    r"^Warning \(supported operators\) operator: (\w+), ofm: '([^'\n]*)'\s*\nReason: ([^\n]*)", re.MULTILINE
)


def check_ethos_u(target: str) -> None:
    """Check the name of a target.

    Raises:
        ConfigurationError: it is none of Vela's form.
    """
    if TARGET.fullmatch(target) is None:
        raise ConfigurationError(f"{target}: is no Ethos-U; expected such as ethos-u65-256 or ethos-u55-128")


def compile_for_ethos_u(
    model: Path, target: str, result: Path, program: Path | None = None, system: Path | None = None
) -> CompilationRecord:
    """Compile a full-integer TFLite file.

    Args:
        model: to compile.
        target: accelerator configuration of Vela, such as ``ethos-u65-256`` (NXP i.MX 93).
        result: file to write.
        program: of Vela; None searches the PATH.
        system: configuration file of Vela with the memories of the board; None for Vela's defaults.

    Raises:
        ConfigurationError: Vela is not there, or the target is none of Vela's form.
        DataError: Vela failed, hung, wrote nothing, or gave the accelerator nothing to do.
    """
    check_ethos_u(target)
    vela = find_tool("vela", program, INSTALL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = folder / f"{model.stem}_vela.tflite"
        options = ["--accelerator-config", target, "--output-dir", name]
        options += [] if system is None else ["--config", str(system.resolve())]
        version = run_tool([str(vela), "--version"], folder, model).strip()
        printed = run_tool([str(vela), *options, str(model.resolve())], folder, written)
        counts = {place: int(number) for place, number in _COUNT.findall(printed)}
        if not counts.get("NPU"):
            raise DataError(f"{model}: Vela leaves every operator to the processor; is it full integer?")
        summary = _summary(folder)
        result.write_bytes(written.read_bytes())
    seconds = _number(summary, "inference_time")
    assumed = [summary[column] for column in ("system_config", "memory_mode") if summary.get(column)]
    return CompilationRecord(
        file=result.name,
        target=target,
        compiler=told_text(f"Vela {version}"),
        on_accelerator=counts["NPU"],
        on_processor=counts.get("CPU", 0),
        left=tuple(
            LeftOperator(operator=told_text(kind), tensor=told_text(tensor), reason=told_text(reason))
            for kind, tensor, reason in islice(_left(printed), MOST_LEFT)
        ),
        estimated_cycles=_whole(_number(summary, "cycles_total")),
        estimated_ms=None if seconds is None else seconds * 1000,
        assumed=told_text(" ".join(assumed)) if assumed else None,
    )


def _left(printed: str) -> Iterator[tuple[str, str, str]]:
    for found in _LEFT.finditer(printed):
        yield found[1], found[2], found[3]


def _summary(folder: Path) -> dict[str, str]:
    """Return the last row of the summary; empty without one that can be read."""
    rows: list[dict[str, str]] = []
    for path in folder.glob("*_summary_*.csv"):
        try:
            with path.open(newline="", encoding="utf-8", errors="replace") as file:
                rows += csv.DictReader(file)
        except (OSError, csv.Error):
            continue
    return rows[-1] if rows else {}


def _number(summary: dict[str, str], column: str) -> float | None:
    """Return a number from 0; None where there is none."""
    try:
        number = float(summary[column])
    except (KeyError, ValueError, TypeError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
