"""Machines for the tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.debian_tree import cache_folder
from tests.system.machine import Machine
from tests.system.package import installed
from tests.system.requirements import asked_for, need_machines

NewMachine = Callable[..., Machine]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let these tests run as long as their own limits allow."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(autouse=True)
def _asked_for() -> None:
    asked_for()


@pytest.fixture
def full() -> None:
    """Leave a test that takes many minutes out of the short form."""
    if asked_for() != "full":
        pytest.skip("takes many minutes: EDGEAGENT_SYSTEM=full")


@pytest.fixture
def new_machine() -> Iterator[NewMachine]:
    """Return a maker of machines with the package installed, which takes options of systemd-nspawn."""
    need_machines()
    runs = cache_folder() / "runs" / str(os.getpid())
    made: list[Machine] = []

    def make(*options: str, system: str = "debian12") -> Machine:
        machine = Machine(installed("amd64", system), runs / f"{len(made)}", options)
        made.append(machine)
        return machine

    yield make
    for machine in made:
        machine.close()


@pytest.fixture
def machine(new_machine: NewMachine) -> Machine:
    """Return one machine, not yet booted."""
    return new_machine()


@pytest.fixture(scope="session", autouse=True)
def _no_leftovers() -> Iterator[None]:
    """Remove what machines of this run, and of runs that were killed, have left; nothing is mounted there."""
    yield
    for run in (cache_folder() / "runs").glob("*"):
        if run.name == str(os.getpid()) or not Path("/proc", run.name).exists():
            shutil.rmtree(run, ignore_errors=True)
