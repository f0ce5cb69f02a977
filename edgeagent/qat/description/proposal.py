"""Proposal of a description for a float model.

::

    graph -> heads -> decoders that fit them
    colours and normalization (10 ways, letterboxed) -> placement (5 ways) -> decoders, where several fit
        -> comparison with the boxes of the model's own output

Each step takes the way of the highest score: mAP with labels, else the estimate of
:mod:`edgeagent.qat.description.score`.
"""

from __future__ import annotations

import ast
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeagent.accuracy.coco_map import GroundTruth
from edgeagent.accuracy.decoding_check import PICTURES, check_heads_decoding, check_output_decoding
from edgeagent.accuracy.evaluation import IOU_THRESHOLD
from edgeagent.bundle.manifest import ModelDescription
from edgeagent.detection.detector import Detector, load_detector
from edgeagent.errors import DataError, EdgeagentError
from edgeagent.imaging.frame import Image
from edgeagent.qat.description.choice import Choice, choose
from edgeagent.qat.description.coco_names import COCO_NAMES
from edgeagent.qat.description.decoding import ProposedDecoder, propose_decoders
from edgeagent.qat.description.preprocessing import (
    PLACEMENTS,
    Preprocessing,
    colours_and_normalizations,
    usual_preprocessing,
)
from edgeagent.qat.description.trials import Trial, Trials
from edgeagent.qat.export.exports import Exported, export_reference
from edgeagent.qat.factory.description_check import EVERY_BOX
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.graph.reading import load_onnx
from edgeagent.qat.graph.trainable import read_trainable_graph

UNKNOWN = "unknown"
HARDLY_FOUND, HARDLY_ACCURATE = 0.5, 0.05
"""Score below which a proposal is doubtful: objects found again per picture, mAP50-95."""
NAME_OF_NO_FILE = "detector"


@dataclass(frozen=True)
class Proposal:
    """Proposed description, and why.

    Attributes:
        description: the description.
        colours: trials of colours and normalization, all letterboxed alike.
        placements: trials of placements, with the colours and normalization that were chosen.
        labelled: whether the scores are mAP50-95.
        pictures: number of pictures.
        remarks: sentences about what is assumed or cannot be told.
        colour_choice, placement_choice: choice of each step.
    """

    description: ModelDescription
    colours: tuple[Trial, ...]
    placements: tuple[Trial, ...]
    labelled: bool
    pictures: int
    remarks: tuple[str, ...]
    colour_choice: Choice
    placement_choice: Choice

    @property
    def best(self) -> Trial:
        """Chosen trial."""
        return self.placement_choice.trial


def propose(
    model: Path,
    pictures: Sequence[Image],
    truths: Sequence[GroundTruth] | None,
    reporter: Reporter,
    heads: Sequence[str] = (),
) -> Proposal:
    """Propose a description of a float model.

    Args:
        model: ONNX file with a static input shape.
        pictures: (height, width, 3) uint8, BGR; real ones with objects of the model's classes.
        truths: their labelled objects; None estimates without labels.
        reporter: receiver of progress.
        heads: names of the heads, see :func:`edgeagent.qat.graph.graph.read_graph`.

    Raises:
        DataError: the model cannot be read, no decoder fits its heads, or no way of preparing the pictures
            finds anything on them.
        EngineError: the model cannot be run.
    """
    graph = read_trainable_graph(model, heads)
    decoders = propose_decoders(graph)
    labels, remark = _labels(model, decoders[0].classes)
    _, _, height, width = graph.input_shape
    first = ModelDescription.model_validate(
        {
            "name": _name(model),
            "version": "1.0.0",
            "task": "detection",
            "labels": labels,
            "input": colours_and_normalizations()[0].input(width, height),
            "decoder": decoders[0].spec,
            "licence": UNKNOWN,
            "attribution": UNKNOWN,
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        made = export_reference(graph, Path(folder))
        return _Search(first, made, pictures, truths, reporter).run(model, decoders, remark)


def classes_of(model: Path, heads: Sequence[str] = ()) -> int:
    """Return the number of classes that the heads of a model predict.

    Raises:
        DataError: the model cannot be read, or no decoder fits its heads.
    """
    return propose_decoders(read_trainable_graph(model, heads))[0].classes


class _Search:
    """Search on an exported graph.

    Args:
        description: with a first guess of input and decoder.
        made: float heads.
        pictures: (height, width, 3) uint8, BGR.
        truths: their labelled objects; None without.
        reporter: receiver of progress.
    """

    def __init__(
        self,
        description: ModelDescription,
        made: Exported,
        pictures: Sequence[Image],
        truths: Sequence[GroundTruth] | None,
        reporter: Reporter,
    ) -> None:
        self._description, self._made = description, made
        self._pictures, self._truths, self._reporter = pictures, truths, reporter

    def run(self, model: Path, decoders: Sequence[ProposedDecoder], remark: str) -> Proposal:
        usual = usual_preprocessing(decoders[0].spec)
        detector = self._detector(self._description)
        try:
            trials = Trials(detector, self._pictures, self._truths)
            colours = self._tried(trials, "colours and normalization", colours_and_normalizations())
            if not max(trial.score for trial in colours):
                raise DataError(self._nothing(model, colours))
            first = choose(
                colours,
                (
                    lambda way: way == replace(usual, placement=way.placement),
                    lambda way: way.consistent,
                ),
            )
            ways = [first.trial.preprocessing.placed(placement) for placement in PLACEMENTS]
            done = {first.trial.preprocessing: first.trial}
            placements = self._tried(trials, "placement", [way for way in ways if way not in done])
            placements = [first.trial, *placements]
            second = choose(placements, (lambda way: way.placement == usual.placement,))
        finally:
            detector.engine.close()
        decoder, unsure = self._decoder(decoders, second.trial)
        description = self._described(second.trial.preprocessing, decoder)
        boxes, checked = self._checked(model, description)
        remarks = (
            self._doubt(second.trial),
            _alike(first, "colours and normalization", len(self._pictures)),
            _alike(second, "placement", len(self._pictures)),
            unsure,
            decoder.remark,
            remark,
            checked,
        )
        return Proposal(
            boxes,
            tuple(sorted(colours, key=lambda one: -one.score)),
            tuple(sorted(placements, key=lambda one: -one.score)),
            self._truths is not None,
            len(self._pictures),
            tuple(text for text in remarks if text),
            first,
            second,
        )

    def _tried(self, trials: Trials, what: str, ways: Sequence[Preprocessing]) -> list[Trial]:
        found, done = [], 0
        with self._reporter.stage(f"trying {what}", len(ways) * len(self._pictures)) as report:

            def one_more() -> None:
                nonlocal done
                done += 1
                report(done)

            for way in ways:
                found.append(trials.run(way, one_more))
        return found

    def _decoder(self, decoders: Sequence[ProposedDecoder], best: Trial) -> tuple[ProposedDecoder, str]:
        """Return the decoder of the highest score, and a sentence where two score alike."""
        if len(decoders) == 1:
            return decoders[0], ""
        scored = [(best, decoders[0])]
        for decoder in decoders[1:]:
            detector = self._detector(self._described(best.preprocessing, decoder))
            try:
                trials = Trials(detector, self._pictures, self._truths)
                (trial,) = self._tried(trials, f"decoder {decoder.spec.family}", [best.preprocessing])
            finally:
                detector.engine.close()
            scored.append((trial, decoder))
        chosen = choose([trial for trial, _ in scored], (lambda way: True,))
        (decoder,) = (decoder for trial, decoder in scored if trial is chosen.trial)
        if not chosen.alike:
            return decoder, ""
        others = ", ".join(d.spec.family for _, d in scored if d is not decoder)
        return decoder, f"decoder: {decoder.spec.family} and {others} score alike on these pictures"

    def _checked(self, model: Path, description: ModelDescription) -> tuple[ModelDescription, str]:
        """Return the description with the form of boxes of the model's own output, and the comparison."""
        some = self._pictures[:PICTURES]
        detector = self._detector(description, EVERY_BOX)
        try:
            sentence = check_heads_decoding(model, detector, some)
        except DataError as error:
            sentence = f"the model's own output disagrees with this proposal: {error}"
        finally:
            detector.engine.close()
        for boxes in ("raw", "decoded", "shares"):
            decoder = description.decoder.model_copy(update={"boxes": boxes})
            candidate = description.model_copy(update={"decoder": decoder})
            if _own_output_fits(model, candidate, some):
                return candidate, sentence
        return description, sentence

    def _described(self, way: Preprocessing, decoder: ProposedDecoder) -> ModelDescription:
        given = self._description
        spec = way.input(given.input.width, given.input.height)
        return given.model_copy(update={"input": spec, "decoder": decoder.spec})

    def _detector(self, description: ModelDescription, iou_threshold: float = IOU_THRESHOLD) -> Detector:
        made = self._made
        return load_detector(description, made.path, made.format, made.outputs, 0, iou_threshold)

    def _doubt(self, best: Trial) -> str:
        """Return a sentence where even the best way finds hardly anything."""
        labelled = self._truths is not None
        if best.score >= (HARDLY_ACCURATE if labelled else HARDLY_FOUND):
            return ""
        what = "mAP50-95" if labelled else "objects found again per picture"
        return (
            f"do not trust this proposal: the best way has {best.score:.3f} {what}. Give pictures with "
            "objects of the model's classes; if they are, the model or its decoder is another than it seems"
        )

    def _nothing(self, model: Path, trials: Sequence[Trial]) -> str:
        highest = max(trial.highest for trial in trials)
        labels = " labels of the right classes," if self._truths is not None else ""
        return (
            f"{model}: nothing that can be trusted is found on {len(self._pictures)} pictures, however they "
            f"are prepared (highest score {highest:.2f}); give pictures with objects of its classes,{labels} "
            "or name the heads with --head ROLE=NAME if others than those found are meant"
        )


def _own_output_fits(model: Path, description: ModelDescription, pictures: Sequence[Image]) -> bool:
    try:
        detector = load_detector(description, model, "onnx", (), 0, IOU_THRESHOLD)
    except EdgeagentError:
        return False
    try:
        check_output_decoding(model, detector, pictures)
    except EdgeagentError:
        return False
    finally:
        detector.engine.close()
    return True


def _alike(choice: Choice, what: str, pictures: int) -> str:
    if not choice.alike:
        return ""
    others = "; ".join(trial.preprocessing.name for trial in choice.alike)
    why = "as it is usual for this family" if choice.usual else "as it scores highest"
    return (
        f"{what}: {pictures} pictures are too few to tell [{choice.trial.preprocessing.name}] from "
        f"[{others}]; "
        f"the first is proposed, {why}. More pictures, or labels, tell more"
    )


def _labels(model: Path, count: int) -> tuple[list[str], str]:
    """Return the labels, and a sentence where they are assumed."""
    written = {entry.key: entry.value for entry in load_onnx(model).metadata_props}.get("names", "")
    try:
        found = ast.literal_eval(written) if written else {}
    except (ValueError, SyntaxError):
        found = {}
    names = [str(name) for name in (found.values() if isinstance(found, dict) else found)]
    if len(names) == count and len(set(names)) == count:
        return names, ""
    if count == len(COCO_NAMES):
        return list(COCO_NAMES), "labels: 80 classes are assumed to be those of COCO; correct them if not"
    return [f"class_{number}" for number in range(count)], (
        f"labels: the file does not name its {count} classes; replace class_0 and so on by their names"
    )


def _name(model: Path) -> str:
    name = re.sub(r"[^a-z0-9.-]+", "-", model.stem.lower()).strip("-._")[:64]
    return name or NAME_OF_NO_FILE
