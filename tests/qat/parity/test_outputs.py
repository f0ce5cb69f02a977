"""Outputs of an artefact against those of the trained network, in a real engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgeagent.bundle.golden import ReferenceOutputs
from edgeagent.bundle.manifest import InputSpec
from edgeagent.errors import DataError
from edgeagent.qat.export.exports import Exported, export
from edgeagent.qat.parity.outputs import LIMIT, reference_outputs, worst_difference
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_relu_net

SPEC = InputSpec(width=SIZE, height=SIZE, layout="nhwc", colour="bgr")
PICTURES = 4


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Exported, list[Path], ReferenceOutputs]:
    folder = tmp_path_factory.mktemp("outputs")
    random = np.random.default_rng(3)
    pictures = [folder / f"{number}.png" for number in range(PICTURES)]
    for path in pictures:
        cv2.imwrite(str(path), random.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
    network = calibrated(small_relu_net(folder / "m.onnx"))
    return export(network, folder, "onnx"), pictures, reference_outputs(network, SPEC, pictures)


def shifted(golden: ReferenceOutputs, pictures: Sequence[int], steps: float) -> ReferenceOutputs:
    """Return reference outputs of which those of some pictures are some steps off."""
    outputs = [
        tuple(
            (values + np.float32(steps * step) if number in pictures else values)
            for values, step in zip(answer, golden.steps, strict=True)
        )
        for number, answer in enumerate(golden.outputs)
    ]
    return replace(golden, outputs=tuple(outputs))


def test_one_picture_may_differ_more_than_all_on_average(
    checked: tuple[Exported, list[Path], ReferenceOutputs],
) -> None:
    artefact, pictures, golden = checked
    assert worst_difference(artefact, SPEC, pictures, golden) < 1
    worst = worst_difference(artefact, SPEC, pictures, shifted(golden, [1], 2 * LIMIT))
    assert worst == pytest.approx(2 * LIMIT, abs=1)


def test_an_artefact_that_differs_on_average_is_refused(
    checked: tuple[Exported, list[Path], ReferenceOutputs],
) -> None:
    artefact, pictures, golden = checked
    with pytest.raises(DataError, match=r"on 4 pictures it differs .* \(at most 6 are allowed\)"):
        worst_difference(artefact, SPEC, pictures, shifted(golden, range(PICTURES), LIMIT + 2))
