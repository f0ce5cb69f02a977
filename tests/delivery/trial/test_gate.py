"""The gate with real bundles, real workers and the delegates of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgeagent.bundle.reading import MANIFEST, open_bundle
from edgeagent.delivery.trial.gate import Gate, GateError, usable_files
from edgeagent.delivery.trial.gate_report import GateFinding, load_report
from edgeagent.detection.journal import Journal
from edgeagent.detection.records import VERDICTS
from edgeagent.errors import BundleError
from edgeagent.files.hashing import hash_file
from edgeagent.settings.schema import Settings
from edgeagent.settings.sections.camera import CameraSettings
from edgeagent.settings.sections.delivery import DeliverySettings, GateSettings
from edgeagent.settings.sections.model import ModelSettings
from edgeagent.worker.protocol import LoadRequest
from tests.bundle.tiny import ARTEFACT, fields
from tests.delivery.models import scrambled
from tests.engines import cell_detector as cells
from tests.included import QUICK_BUNDLE


def settings(folder: Path, engine: str = "onnxruntime-cpu", **gate: Any) -> Settings:
    return Settings(
        state=folder / "state",
        cameras=(CameraSettings(name="yard", source="0"),),
        model=ModelSettings(bundle=QUICK_BUNDLE, engine=engine, threads=1),
        delivery=DeliverySettings(
            repository="https://models.example", root=folder / "root.json", gate=GateSettings(**gate)
        ),
    )


def gate(wanted: Settings, root: Path = Path("/")) -> Gate:
    assert wanted.state is not None
    return Gate(wanted, Journal(wanted.state / "journal"), root)


def outcomes(findings: tuple[GateFinding, ...]) -> dict[str, str]:
    return {finding.check: finding.outcome for finding in findings}


def thermal_zone(root: Path, degrees: float) -> Path:
    zone = root / "sys" / "class" / "thermal" / "thermal_zone0"
    zone.mkdir(parents=True, exist_ok=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text(f"{degrees * 1000:.0f}\n")
    return root


def test_a_good_bundle_passes_with_everything_measured(tmp_path: Path) -> None:
    wanted = settings(tmp_path, p90_ms=60_000.0, memory=4_000_000_000, temperature_c=70.0)
    passed = gate(wanted, thermal_zone(tmp_path / "root", 45.0)).check(open_bundle(QUICK_BUNDLE))
    assert set(outcomes(passed.report.findings).values()) == {"passed"}
    assert list(outcomes(passed.report.findings)) == [
        "fit",
        "golden_set",
        "temperature_before",
        "loads",
        "golden_outputs",
        "accuracy",
        "latency",
        "memory",
        "temperature_after",
    ]
    assert passed.accuracy is not None
    assert passed.accuracy > 0.7
    assert passed.p90_ms is not None
    first = passed.candidates.first
    assert first is not None
    assert first.name == "onnxruntime-cpu model.onnx"
    assert wanted.state is not None
    assert load_report(wanted.state / "delivery") == passed.report


def test_scrambled_weights_with_right_hashes_do_not_pass(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    with pytest.raises(GateError, match="does not compute what was trained") as caught:
        gate(wanted).check(scrambled(tmp_path / "bundle"))
    assert caught.value.report.failure is not None
    assert caught.value.report.failure.check == "loads"
    assert wanted.state is not None
    assert load_report(wanted.state / "delivery") == caught.value.report


def test_a_model_that_finds_less_than_it_claims_does_not_pass(tmp_path: Path) -> None:
    """Its golden outputs are right, as they were made from the same weights."""
    half = cells.label_lines([*cells.CELLS, (0, 0), (4, 1)])
    bundle = cells.build_bundle(tmp_path / "cells", claim=1.0, truth=half)
    with pytest.raises(GateError, match=r"mAP50-95 0\.505 on the golden pictures .* 0\.900 needed"):
        gate(settings(tmp_path)).check(bundle)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"p90_ms": 0.0001}, "90 % of 64 inferences took .* or less; gate.p90_ms is 0.0001 ms"),
        ({"memory": 1_000_000}, "the engine's process takes .* MB; gate.memory is 1 MB"),
        ({"accuracy_required": True}, "the bundle claims none for engines/tiny.onnx"),
    ],
)
def test_limits_are_kept(tmp_path: Path, limits: dict[str, Any], reason: str) -> None:
    bundle = cells.build_bundle(tmp_path / "cells")
    with pytest.raises(GateError, match=reason):
        gate(settings(tmp_path, **limits)).check(bundle)


def test_a_hot_board_tries_nothing(tmp_path: Path) -> None:
    wanted = settings(tmp_path, temperature_c=70.0)
    bundle = cells.build_bundle(tmp_path / "cells")
    with pytest.raises(GateError, match=r"cpu-thermal has 81\.0 degrees C before the gate"):
        gate(wanted, thermal_zone(tmp_path / "root", 81.0)).check(bundle)
    assert wanted.state is not None
    assert not (wanted.state / VERDICTS).exists()


def test_without_a_golden_set_policy_decides(tmp_path: Path) -> None:
    bare = cells.build_bundle(tmp_path / "cells", golden=None)
    with pytest.raises(GateError, match=r"no golden pictures, which gate\.golden_required asks for"):
        gate(settings(tmp_path)).check(bare)
    passed = gate(settings(tmp_path, golden_required=False)).check(bare)
    found = outcomes(passed.report.findings)
    assert (found["golden_set"], found["accuracy"]) == ("absent", "absent")
    assert "golden_outputs" not in found


def test_labels_without_an_object_leave_accuracy_absent(tmp_path: Path) -> None:
    bundle = cells.build_bundle(tmp_path / "cells", claim=1.0, truth="")
    passed = gate(settings(tmp_path)).check(bundle)
    assert outcomes(passed.report.findings)["accuracy"] == "absent"
    assert passed.accuracy is None
    with pytest.raises(GateError, match="the labels hold no object at all"):
        gate(settings(tmp_path, accuracy_required=True)).check(bundle)


def test_a_bundle_for_another_board_is_refused_by_its_manifest(tmp_path: Path) -> None:
    wanted = settings(tmp_path, engine="tflite-edgetpu")
    manifest = open_bundle(QUICK_BUNDLE).manifest
    with pytest.raises(BundleError, match=r"no delegate of this board runs any of model\.onnx"):
        usable_files(manifest, wanted)
    with pytest.raises(GateError, match="no delegate of this board"):
        gate(wanted).check(open_bundle(QUICK_BUNDLE))


def test_a_bundle_for_a_newer_agent_is_not_even_read(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="install a newer edgeagent"):
        cells.build_bundle(tmp_path / "cells", minimum_agent_version="99.0.0")


def test_only_what_the_delegates_here_can_use_is_needed(tmp_path: Path) -> None:
    manifest = open_bundle(QUICK_BUNDLE).manifest
    golden = manifest.golden
    assert golden is not None
    assert golden.accuracy is not None
    files = usable_files(manifest, settings(tmp_path))
    assert files[:2] == [MANIFEST, "model.onnx"]
    wanted = {*golden.pictures, *golden.accuracy.labels.values(), "golden/outputs.npz"}
    assert set(files[2:]) == wanted


def test_a_delegate_that_is_named_counts_also_while_it_is_not_there(tmp_path: Path) -> None:
    manifest = open_bundle(QUICK_BUNDLE).manifest
    files = usable_files(manifest, settings(tmp_path, engine="onnxruntime-tensorrt, onnxruntime-cpu"))
    assert {"model.tensorrt.onnx", "golden/outputs-b.npz", "model.onnx", "golden/outputs.npz"} < set(files)


def test_it_tries_with_less_priority_than_what_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered: list[LoadRequest] = []
    encode = LoadRequest.encode

    def noted(order: LoadRequest) -> bytes:
        ordered.append(order)
        return encode(order)

    monkeypatch.setattr(LoadRequest, "encode", noted)
    gate(settings(tmp_path)).check(cells.build_bundle(tmp_path / "cells"))
    assert [order.nice for order in ordered] == [5, 0]


def test_part_of_a_bundle_is_enough(tmp_path: Path) -> None:
    """What :func:`usable_files` names makes a bundle that passes."""
    bundle = cells.build_bundle(tmp_path / "cells", claim=1.0)
    assert set(usable_files(bundle.manifest, settings(tmp_path))) == {
        MANIFEST,
        ARTEFACT,
        *(fields()["golden"]["pictures"]),
        fields()["golden"]["outputs"],
        cells.LABELS_FILE,
    }
    assert hash_file(bundle.directory / ARTEFACT) == bundle.manifest.artefacts[0].sha256
