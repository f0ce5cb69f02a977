"""The supervised loss of YOLOv8's family: decoding, who answers for an object, and where gradients lead."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from edgeagent.bundle.manifest import DecoderSpec
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import read_graph
from edgeagent.qat.network.network import Network
from edgeagent.qat.training.execution import Execution
from edgeagent.qat.training.objective import Objective, TrainingPictures
from edgeagent.qat.training.overlap import complete_iou, iou
from edgeagent.qat.training.recipe import Recipe
from edgeagent.qat.training.supervised import supervise
from edgeagent.qat.training.task_aligned import (
    BEST_ALIGNED,
    DistanceCells,
    DistanceScale,
    TargetAssignment,
    assign_task_aligned,
    decode_distance_cells,
    reach,
    task_aligned_loss,
    yolov8_scales,
)
from edgeagent.qat.training.trainer import Trainer, TrainingProgress
from edgeagent.vision.decoder import build_decoder
from tests.data import shared
from tests.qat.detectors import BINS, yolo11_like, yolov6_like, yolov8_like
from tests.qat.export.test_onnx_export import calibrated
from tests.qat.models import small_nanodet, small_relu_net, small_yolox
from tests.qat.training.test_supervised import Blocks
from tests.vision import raw_heads

CLASSES = 3
INPUT = 128
SCALES = tuple(DistanceScale(2 * k, 2 * k + 1, stride) for k, stride in enumerate((8, 16, 32)))
TARGETS = [
    torch.tensor([[0, 10, 12, 60, 70], [2, 70, 64, 126, 120], [1, 90, 5, 104, 21]], dtype=torch.float32),
    torch.zeros(0, 5),
    torch.tensor([[1, 4, 4, 124, 124], [1, 50, 50, 62, 60]], dtype=torch.float32),
]
BOX_FORMS = pytest.mark.parametrize("bins", [1, 17], ids=["distances", "bins"])


def heads_of(batch: int, bins: int, seed: int | None = None) -> list[Tensor]:
    """Raw tensors; without a seed each cell predicts a box around its centre, and is sure of nothing."""
    random = torch.Generator().manual_seed(seed or 0)
    heads = []
    for scale in SCALES:
        for channels in (4 * bins, CLASSES):
            shape = (batch, channels, INPUT // scale.stride, INPUT // scale.stride)
            is_plain_box = bins == 1 and channels == 4
            heads.append(torch.ones(shape) * is_plain_box)
            if seed is not None:
                noise = torch.randn(shape, generator=random)
                heads[-1] = noise.abs() if is_plain_box else noise
    return heads


def assigned(
    heads: list[Tensor], targets: list[Tensor]
) -> tuple[DistanceCells, Tensor, Tensor, TargetAssignment]:
    cells, rows = decode_distance_cells(SCALES, heads), torch.cat(targets)
    pictures = torch.tensor([number for number, some in enumerate(targets) for _ in range(len(some))])
    return cells, rows, pictures, assign_task_aligned(cells, rows, pictures.long())


@pytest.mark.parametrize("bins", [16, 8, 1])
def test_cells_decode_as_on_the_device(bins: int) -> None:
    given_heads = raw_heads.random_heads({"box": 4 * bins, "classes": CLASSES}, "nchw", False, 0)
    spec = DecoderSpec(family="yolov8", strides=raw_heads.STRIDES, reg_max=bins)
    decoder = build_decoder(
        spec, given_heads.tensors, given_heads.roles, raw_heads.SIZE, CLASSES, iou_threshold=1.0
    )
    found = decoder.decode(given_heads.outputs, 0.0)
    positions = {(item.role, item.stride): number for number, item in enumerate(given_heads.roles)}
    scales = [
        DistanceScale(positions["box", stride], positions["classes", stride], stride)
        for stride in spec.strides
    ]
    cells = decode_distance_cells(scales, [torch.from_numpy(output) for output in given_heads.outputs])
    scores, classes = cells.classes[0].sigmoid().max(1)
    mine = np.lexsort((cells.boxes[0, :, 0].numpy(), scores.numpy()))
    theirs = np.lexsort((found.boxes[:, 0], found.scores))
    assert len(found) == raw_heads.CELLS
    np.testing.assert_allclose(cells.boxes[0].numpy()[mine], found.boxes[theirs], rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(scores.numpy()[mine], found.scores[theirs], rtol=1e-5)
    np.testing.assert_array_equal(classes.numpy()[mine], found.classes[theirs])


@st.composite
def labels(draw: st.DrawFn) -> Tensor:
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        x, y = (draw(st.floats(0, INPUT - 4, width=32)) for _ in range(2))
        side = st.floats(2, INPUT, width=32)
        box = [x, y, min(INPUT, x + draw(side)), min(INPUT, y + draw(side))]
        rows.append([float(draw(st.integers(0, CLASSES - 1))), *box])
    rows += rows[: draw(st.integers(0, 2))]  # the same box again competes for the same cells
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)


@settings(deadline=None, max_examples=150)
@given(st.lists(labels(), min_size=1, max_size=3), st.integers(0, 1000), st.sampled_from([1, 8]))
def test_what_an_assignment_is(targets: list[Tensor], seed: int, bins: int) -> None:
    cells, rows, pictures, found = assigned(heads_of(len(targets), bins, seed), targets)
    in_reach = reach(cells, rows[:, 1:])
    assert in_reach.any(1).all()  # every box within the picture has a cell in reach
    assert in_reach[found.target, found.cell].all()
    assert (found.picture == pictures[found.target]).all()
    places = set(zip(found.picture.tolist(), found.cell.tolist(), strict=True))
    assert len(places) == len(found.cell)  # a cell serves one object
    for target in range(len(rows)):
        mine = found.target == target
        assert int(mine.sum()) <= BEST_ALIGNED
        if not mine.any():  # then all its cells serve others
            wanted = {(int(pictures[target]), int(cell)) for cell in torch.nonzero(in_reach[target])}
            assert wanted <= places
            continue
        overlaps = iou(cells.boxes[found.picture[mine], found.cell[mine]], rows[target, 1:])
        assert (found.soft[mine] <= overlaps.max() * (1 + 1e-5)).all()


def test_a_wide_box_reaches_exactly_the_cells_with_their_centre_in_it() -> None:
    cells = decode_distance_cells(SCALES, heads_of(1, 1))
    x1, y1, x2, y2 = 10.0, 12.0, 60.0, 70.0
    inside = [x1 <= x < x2 and y1 <= y < y2 for x, y in cells.centres.tolist()]
    assert reach(cells, torch.tensor([[x1, y1, x2, y2]]))[0].tolist() == inside
    assert reach(cells, torch.tensor([[2.0, 2.0, 3.0, 3.0]]))[0].nonzero().tolist() == [[0]]


def test_the_best_aligned_are_taken_and_their_soft_targets_follow_the_alignment() -> None:
    cells, rows, _, found = assigned(heads_of(1, 8, seed=5), [TARGETS[0][:1]])
    overlap = iou(cells.boxes[0], rows[0, 1:])
    alignment = cells.classes[0, :, 0].sigmoid().sqrt() * overlap**6
    alignment[~reach(cells, rows[:, 1:])[0]] = -1
    best = alignment.topk(BEST_ALIGNED)
    assert set(found.cell.tolist()) == set(best.indices.tolist())
    wanted = alignment[found.cell] / best.values[0] * overlap[best.indices].max()
    torch.testing.assert_close(found.soft, wanted)


def test_a_contested_cell_serves_whom_it_overlaps_most() -> None:
    heads = heads_of(1, 1)
    small, large = [1.0, 64.0, 64.0, 96.0, 96.0], [0.0, 0.0, 0.0, 128.0, 128.0]
    heads[4][0, :, 2, 2] = 0.5  # the cell of stride 32 that covers just the small box
    heads[5][0, 0, 2, 2] = 20.0  # but is sure of the large one's class
    _, _, _, found = assigned(heads, [torch.tensor([large, small])])
    cell = 16 * 16 + 8 * 8 + 2 * 4 + 2
    assert found.target[found.cell == cell].tolist() == [1]
    assert found.soft[found.cell == cell].tolist() == pytest.approx([1.0])


@BOX_FORMS
def test_descent_on_the_raw_tensors_finds_the_labelled_boxes(bins: int) -> None:
    heads = [tensor.requires_grad_() for tensor in heads_of(len(TARGETS), bins)]
    optimizer = torch.optim.Adam(heads, lr=0.1)
    losses = []
    for _ in range(200):
        loss = task_aligned_loss(SCALES, heads, TARGETS)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
    cells = decode_distance_cells(SCALES, [tensor.detach() for tensor in heads])
    scores, kinds = torch.sigmoid(cells.classes).max(2)
    for picture, targets in enumerate(TARGETS):
        seen = scores[picture] > 0.5
        assert bool(seen.any()) == bool(len(targets))
        overlap = iou(targets[:, None, 1:], cells.boxes[picture, seen])
        assert (overlap.amax(0) > 0.8).all() if len(targets) else True  # nothing else is found
        for target, row in zip(targets, overlap, strict=True):
            assert row.max() > 0.8
            assert kinds[picture, seen][row.argmax()] == target[0]


@BOX_FORMS
def test_pictures_without_objects_only_lower_the_scores(bins: int) -> None:
    heads = [tensor.requires_grad_() for tensor in heads_of(2, bins, seed=1)]
    task_aligned_loss(SCALES, heads, [torch.zeros(0, 5)] * 2).backward()  # type: ignore[no-untyped-call]
    for scale in SCALES:
        scores, box = heads[scale.classes].grad, heads[scale.box].grad
        assert scores is not None
        assert (scores > 0).all()
        assert box is None or not box.any()


@BOX_FORMS
def test_pictures_do_not_disturb_each_other(bins: int) -> None:
    heads = heads_of(len(TARGETS), bins, seed=2)
    _, _, pictures, together = assigned(heads, TARGETS)
    for number, targets in enumerate(TARGETS):
        _, _, _, alone = assigned([head[number : number + 1] for head in heads], [targets])
        mine = together.picture == number
        assert together.cell[mine].tolist() == alone.cell.tolist()
        torch.testing.assert_close(together.soft[mine], alone.soft)
    assert len(pictures) == 5


def test_bins_split_a_distance_between_its_neighbours() -> None:
    heads = [tensor.requires_grad_() for tensor in heads_of(1, 8, seed=3)]
    target = torch.tensor([[0, 30.0, 30.0, 66.0, 66.0]])
    heads[2].data[..., 3, 3] = -20.0  # centre (56, 56) of stride 16: 26, 26, 10, 10
    heads[2].data.view(4, 8, 8, 8)[:, [0, 1, 2], 3, 3] = 0.0
    task_aligned_loss(SCALES, heads, [target]).backward()  # type: ignore[no-untyped-call]
    gradient = heads[2].grad
    assert gradient is not None
    pulled = gradient.view(4, 8, 8, 8)[:, :, 3, 3] < 0
    assert pulled[0, [1, 2]].all() and not pulled[0, 0]  # 26 / 16 lies between 1 and 2
    assert pulled[2, [0, 1]].all() and not pulled[2, 2]  # 10 / 16 between 0 and 1


@pytest.mark.parametrize("box", [[0.0, 0.0, 1e9, 1e9], [5.0, 5.0, 5.0, 5.0], [9.0, 9.0, 1.0, 1.0]])
def test_odd_boxes_leave_loss_and_gradient_finite(box: list[float]) -> None:
    heads = heads_of(1, 1)
    heads[0][:] = torch.tensor([[-1e6, 0.0, 1e6, -30.0]]).reshape(1, 4, 1, 1)
    heads = [tensor.requires_grad_() for tensor in heads]
    loss = task_aligned_loss(SCALES, heads, [torch.tensor([[1.0, *box]])])
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert all(head.grad is None or head.grad.isfinite().all() for head in heads)


def test_complete_iou_by_hand() -> None:
    box = torch.tensor([0.0, 0.0, 10.0, 20.0])
    assert complete_iou(box, box) == pytest.approx(1.0)
    beside = torch.tensor([10.0, 0.0, 20.0, 20.0])  # same shape, centres 10 apart, diagonal^2 = 800
    assert complete_iou(box, beside) == pytest.approx(-100 / 800)
    across = torch.tensor([-5.0, 5.0, 15.0, 15.0])  # same centre, other shape
    shape = 4 / np.pi**2 * (np.arctan(2) - np.arctan(0.5)) ** 2
    wanted = 1 / 3 - shape**2 / (1 - 1 / 3 + shape)
    assert complete_iou(box, across) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("build", "bins"),
    [(yolov8_like, BINS), (yolo11_like, BINS), (yolov6_like, 16), (small_nanodet, 2)],
)
def test_scales_are_recognised_in_the_graph(build: Callable[[Path], Path], bins: int, tmp_path: Path) -> None:
    graph = read_graph(build(tmp_path / "m.onnx"))
    scales = yolov8_scales(graph, bins)
    assert [scale.stride for scale in scales] == [8, 16]
    for scale in scales:
        assert graph.heads[scale.box].shape[1] in (4, 4 * bins)
        assert not graph.heads[scale.box].logits
        assert graph.heads[scale.classes].shape[1] == 3


@pytest.mark.data
def test_scales_of_a_real_nanodet() -> None:
    graph = read_graph(shared("models", "nanodet_m_416.onnx"))
    scales = yolov8_scales(graph, 8)
    assert sorted(scale.stride for scale in scales) == [8, 16, 32]
    assert {graph.heads[scale.box].shape[1] for scale in scales} == {32}
    assert {graph.heads[scale.classes].shape[1] for scale in scales} == {80}


@pytest.mark.parametrize(
    ("build", "decoder", "sentence"),
    [
        (small_yolox, DecoderSpec(family="yolov8"), "8x8 cells .* are not box .4 or 64 channels. and cl"),
        (small_relu_net, DecoderSpec(family="yolov8"), "are not box"),
        (yolov8_like, DecoderSpec(family="yolov8", reg_max=8), "are not box .4 or 32 channels."),
        (yolov8_like, DecoderSpec(family="yolox"), "are not box, objectness and classes"),
        (yolov8_like, DecoderSpec(family="ssd"), "ssd has none; train on --images without"),
    ],
)
def test_other_heads_are_refused(
    build: Callable[[Path], Path], decoder: DecoderSpec, sentence: str, tmp_path: Path
) -> None:
    graph = read_graph(build(tmp_path / "m.onnx"))
    with pytest.raises(DataError, match=sentence):
        supervise(graph, decoder)


@pytest.mark.parametrize(("build", "bins"), [(yolov8_like, BINS), (yolov6_like, 1)])
def test_labels_pull_a_network_and_repeat_exactly(
    build: Callable[[Path], Path], bins: int, tmp_path: Path
) -> None:
    recipe = Recipe(steps=12, batch=4, weight_rate=5e-3, supervised_weight=0.5)

    def losses() -> list[float]:
        network: Network = calibrated(build(tmp_path / "m.onnx"))
        supervision = supervise(network.graph, DecoderSpec(family="yolov8", reg_max=bins))
        objective = Objective(copy.deepcopy(network), supervision=supervision)
        pictures = TrainingPictures(Blocks())
        trainer = Trainer(network, objective, pictures, recipe, Execution(tmp_path))
        seen: list[float] = []

        def note(progress: TrainingProgress) -> None:
            assert progress.loss is not None
            seen.append(progress.loss)

        trainer.run(note)
        return seen

    first = losses()
    assert losses() == first
    assert sum(first[-4:]) < 0.9 * sum(first[:4])
