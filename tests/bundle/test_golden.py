from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeagent.bundle.golden import (
    ReferenceOutputs,
    compare_outputs,
    load_reference_outputs,
    save_reference_outputs,
)
from edgeagent.errors import BundleError

RANDOM = np.random.default_rng(1)


def tensor(*shape: int) -> Any:
    return RANDOM.normal(size=shape).astype(np.float32)


@pytest.fixture
def golden() -> ReferenceOutputs:
    pictures = tuple((tensor(1, 4, 2, 3), tensor(1, 80, 2, 3)) for _ in range(11))
    return ReferenceOutputs(pictures, (0.25, 0.00390625))


def test_round_trip(tmp_path: Path, golden: ReferenceOutputs) -> None:
    save_reference_outputs(tmp_path / "g.npz", golden)
    again = load_reference_outputs(tmp_path / "g.npz")
    assert again.steps == golden.steps
    assert len(again.outputs) == 11
    for one, other in zip(again.outputs, golden.outputs, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_difference_is_counted_in_steps(golden: ReferenceOutputs) -> None:
    reference = golden.outputs[0]
    measured = [reference[0] + np.float32(0.5), reference[1].copy()]
    assert compare_outputs(reference, reference, golden.steps) == [0.0, 0.0]
    assert compare_outputs(reference, measured, golden.steps) == [pytest.approx(2.0, rel=1e-5), 0.0]
    measured[1][0, 0, 0, 0] = np.nan
    assert compare_outputs(reference, measured, golden.steps)[1] == float("inf")


def test_channels_may_be_first_or_last(golden: ReferenceOutputs) -> None:
    first = golden.outputs[0]
    last = [np.ascontiguousarray(array.transpose(0, 2, 3, 1)) for array in first]
    assert compare_outputs(first, last, golden.steps) == [0.0, 0.0]
    assert compare_outputs(last, first, golden.steps) == [0.0, 0.0]


def test_shapes_and_numbers_of_outputs_must_fit(golden: ReferenceOutputs) -> None:
    first = golden.outputs[0]
    with pytest.raises(BundleError, match="do not match the reference outputs"):
        compare_outputs(first, first[:1], golden.steps)
    with pytest.raises(BundleError, match="do not match the reference outputs"):
        compare_outputs(first, [first[0], tensor(1, 79, 2, 3)], golden.steps)
    with pytest.raises(BundleError, match="do not match the reference outputs"):
        compare_outputs([tensor(1, 40, 7)], [tensor(1, 7, 40)], (1.0,))


def test_pickles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    steps = np.ones(1, np.float32)
    np.savez(path, **{"steps": steps, "0/0": np.array([{"evil": 1}], object)})  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="allow_pickle=False"):
        load_reference_outputs(path)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"steps": np.ones(1, np.float32)},
        {"0/0": tensor(2)},
        {"steps": np.ones(2, np.float32), "0/0": tensor(2)},
        {"steps": np.ones(1, np.float32), "0/1": tensor(2)},
        {"steps": np.ones(1, np.float32), "0/0": np.ones(2)},
        {"steps": np.zeros(1, np.float32), "0/0": tensor(2)},
        {"steps": np.float32(1), "0/0": tensor(2)},
        {"steps": np.ones(1, np.float32), "0/0": np.full(2, np.inf, np.float32)},
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any]) -> None:
    np.savez(tmp_path / "g.npz", **arrays)
    with pytest.raises(BundleError, match=r"g\.npz"):
        load_reference_outputs(tmp_path / "g.npz")


@pytest.mark.slow
def test_a_zip_bomb_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("0/0.npy", "w") as member:
        for _ in range(600):
            member.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(BundleError, match="more than the 512 MiB allowed"):
        load_reference_outputs(path)


def test_damage_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    save_reference_outputs(path, ReferenceOutputs(((tensor(1, 2, 2, 2),),), (1.0,)))
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(damaged)
        try:
            load_reference_outputs(path)  # some bytes, such as time stamps, have no effect
        except BundleError:
            continue
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BundleError, match="cannot be read as reference outputs"):
        load_reference_outputs(path)
    with pytest.raises(BundleError, match="cannot be read as reference outputs"):
        load_reference_outputs(tmp_path / "absent.npz")
