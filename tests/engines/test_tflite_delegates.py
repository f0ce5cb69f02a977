"""TfliteEngine with a delegate library: a compiled stand-in that works, or fails as accelerators do."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeagent.bundle.golden import compare_outputs, load_reference_outputs
from edgeagent.bundle.reading import open_bundle
from edgeagent.detection.detector import load_bundle_detector
from edgeagent.engines.delegates import external_delegate, find_delegates
from edgeagent.engines.engine import Array, Engine
from edgeagent.engines.loading import load_on
from edgeagent.engines.tflite_engine import TfliteEngine
from edgeagent.errors import EngineError
from edgeagent.imaging.picture import read_picture
from tests.engines.standin import (
    ANY,
    CONV_2D,
    LOGISTIC,
    STANDIN_MODES,
    build_other_library,
    build_standin,
    write_no_library,
)
from tests.engines.tflite_graphs import EDGETPU, write_model
from tests.included import QUICK_BUNDLE

ROOT = Path(__file__).parents[2]
MODEL = QUICK_BUNDLE / "model.tflite"
CONVOLUTIONS, DEPTHWISE = 86, 33
"""of coco-nano; DEPTHWISE_CONV_2D is what the stand-in usually leaves."""
PATIENCE = 60.0


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_standin(tmp_path_factory.mktemp("standin"))


def adder(tmp_path: Path, library: str, mode: str) -> TfliteEngine:
    return TfliteEngine(write_model(tmp_path / "m.tflite"), 1, library, {"mode": mode})


def add(engine: Engine) -> Array:
    """Return what it makes of 1 + 2."""
    inputs = [spec.allocate() for spec in engine.inputs]
    for number, buffer in enumerate(inputs, 1):
        buffer[...] = number
    outputs = [spec.allocate() for spec in engine.outputs]
    engine.infer(inputs, outputs)
    return outputs[0]


def refusal(path: Path, library: str, **options: str) -> str:
    with pytest.raises(EngineError) as caught:
        TfliteEngine(path, 1, library, options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class GoldenSet:
    """The golden pictures of coco-nano."""

    def __init__(self) -> None:
        bundle = open_bundle(QUICK_BUNDLE)
        artefact = next(one for one in bundle.manifest.artefacts if one.format == "tflite")
        path = bundle.golden_outputs(artefact)
        assert path is not None
        assert bundle.manifest.golden is not None
        self.tolerance = bundle.manifest.golden.tolerance
        self._golden = load_reference_outputs(path)
        self._pictures = [read_picture(one) for one in bundle.golden_pictures()]
        self._detector = load_bundle_detector(
            bundle, "tflite", threads=1, iou_threshold=0.65, file=artefact.file
        )

    def steps_off(self, engine: Engine) -> float:
        """Return how far the outputs of an engine are from the reference at worst, in steps."""
        buffers, worst = self._detector.allocate(), 0.0
        for picture, reference in zip(self._pictures, self._golden.outputs, strict=True):
            self._detector.preprocessor.write(picture, buffers.inputs[0])
            engine.infer(buffers.inputs, buffers.outputs)
            found = zip(engine.outputs, buffers.outputs, strict=True)
            measured = [spec.dequantize(codes) for spec, codes in found]
            worst = max(worst, *compare_outputs(reference, measured, self._golden.steps))
        return worst


@pytest.fixture(scope="module")
def golden() -> GoldenSet:
    return GoldenSet()


class TestItTakesTheGraph:
    def test_coco_nano_stays_right(self, standin: str, golden: GoldenSet) -> None:
        engine = load_on(external_delegate(standin, {}), MODEL, threads=1)
        assert engine.facts.delegate == "libstandin.so"
        assert engine.facts.placed == pytest.approx(CONVOLUTIONS / (CONVOLUTIONS + DEPTHWISE))
        assert golden.steps_off(engine) <= golden.tolerance

    def test_what_it_leaves_to_xnnpack_does_not_count_as_its_own(self, standin: str) -> None:
        def placed(only: str) -> float | None:
            return TfliteEngine(MODEL, 1, standin, {"only": only}).facts.placed

        assert placed(ANY) == 1.0
        assert placed(CONV_2D) == pytest.approx(CONVOLUTIONS / (CONVOLUTIONS + DEPTHWISE))
        assert placed(LOGISTIC) == 0.0

    def test_wrong_numbers_are_no_error_to_the_engine(self, standin: str, golden: GoldenSet) -> None:
        engine = TfliteEngine(MODEL, 1, standin, {"mode": "wrong"})
        assert golden.steps_off(engine) > 10 * golden.tolerance

    def test_an_artefact_of_the_edge_tpu_compiler(self, tmp_path: Path, standin: str) -> None:
        engine = TfliteEngine(write_model(tmp_path / "m.tflite", EDGETPU, "UINT8"), 1, standin)
        assert engine.facts.placed == 1.0
        codes, out = engine.inputs[0].allocate(), engine.outputs[0].allocate()
        codes[...] = 7
        engine.infer([codes], [out])
        assert out.tolist() == codes.tolist()

    @pytest.mark.parametrize("mode", ["accept", "slow:1", "abort-after:3", "hang-after:3", "wrong-after:3"])
    def test_as_long_as_all_is_well(self, tmp_path: Path, standin: str, mode: str) -> None:
        engine = adder(tmp_path, standin, mode)
        for _ in range(3):
            assert add(engine).tolist() == np.full((1, 2, 3), 3.0).tolist()
        engine.close()

    def test_wrong_and_not_a_number_from_some_call_on(self, tmp_path: Path, standin: str) -> None:
        wrong, nan = adder(tmp_path, standin, "wrong-after:1"), adder(tmp_path, standin, "nan-after:1")
        assert add(wrong).ravel()[0] == add(nan).ravel()[0] == 3.0
        assert (add(wrong).ravel()[0], add(wrong).ravel()[0]) == (-2.0, -2.0)
        assert np.isnan(add(nan)).all()

    def test_an_error_of_a_call_is_one_sentence(self, tmp_path: Path, standin: str) -> None:
        engine = adder(tmp_path, standin, "error-after:1")
        add(engine)
        for _ in range(2):
            with pytest.raises(EngineError, match=r"tflite failed while running: .*does not answer"):
                add(engine)


class TestItDoesNotStart:
    def test_refused(self, tmp_path: Path, standin: str) -> None:
        model = write_model(tmp_path / "m.tflite")
        hint = "; is its device there, and may this user use it?"
        assert refusal(model, standin, mode="refuse") == f"{standin}: the delegate does not start{hint}"
        sentence = refusal(model, standin, mode="refuse:no device")
        assert sentence == f"{standin}: the delegate does not start (no device){hint}"

    def test_missing(self, tmp_path: Path) -> None:
        model = write_model(tmp_path / "m.tflite")
        for library in ("libno-such-delegate.so.1", str(tmp_path / "absent.so")):
            sentence = refusal(model, library)
            assert sentence.startswith(f"{library}: the library cannot be opened (cannot open shared object")
            assert sentence.endswith("; install the one for this machine")

    def test_no_delegate(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        model, library = write_model(tmp_path / "m.tflite"), build_other_library(tmp_path)
        assert refusal(model, library) == (
            f"{library}: is no TFLite delegate (it has no tflite_plugin_create_delegate); check the path"
        )
        assert "Traceback" not in capfd.readouterr().err

    def test_no_library(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        model, library = write_model(tmp_path / "m.tflite"), write_no_library(tmp_path)
        assert refusal(model, library).startswith(f"{library}: the library cannot be opened (")
        assert "Traceback" not in capfd.readouterr().err

    def test_built_for_another_tensorflow(self, tmp_path: Path, standin: str) -> None:
        sentence = refusal(write_model(tmp_path / "m.tflite"), standin, mode="unprepared")
        assert "Unsupported data type in custom op handler: 0" in sentence
        assert sentence.endswith(
            "failed to prepare: libstandin.so was built for another TensorFlow than this package; install "
            "versions that belong together"
        )

    def test_an_edge_tpu_artefact_without_its_delegate(self, tmp_path: Path) -> None:
        path = write_model(tmp_path / "m.tflite", EDGETPU, "UINT8")
        with pytest.raises(EngineError) as caught:
            TfliteEngine(path, 1)
        assert str(caught.value).endswith(
            "it was compiled for the Edge TPU (edgetpu-custom-op), without its delegate; run it on "
            "tflite-edgetpu"
        )

    def test_the_edge_tpu_of_the_catalogue_is_not_here(self, tmp_path: Path) -> None:
        (delegate,) = find_delegates("tflite-edgetpu")
        with pytest.raises(EngineError, match=r"libedgetpu\.so\.1: the library cannot be opened"):
            load_on(delegate, write_model(tmp_path / "m.tflite", EDGETPU, "UINT8"))


PROGRAM = """
import sys
from pathlib import Path
from edgeagent.engines.tflite_engine import TfliteEngine
from tests.engines.test_tflite_delegates import add
engine = TfliteEngine(Path(sys.argv[1]), 1, sys.argv[2], {"mode": sys.argv[3]})
print("loaded", flush=True)
for _ in range(3):
    add(engine)
    print("ran", flush=True)
"""


class TestItTakesTheProcessDown:
    def start(self, tmp_path: Path, library: str, mode: str) -> subprocess.Popen[str]:
        model = write_model(tmp_path / "m.tflite")
        command = [sys.executable, "-c", PROGRAM, str(model), library, mode]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)

    @pytest.mark.parametrize(
        ("mode", "number", "output"),
        [
            ("abort", signal.SIGABRT, ["loaded"]),
            ("abort-after:2", signal.SIGABRT, ["loaded", "ran", "ran"]),
            ("crash-on-load", signal.SIGSEGV, []),
        ],
    )
    def test_a_signal(self, tmp_path: Path, standin: str, mode: str, number: int, output: list[str]) -> None:
        process = self.start(tmp_path, standin, mode)
        out, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out.split()) == (-number, output)

    @pytest.mark.parametrize(
        ("mode", "lines"), [("hang-after:1", ["loaded\n", "ran\n"]), ("hang", ["loaded\n"])]
    )
    def test_a_call_that_never_returns(
        self, tmp_path: Path, standin: str, mode: str, lines: list[str]
    ) -> None:
        process = self.start(tmp_path, standin, mode)
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in lines] == lines
        with pytest.raises(subprocess.TimeoutExpired):  # it would be done in a millisecond
            process.wait(0.5)
        process.kill()
        out, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (-signal.SIGKILL, "")


def test_modes_are_those_of_the_library(tmp_path: Path, standin: str) -> None:
    never = {"refuse", "unprepared", "crash-on-load", "hang-on-load"}
    for mode in set(STANDIN_MODES) - never:
        adder(tmp_path, standin, mode)
    assert "(unknown mode)" in refusal(write_model(tmp_path / "m.tflite"), standin, mode="hop")
    assert "(unknown option)" in refusal(write_model(tmp_path / "m.tflite"), standin, speed="max")
