"""Plots of a report."""

from __future__ import annotations

from edgeagent.bundle.evidence import SensitivityRecord
from edgeagent.qat.report.plots import plot_sensitivity, sensitivity_remark


def records(*errors: float) -> list[SensitivityRecord]:
    return [SensitivityRecord(node=f"node_{n}", error=error) for n, error in enumerate(errors)]


def test_nodes_that_add_no_error_have_no_bar_and_are_counted() -> None:
    nodes = records(0.3, -0.02, 0.1, 0.0)
    plot = plot_sensitivity(nodes)
    assert [name in plot for name in ("node_0", "node_1", "node_2", "node_3")] == [True, False, True, False]
    remark = sensitivity_remark(nodes)
    assert remark.startswith(
        "The 2 worst of 4 nodes. Quantizing 2 nodes adds no error (lowest difference -0.02)"
    )


def test_without_negative_differences_nothing_is_remarked() -> None:
    assert sensitivity_remark(records(0.3, 0.1)) == "The 2 worst of 2 nodes."


def test_a_plot_without_bars() -> None:
    assert "<svg" in plot_sensitivity(records(-0.1, -0.2))
