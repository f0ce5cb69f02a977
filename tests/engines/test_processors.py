"""Quotas of control groups, on trees of files as the kernel shows them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeagent.engines import loading
from edgeagent.engines.processors import available_processors, processor_flags


@pytest.fixture(autouse=True)
def _eight_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


V1 = "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n"


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9999999 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{'9' * 400} 0\n"}, 8),
        (
            {
                "proc/self/cgroup": "0::/a.slice/b.service\n",
                "sys/fs/cgroup/a.slice/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/a.slice/b.service/cpu.max": "max 100000\n",
            },
            3,
        ),
        ({"proc/self/cgroup": "0::/../../other\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            1,
        ),
    ],
)
def test_the_quota_bounds_the_processors(tmp_path: Path, files: dict[str, str], processors: int) -> None:
    assert available_processors(tree(tmp_path, files)) == processors


def test_the_quota_bounds_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "available_processors", lambda: 2)
    assert loading.thread_choices() == [1, 2]
    assert loading.default_threads() == 1


@pytest.mark.parametrize(
    ("content", "flags"),
    [
        (
            "processor\t: 0\nflags\t\t: fpu AVX2 avx512_bf16\n\nflags\t: other\n",
            {"fpu", "avx2", "avx512_bf16"},
        ),
        ("processor : 0\nFeatures : fp asimd asimdhp\n", {"fp", "asimd", "asimdhp"}),
        ("processor : 0\n", set()),
    ],
)
def test_flags_of_the_processor(tmp_path: Path, content: str, flags: set[str]) -> None:
    assert processor_flags(tree(tmp_path, {"proc/cpuinfo": content})) == flags


def test_flags_that_cannot_be_read(tmp_path: Path) -> None:
    assert processor_flags(tmp_path) == frozenset()
