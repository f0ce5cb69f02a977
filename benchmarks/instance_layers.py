"""Mask layers of a YOLOX-nano: prototypes and coefficients on its frozen features, trained and exported.

The network of ``yolox_nano.onnx`` stays as it is. Beside each box it gets K mask coefficients, and for the
picture K prototypes at stride 4 (YOLACT, Bolya et al. 2019, arXiv:1904.02689)::

    neck, stride 8 -> Conv 3 x 3 -> twice the size -> Conv 3 x 3 -> Conv 1 x 1 -> prototypes
    stem of the head, strides 8, 16, 32 -> Conv 1 x 1 -> Conv 1 x 1 -> coefficients

Features of all augmented pictures are computed once, by ONNX Runtime. Cells are assigned to objects by
SimOTA, as YOLOX does; the loss is the binary cross-entropy of the masks inside the labelled boxes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from edgeagent.datasets.labels import Labels
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.training.simota import YoloxScale, assign_simota, decode_yolox_cells

SIZE, STRIDES, CHANNELS = 416, (8, 16, 32), 64
PROTOTYPES, WIDTH, CELLS = 32, 32, SIZE // 4
NECK, STEMS = "956", ("1028", "1070", "1112")
"""Tensors of ``yolox_nano.onnx``: features of stride 8, and the first features of the head at each stride."""
RAW = (("1062", "1063", "1045"), ("1104", "1105", "1087"), ("1146", "1147", "1129"))
"""Boxes, objectness and classes of each stride, before their sigmoid."""
JOINS, SHAPES = ("1066", "1108", "1150"), ("1157", "1165", "1173")
"""Where the graph joins boxes and scores of each stride, and the shapes in which it joins the strides."""
PAD, LEAST_SIDE, MOST_CELLS = 114, 4, 48
BATCH, RATE, DECAY = 8, 4e-3, 1e-4


class MaskLayers(nn.Module):
    """The new layers, from the features of a picture to its prototypes and coefficients."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = _conv(CHANNELS, WIDTH, 3), _conv(WIDTH, WIDTH, 3)
        self.last = _conv(WIDTH, PROTOTYPES, 1)
        self.inner = nn.ModuleList(_conv(CHANNELS, CHANNELS, 1) for _ in STRIDES)
        self.outer = nn.ModuleList(_conv(CHANNELS, PROTOTYPES, 1) for _ in STRIDES)

    def forward(self, neck: Tensor, stems: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return prototypes (b, K, SIZE / 4, SIZE / 4), and coefficients (b, K, h, w) of each stride."""
        wide = functional.interpolate(functional.silu(self.first(neck)), scale_factor=2, mode="nearest")
        prototypes = self.last(functional.silu(self.second(wide)))
        layers = zip(stems, self.inner, self.outer, strict=True)
        return prototypes, [outer(functional.silu(inner(stem))) for stem, inner, outer in layers]


@dataclass(frozen=True)
class Sample:
    """Features of an augmented picture, and what its cells should give.

    Attributes:
        features: (1, channels, h, w) float16 of the neck and of each stem.
        masks: (n, CELLS, CELLS) uint8, 255 where a cell of the prototypes is covered by an object.
        boxes: (n, 4) float32 x1 y1 x2 y2 in cells of the prototypes.
        cells: (m,) cells that are assigned to objects, in the order of strides, rows and columns.
        owners: (m,) object of each of them.
    """

    features: tuple[Tensor, ...]
    masks: Tensor
    boxes: Tensor
    cells: Tensor
    owners: Tensor


def samples(
    model: Path, pictures: Sequence[tuple[Path, Labels]], copies: int, seed: int = 0
) -> Iterator[Sample]:
    """Yield augmented copies of labelled pictures, with the features that the network has for them.

    Args:
        model: ``yolox_nano.onnx``.
        pictures: each with its outlines.
        copies: of each picture, flipped and scaled differently.
        seed: of the augmentation.
    """
    session, names = _feature_session(model)
    random = np.random.default_rng(seed)
    scales = [YoloxScale(*range(place * 3, place * 3 + 3), stride) for place, stride in enumerate(STRIDES)]
    for _ in range(copies):
        for path, labels in pictures:
            canvas, outlines, classes = _augmented(read_picture(path), labels, random)
            if not outlines:
                continue
            values = dict(zip(names, session.run(names, {session.get_inputs()[0].name: canvas}), strict=True))
            corners = [np.concatenate([one.min(0), one.max(0)]) for one in outlines]
            boxes = torch.from_numpy(np.stack(corners).astype(np.float32))
            targets = torch.cat([torch.tensor(classes)[:, None].float(), boxes], 1)
            heads = [torch.from_numpy(values[name]) for of_stride in RAW for name in of_stride]
            found = assign_simota(decode_yolox_cells(scales, heads), 0, targets)
            cells = torch.nonzero(found >= 0)[:, 0]
            features = tuple(torch.from_numpy(values[name]).half() for name in (NECK, *STEMS))
            masks = torch.from_numpy(np.stack([_covered(one) for one in outlines]))
            yield Sample(features, masks, boxes * (CELLS / SIZE), cells, found[cells])


def train(layers: MaskLayers, given: Sequence[Sample], steps: int, seed: int = 0) -> list[float]:
    """Train the layers and return the loss of each step."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(layers.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.1)
    losses = []
    for _ in range(steps):
        chosen = [given[int(i)] for i in torch.randint(len(given), (BATCH,), generator=generator)]
        neck, *stems = (torch.cat(parts).float() for parts in zip(*(s.features for s in chosen), strict=True))
        prototypes, coefficients = layers(neck, stems)
        rows = torch.cat([one.flatten(2) for one in coefficients], 2)
        own = [
            _mask_loss(prototypes[place], rows[place], sample, generator)
            for place, sample in enumerate(chosen)
            if len(sample.cells)
        ]
        loss = torch.stack(own).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


def _mask_loss(prototypes: Tensor, rows: Tensor, sample: Sample, generator: torch.Generator) -> Tensor:
    """Return the cross-entropy of the masks (K, h, w) x (K, cells) of a picture, mean over boxes."""
    kept = torch.randperm(len(sample.cells), generator=generator)[:MOST_CELLS]
    cells, owners = sample.cells[kept], sample.owners[kept]
    logits = torch.einsum("km,khw->mhw", rows[:, cells], prototypes)
    wanted = sample.masks[owners].float() / 255
    place = torch.arange(CELLS) + 0.5
    left, top, right, bottom = sample.boxes[owners].T[..., None]
    across, down = (place >= left) & (place < right), (place >= top) & (place < bottom)
    inside = (down[:, :, None] & across[:, None, :]).float()
    cross = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return ((cross * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)).mean()


def extended(model: Path, layers: MaskLayers, out: Path) -> None:
    """Write the network with the new layers: coefficients behind the classes, and prototypes as an output."""
    whole = onnx.load(model)
    graph = whole.graph
    twice = copy.deepcopy(next(node for node in graph.node if node.op_type == "Resize"))
    twice.name, twice.input[0], twice.output[0] = "masks/twice", "masks/first/y", "masks/wide"
    nodes = [
        *_conv_and_silu(graph, "masks/first", layers.first, NECK),
        twice,
        *_conv_and_silu(graph, "masks/second", layers.second, "masks/wide"),
        _conv_node(graph, "masks/prototypes", layers.last, "masks/second/y", "prototypes"),
    ]
    for stride, stem, inner, outer in zip(STRIDES, STEMS, layers.inner, layers.outer, strict=True):
        name = f"masks/{stride}"
        nodes += _conv_and_silu(graph, name, inner, stem)
        nodes.append(_conv_node(graph, f"{name}/last", outer, f"{name}/y", f"coefficients_{stride}"))
    behind = set(JOINS)
    for node in graph.node:
        if behind & set(node.input):
            behind.update(node.output)
        if node.output[0] in JOINS:
            node.input.append(f"coefficients_{STRIDES[JOINS.index(node.output[0])]}")
    for constant in graph.initializer:
        if constant.name in SHAPES:
            shape = numpy_helper.to_array(constant) + np.array([0, PROTOTYPES, 0])
            constant.CopyFrom(numpy_helper.from_array(shape.astype(np.int64), constant.name))
    old = list(graph.node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(node for node in old if not behind & set(node.output))
    graph.node.extend(nodes)
    graph.node.extend(node for node in old if behind & set(node.output))
    graph.output[0].type.tensor_type.shape.dim[2].dim_value += PROTOTYPES
    shape = (1, PROTOTYPES, CELLS, CELLS)
    graph.output.append(helper.make_tensor_value_info("prototypes", onnx.TensorProto.FLOAT, shape))
    onnx.checker.check_model(whole, full_check=True)
    onnx.save(whole, out)


def _conv(inputs: int, outputs: int, side: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, padding=side // 2)


def _conv_node(
    graph: onnx.GraphProto, name: str, layer: nn.Conv2d, given: str, result: str
) -> onnx.NodeProto:
    for part, value in (("weight", layer.weight), ("bias", layer.bias)):
        graph.initializer.append(numpy_helper.from_array(value.detach().numpy(), f"{name}.{part}"))
    side = layer.kernel_size[0]
    inputs = [given, f"{name}.weight", f"{name}.bias"]
    return helper.make_node("Conv", inputs, [result], name, kernel_shape=[side] * 2, pads=[side // 2] * 4)


def _conv_and_silu(graph: onnx.GraphProto, name: str, layer: nn.Conv2d, given: str) -> list[onnx.NodeProto]:
    raw, gate = f"{name}/x", f"{name}/gate"
    return [
        _conv_node(graph, name, layer, given, raw),
        helper.make_node("Sigmoid", [raw], [gate], f"{name}/sigmoid"),
        helper.make_node("Mul", [raw, gate], [f"{name}/y"], f"{name}/silu"),
    ]


def _feature_session(model: Path) -> tuple[onnxruntime.InferenceSession, list[str]]:
    """Return a session of the network that gives its features and raw heads, and their names."""
    whole = onnx.load(model)
    names = [NECK, *STEMS, *(name for of_stride in RAW for name in of_stride)]
    del whole.graph.output[:]
    whole.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    content = whole.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]), names


def _augmented(
    picture: np.ndarray, labels: Labels, random: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray], list[int]]:
    """Return a picture in the input, flipped and scaled by chance, its outlines in input pixels, and classes.

    Of what leaves the input the rest counts; objects that are too small then are left out.
    """
    height, width = picture.shape[:2]
    scale = SIZE / max(height, width) * random.uniform(0.6, 1.4)
    left, top = (random.uniform(*sorted((0.0, SIZE - side * scale))) for side in (width, height))
    mirrored = random.random() < 0.5
    to_input = np.array([[scale, 0, left], [0, scale, top]])
    if mirrored:
        to_input = np.array([[-scale, 0, SIZE - left], [0, scale, top]])
    canvas = cv2.warpAffine(picture, to_input, (SIZE, SIZE), borderValue=(PAD,) * 3)
    outlines, classes = [], []
    for outline, index in zip(labels.outlines, labels.classes.tolist(), strict=True):
        if outline is not None:
            corners = outline.astype(np.float64) * (width, height) @ to_input[:, :2].T + to_input[:, 2]
            cut = np.clip(corners, 0, SIZE)
            if np.ptp(cut, axis=0).min() >= LEAST_SIDE:
                outlines.append(cut)
                classes.append(index)
    return canvas.transpose(2, 0, 1)[None].astype(np.float32), outlines, classes


def _covered(outline: np.ndarray) -> np.ndarray:
    """Return how much of each cell of the prototypes an outline in input pixels covers: uint8, 255 is all."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    cv2.fillPoly(mask, [np.round(outline - 0.5).astype(np.int32)], 255)
    return cv2.resize(mask, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
