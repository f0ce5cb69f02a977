from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgeagent.qat.training.loading import LoadingPlan, plan_loading

MIB = 1 << 20


@pytest.mark.parametrize(
    ("free", "processes", "plan"),
    [
        (1024, 1, LoadingPlan(1, 4)),
        (64, 1, LoadingPlan(0, None)),  # a container without --shm-size
        (100, 1, LoadingPlan(1, 1)),
        (400, 2, LoadingPlan(1, 4)),
        (200, 2, LoadingPlan(1, 1)),
        (0, 1, LoadingPlan(0, None)),
    ],
)
def test_batches_are_loaded_ahead_where_shared_memory_holds_them(
    free: int, processes: int, plan: LoadingPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free * MIB))
    assert plan_loading(33 * MIB, processes, tmp_path) == plan


def test_without_shared_memory_the_training_process_loads(tmp_path: Path) -> None:
    assert plan_loading(MIB, 1, tmp_path / "missing") == LoadingPlan(0, None)
