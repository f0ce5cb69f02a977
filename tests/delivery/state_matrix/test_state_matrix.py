"""Two cells of the matrix, with ``make system-test``; ``make crash-test`` tries all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.delivery.state_matrix.cells import Matrix, matrix
from tests.delivery.state_matrix.faults import Moment
from tests.long import LONG


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with matrix(tmp_path_factory.mktemp("matrix")) as shared:
        yield shared


@LONG
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "moment"), [("clock a year behind", "trial"), ("state full", "kill")])
def test_a_cell(tried: Matrix, name: str, moment: Moment) -> None:
    tried.try_cell(name, moment)
