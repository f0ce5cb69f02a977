"""Stand-ins for the delegate library of an accelerator, compiled in the test; see ``standin_delegate.c``."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("standin_delegate.c")

STANDIN_MODES = (
    "accept",
    "refuse",
    "unprepared",
    "crash-on-load",
    "hang-on-load",
    "abort",
    "hang",
    "wrong",
    "nan",
    "error",
    "slow",
)
"""Values of the option ``mode``; abort, hang, wrong, nan and error take ``-after:N``, slow takes ``:MS``."""

CONV_2D, LOGISTIC, ANY = "3", "14", "any"
"""Values of the option ``only``: codes of the TFLite schema, or all; see the source for what is usual."""


def build_standin(folder: Path) -> str:
    """Compile the stand-in below a folder and return the path of its library; skip where there is no gcc."""
    return compile_library(folder / "libstandin.so", SOURCE.read_text(encoding="ascii"))


def build_other_library(folder: Path) -> str:
    """Compile a library that is no delegate: it has none of the symbols."""
    return compile_library(folder / "libother.so", "int nothing(void) { return 0; }\n")


def write_no_library(folder: Path) -> str:
    """Write a text file that is called like a library."""
    path = folder / "libtext.so"
    path.write_text("this is a text file\n", encoding="ascii")
    return str(path)


def compile_library(path: Path, source: str) -> str:
    """Compile C source as a shared library; skip where there is no gcc."""
    compiler = shutil.which("gcc")
    if compiler is None:
        if os.environ.get("CI"):
            pytest.fail("gcc is not installed; install the package gcc")
        pytest.skip("gcc is not installed (package gcc)")
    command = [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"]
    build = [*command, f"-I{SOURCE.parent}", "-x", "c", "-o", str(path), "-"]
    subprocess.run(build, input=source, text=True, check=True)
    return str(path)
