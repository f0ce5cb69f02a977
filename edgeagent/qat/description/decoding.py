"""Decoders that the heads of a graph allow: family, strides, bins, classes."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph, GraphHead
from edgeagent.qat.graph.heads import FUNCTIONS, SIDES, describe_cut, naming_advice, role, stride

TOP_OF_ALL = "TopK"
"""Operator of end-to-end graphs, which take the best of all boxes without suppression."""


@dataclass(frozen=True)
class ProposedDecoder:
    """Decoder that fits the shapes of the heads.

    Attributes:
        spec: decoder.
        classes: number of classes that the heads predict.
        remark: assumption that the shapes do not show; empty without one.
    """

    spec: DecoderSpec
    classes: int
    remark: str = ""


def propose_decoders(graph: Graph) -> list[ProposedDecoder]:
    """Return the decoders that fit the heads of a graph, the most usual one first.

    Raises:
        DataError: no decoder fits; the message lists the heads and gives a remedy.
    """
    strides = tuple(sorted({stride(head, graph) for head in graph.heads}))
    groups = [{role(h, graph): h for h in graph.heads if stride(h, graph) == size} for size in strides]
    per_stride = [[h for h in graph.heads if stride(h, graph) == size] for size in strides]
    roles = {tuple(sorted(group)) for group in groups}
    wanted = (("box", "classes"), ("box", "classes", "objectness"))
    complete = all(len(heads) == len(group) for heads, group in zip(per_stride, groups, strict=True))
    if len(roles) != 1 or not complete or (found := roles.pop()) not in wanted:
        raise _refusal(
            graph, f"the roles found are not one of {' or '.join(map(str, wanted))} at each stride"
        )
    boxes, scores = [group["box"] for group in groups], [group["classes"] for group in groups]
    anchors = boxes[0].anchors
    numbers = {head.shape[1] // max(1, anchors) for head in boxes}
    classes = {head.shape[1] // max(1, anchors) for head in scores}
    if len(numbers) != 1 or len(classes) != 1:
        raise _refusal(graph, f"the strides differ in numbers of a box {numbers} or classes {classes}")
    (number,), (count,) = numbers, classes
    if number % SIDES or (number != SIDES and (anchors or "objectness" in found)):
        raise _refusal(graph, f"{number} numbers of a box are neither 4 sides nor 4 sides of bins")
    end_to_end = TOP_OF_ALL in graph.after and "NonMaxSuppression" not in graph.after
    nms = "none" if end_to_end and "objectness" not in found else "per-class"
    common = {"strides": strides, "nms": nms}
    if anchors:
        remark = "the anchors are assumed to be those of COCO; another training may have chosen others"
        return [_decoder(graph, {"family": "yolov5", **common}, count, remark)]
    if "objectness" in found:
        return [_decoder(graph, {"family": "yolox", **common}, count)]
    if number != SIDES:
        return [_decoder(graph, {"family": "yolov8", "reg_max": number // SIDES, **common}, count)]
    return [_decoder(graph, {**kind, **common}, count) for kind in _plain_distances(boxes)]


def _plain_distances(boxes: list[GraphHead]) -> list[dict[str, object]]:
    """Return the families of heads that give one number for each side."""
    functions = {FUNCTIONS[name] for head in boxes for name in head.used_by & FUNCTIONS.keys()}
    if len(functions) == 1:
        return [{"family": "rtmdet", "distances": functions.pop()}]
    return [{"family": "yolov8", "reg_max": 1}, {"family": "rtmdet", "distances": "linear"}]


def _decoder(graph: Graph, spec: dict[str, object], classes: int, remark: str = "") -> ProposedDecoder:
    try:
        return ProposedDecoder(DecoderSpec.model_validate(spec), classes, remark)
    except ValidationError as error:
        first = error.errors()[0]["msg"]
        raise _refusal(graph, f"as family {spec['family']}: {first}") from error


def _refusal(graph: Graph, reason: str) -> DataError:
    heads = "; ".join(describe_cut(graph)[:-1])
    return DataError(f"no decoder fits the heads: {reason}. Heads: {heads}; {naming_advice(graph)}")
