"""Pairs are those of a best assignment."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from edgeagent.track.assignment import largest_assignment, pair_up


def random_matrix(number: int, most: int) -> Any:
    """Return a matrix of similarities: dense, with ties, or with few entries."""
    rng = np.random.default_rng(number)
    matrix = rng.random(rng.integers(0, most, 2))
    if number % 3 == 0:
        return np.round(matrix * 4) / 4
    if number % 3 == 1:
        matrix[rng.random(matrix.shape) < 0.7] = 0
    return matrix


def best_total(gains: Any) -> float:
    """Return the greatest total by trying everything."""
    if gains.shape[0] > gains.shape[1]:
        gains = gains.T
    rows = range(gains.shape[0])
    return max(
        float(sum(gains[row, column] for row, column in zip(rows, columns, strict=True)))
        for columns in itertools.permutations(range(gains.shape[1]), len(rows))
    )


def check_pairs(matrix: Any, least: float, total: float) -> None:
    rows, columns = pair_up(matrix, least)
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)
    assert (matrix[rows, columns] > least).all()
    assert (matrix[rows, columns] - least).sum() == pytest.approx(total)


@pytest.mark.parametrize("number", range(60))
def test_small_matrices_have_the_best_of_all_assignments(number: int) -> None:
    matrix = random_matrix(number, 6)
    check_pairs(matrix, 0.3, best_total(np.maximum(matrix - 0.3, 0)))


@pytest.mark.parametrize("number", range(60))
def test_large_matrices_have_the_total_of_scipy(number: int) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    matrix = random_matrix(number, 60)
    gains = np.maximum(matrix - 0.3, 0)
    expected = gains[optimize.linear_sum_assignment(gains, maximize=True)].sum()
    check_pairs(matrix, 0.3, expected)
    rows, columns = largest_assignment(gains)
    assert len(set(rows.tolist())) == len(set(columns.tolist())) == min(gains.shape)
    assert gains[rows, columns].sum() == pytest.approx(expected)


def test_the_obvious_is_not_the_greedy() -> None:
    rows, columns = pair_up(np.array([[0.9, 0.8], [0.8, 0.0]]), 0.1)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_equal_similarities_are_paired_in_one_way_only() -> None:
    matrix = np.full((5, 5), 0.5, np.float32)
    first = [column.tolist() for column in pair_up(matrix, 0.1)]
    assert first == [column.tolist() for column in pair_up(matrix.copy(), 0.1)]
    assert sorted(first[0]) == sorted(first[1]) == list(range(5))


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_without_rows_or_columns_there_are_no_pairs(shape: tuple[int, int]) -> None:
    rows, columns = pair_up(np.zeros(shape, np.float32), 0.1)
    assert rows.size == columns.size == 0
