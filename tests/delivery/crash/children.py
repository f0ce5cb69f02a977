"""Processes that may die, forked from one that has imported everything already."""

from __future__ import annotations

import multiprocessing
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

KILLED, WRONG = -9, 4
CHILD_S = 120.0
FORKS = multiprocessing.get_context("forkserver")
PRELOADED = ["onnxruntime", *(f"tests.{name}" for name in ("delivery.crash.device", "delivery.crash.after"))]
FORKS.set_forkserver_preload(
    [
        *PRELOADED,
        "tests.provisioning.crash",
        "tests.delivery.agent.crash.campaign",
        "tests.delivery.configuration.crash.after",
    ]
)


def in_child(
    folder: Path, task: Callable[..., object], *arguments: object, kill_after_s: float | None = None
) -> int:
    """Run something in a process of its own and return its exit status.

    Args:
        folder: for what it raises; see :func:`why`.
        task: what to run; it and its arguments can be pickled.
        arguments: of the task.
        kill_after_s: when to kill it; None waits for its end.
    """
    process = FORKS.Process(target=_explained, args=(folder, task, arguments))
    process.start()
    process.join(CHILD_S if kill_after_s is None else kill_after_s)
    if process.is_alive():
        process.kill()
        process.join()
    code = process.exitcode
    process.close()
    return WRONG if code is None else code


def why(folder: Path) -> str:
    """Return why the last child of a folder failed."""
    reason = folder / "why"
    return reason.read_text().strip() if reason.exists() else "it was killed, or it hangs"


def _explained(folder: Path, task: Callable[..., object], arguments: Sequence[object]) -> None:
    try:
        task(*arguments)
    except Exception:  # noqa: BLE001  (told by the parent)
        (folder / "why").write_text(traceback.format_exc())
        sys.exit(WRONG)
