"""The supervised loss: who answers for an object, where gradients lead, and training with it."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.labelled import TrainingSample
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.overlap import iou
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.simota import (
    YoloxScale,
    assign_simota,
    decode_yolox_cells,
    simota_loss,
    yolox_scales,
)
from edgeagent.qat.training.supervised import check_family, supervise
from edgeagent.qat.training.trainer import Trainer, TrainingProgress
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import SIZE, small_relu_net, small_yolox

CLASSES = 3
INPUT = 128
SCALES = tuple(YoloxScale(3 * k, 3 * k + 1, 3 * k + 2, stride) for k, stride in enumerate((8, 16, 32)))
TARGETS = [
    torch.tensor([[0, 10, 12, 60, 70], [2, 70, 64, 126, 120], [1, 90, 5, 104, 21]], dtype=torch.float32),
    torch.zeros(0, 5),
    torch.tensor([[1, 0, 0, 128, 128], [1, 50, 50, 55, 54]], dtype=torch.float32),
]


def raw_heads(batch: int) -> list[Tensor]:
    """Raw tensors in which each cell predicts a box of its stride, and no cell is sure of anything."""
    shapes = [(channels, INPUT // scale.stride) for scale in SCALES for channels in (4, 1, CLASSES)]
    return [torch.zeros(batch, channels, cells, cells) for channels, cells in shapes]


def perfect_heads(targets: Tensor) -> list[Tensor]:
    """Every cell predicts the nearest target exactly, and those that answer for one are sure of it."""
    heads = raw_heads(1)
    cells = decode_yolox_cells(SCALES, heads)
    middle = (targets[:, 1:3] + targets[:, 3:]) / 2
    nearest = torch.cdist(cells.centres, middle).argmin(1)
    start = 0
    for scale in SCALES:
        side = INPUT // scale.stride
        here = slice(start, start + side * side)
        box = targets[nearest[here], 1:]
        corner = cells.centres[here] / scale.stride - 0.5
        size = ((box[:, 2:] - box[:, :2]) / scale.stride).log()
        raw = torch.cat([(box[:, :2] + box[:, 2:]) / 2 / scale.stride - corner, size], 1)
        heads[scale.box][0] = raw.T.reshape(4, side, side)
        kinds = torch.nn.functional.one_hot(targets[nearest[here], 0].long(), CLASSES).float() * 40 - 20
        heads[scale.classes][0] = kinds.T.reshape(CLASSES, side, side)
        start += side * side
    owners = assign_simota(decode_yolox_cells(SCALES, heads), 0, targets)
    sure = torch.where(owners >= 0, 20.0, -20.0)
    parts = torch.split_with_sizes(sure, [heads[scale.objectness].numel() for scale in SCALES])
    for scale, part in zip(SCALES, parts, strict=True):
        heads[scale.objectness] = part.reshape(heads[scale.objectness].shape)
    return heads


def test_cells_decode_as_yolox_does() -> None:
    heads = raw_heads(1)
    heads[SCALES[1].box][0, :, 2, 3] = torch.tensor([0.25, 0.5, 0.3, -0.4])  # cell x 3, y 2
    raw = heads[SCALES[1].box][0, :, 2, 3]
    cells = decode_yolox_cells(SCALES, heads)
    cell = 16 * 16 + 2 * 8 + 3
    x, y = (3 + raw[0]) * 16, (2 + raw[1]) * 16
    width, height = raw[2].exp() * 16, raw[3].exp() * 16
    wanted = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
    torch.testing.assert_close(cells.boxes[0, cell], wanted)
    assert cells.centres[cell].tolist() == [3.5 * 16, 2.5 * 16]
    assert cells.boxes.shape == (1, 16 * 16 + 8 * 8 + 4 * 4, 4)


@pytest.mark.parametrize("targets", [TARGETS[0], TARGETS[2][:1]])
def test_a_perfect_prediction_has_hardly_any_loss(targets: Tensor) -> None:
    heads = perfect_heads(targets)
    assert simota_loss(SCALES, heads, [targets]) < 1e-3
    heads[SCALES[0].box] = heads[SCALES[0].box] + 0.5
    heads[SCALES[1].box] = heads[SCALES[1].box] + 0.5
    assert simota_loss(SCALES, heads, [targets]) > 0.1


def test_descent_on_the_raw_tensors_finds_the_labelled_boxes() -> None:
    heads = [tensor.requires_grad_() for tensor in raw_heads(len(TARGETS))]
    optimizer = torch.optim.Adam(heads, lr=0.1)
    losses = []
    for _ in range(150):
        loss = simota_loss(SCALES, heads, TARGETS)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.05 * losses[0]
    cells = decode_yolox_cells(SCALES, [tensor.detach() for tensor in heads])
    scores, kinds = (torch.sigmoid(cells.classes) * torch.sigmoid(cells.objectness)[..., None]).max(2)
    for picture, targets in enumerate(TARGETS):
        seen = scores[picture] > 0.5
        assert bool(seen.any()) == bool(len(targets))
        overlap = iou(targets[:, None, 1:], cells.boxes[picture, seen])
        assert (overlap.amax(1) > 0.8).all() if len(targets) else True
        for target, row in zip(targets, overlap, strict=True):
            assert kinds[picture, seen][row.argmax()] == target[0]
        assert (overlap.amax(0) > 0.8).all() if len(targets) else True  # and nothing else is found


@pytest.mark.parametrize("seed", range(20))
def test_every_visible_object_gets_a_cell(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    heads = [torch.randn(tensor.shape, generator=generator) for tensor in raw_heads(1)]
    low = torch.rand(40, 2, generator=generator) * (INPUT - 2)
    size = 2 + torch.rand(40, 2, generator=generator) ** 3 * (INPUT - 2 - low)
    kinds = torch.randint(CLASSES, (40, 1), generator=generator).float()
    targets = torch.cat([kinds, low, low + size], 1)
    targets[20:25] = targets[:5]  # the same box again competes for the same cells
    targets[25:30, 1:] = torch.tensor([0.0, 0.0, 2.0, 2.0])
    owners = assign_simota(decode_yolox_cells(SCALES, heads), 0, targets)
    assert set(owners.tolist()) == set(range(-1, 40))


def test_cells_of_an_object_lie_near_it() -> None:
    cells = decode_yolox_cells(SCALES, raw_heads(1))
    owners = assign_simota(cells, 0, TARGETS[0])
    for number, (_, x1, y1, x2, y2) in enumerate(TARGETS[0].tolist()):
        mine = owners == number
        assert 1 <= int(mine.sum()) <= 10
        assert (cells.centres[mine] > torch.tensor([x1, y1])).all()
        assert (cells.centres[mine] < torch.tensor([x2, y2])).all()


def test_pictures_without_objects_only_lower_objectness() -> None:
    heads = [tensor.requires_grad_() for tensor in raw_heads(1)]
    loss = simota_loss(SCALES, heads, [torch.zeros(0, 5)])
    loss.backward()  # type: ignore[no-untyped-call]
    for scale in SCALES:
        gradient = heads[scale.objectness].grad
        assert gradient is not None and (gradient > 0).all()
        for other in (heads[scale.box].grad, heads[scale.classes].grad):
            assert other is None or not other.any()


def test_a_runaway_size_leaves_the_loss_finite() -> None:
    heads = raw_heads(1)
    heads[0][:, 2:] = 200.0
    assert simota_loss(SCALES, heads, TARGETS[:1]).isfinite()


@pytest.mark.parametrize("classes", [3, 1])
def test_scales_are_recognised_in_the_graph(classes: int, tmp_path: Path) -> None:
    graph = read_graph(small_yolox(tmp_path / "m.onnx", classes=classes))
    scales = yolox_scales(graph)
    assert [scale.stride for scale in scales] == [8, 16]
    for scale in scales:
        channels = [graph.heads[p].shape[1] for p in (scale.box, scale.objectness, scale.classes)]
        assert channels == [4, 1, classes]


def test_other_families_are_refused(tmp_path: Path) -> None:
    check_family(DecoderSpec(family="yolox"))
    check_family(DecoderSpec(family="yolov8"))
    with pytest.raises(DataError, match="only yolox, yolov8, classifier have a supervised loss"):
        check_family(DecoderSpec(family="ssd"))
    with pytest.raises(DataError, match="give one box per object, the supervised losses several"):
        check_family(DecoderSpec(family="yolov8", nms="none"))
    with pytest.raises(DataError, match="are not box, objectness"):
        yolox_scales(read_graph(small_relu_net(tmp_path / "m.onnx")))


class Blocks(Dataset[TrainingSample]):
    """A bright block on noise; every other picture is labelled."""

    def __init__(self, labelled: bool = True) -> None:
        self._labelled = labelled

    def __len__(self) -> int:
        return RECIPE.steps * RECIPE.batch

    def __getitem__(self, index: int) -> TrainingSample:
        generator = torch.Generator().manual_seed(index)
        picture = (torch.rand(3, SIZE, SIZE, generator=generator) * 60).round()
        x, y = (int(torch.randint(0, 40, (), generator=generator)) for _ in range(2))
        picture[index % 3, y : y + 20, x : x + 20] = 250
        if index % 2 or not self._labelled:
            return TrainingSample(picture, torch.zeros(0, 5), False)
        return TrainingSample(
            picture, torch.tensor([[index % 3, x, y, x + 20, y + 20]], dtype=torch.float32), True
        )


def train(folder: Path, recipe: Recipe, pictures: Blocks, resume: bool = False) -> list[float]:
    network = calibrated(small_yolox(folder / "m.onnx"))
    teacher = copy.deepcopy(network)
    supervision = supervise(network.graph, DECODER)
    trainer = Trainer(
        network,
        Objective(teacher, supervision=supervision),
        TrainingPictures(pictures),
        recipe,
        Execution(folder, checkpoint_every=10),
    )
    if resume:
        trainer.resume()
    losses: list[float] = []

    def note(progress: TrainingProgress) -> None:
        assert progress.loss is not None
        losses.append(progress.loss)

    trainer.run(note)
    return losses


RECIPE = Recipe(steps=12, batch=4, weight_rate=5e-3)
DECODER = DecoderSpec(family="yolox", strides=(8, 16))


def test_labels_pull_the_network_and_repeat_exactly(tmp_path: Path) -> None:
    recipe = replace(RECIPE, supervised_weight=0.5)
    losses = train(tmp_path, recipe, Blocks())
    assert train(tmp_path, recipe, Blocks()) == losses
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])


def test_labels_without_weight_and_weight_without_labels_change_nothing(tmp_path: Path) -> None:
    plain = train(tmp_path, RECIPE, Blocks(labelled=False))
    assert train(tmp_path, RECIPE, Blocks()) == plain
    assert train(tmp_path, replace(RECIPE, supervised_weight=0.5), Blocks(labelled=False)) == plain
