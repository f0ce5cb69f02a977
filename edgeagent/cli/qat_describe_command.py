"""Execution of ``edgeagent qat describe``: search, tables, description, pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from edgeagent.accuracy.coco_map import GroundTruth
from edgeagent.accuracy.evaluation import ground_truth
from edgeagent.cli.json_result import give_result
from edgeagent.cli.qat_progress import TerminalProgress
from edgeagent.datasets.yolo_labels import LabelledPictures
from edgeagent.errors import DataError
from edgeagent.files.atomic import SHARED_FOLDER
from edgeagent.files.durable import make_folder
from edgeagent.imaging.frame import Image
from edgeagent.imaging.picture import read_picture
from edgeagent.qat.description.choice import Choice
from edgeagent.qat.description.description_file import write_description
from edgeagent.qat.description.drawing import draw_trials
from edgeagent.qat.description.proposal import Proposal, classes_of, propose
from edgeagent.qat.description.trials import Trial
from edgeagent.qat.factory.progress import Reporter
from edgeagent.qat.pictures.finding import evenly_spread, find_pictures

DRAWN, SIDE_BY_SIDE = 8, 3
"""Number of pictures that are drawn, and of ways beside each other."""


def propose_and_write(arguments: argparse.Namespace, out: Path) -> int:
    """Run the command with the arguments of :mod:`edgeagent.cli.qat_describe`."""
    view = TerminalProgress()
    reporter, heads = Reporter(view), tuple(arguments.head or ())
    paths, pictures = _readable(find_pictures([arguments.pictures]), arguments.count, reporter)
    truths = None
    if arguments.labels is not None:
        truths = _truths(paths, pictures, arguments.labels, classes_of(arguments.model, heads))
    proposal = propose(arguments.model, pictures, truths, reporter, heads)
    view.console.print(
        _table("colours and normalization", proposal.colours, proposal.colour_choice, proposal)
    )
    view.console.print(_table("placement", proposal.placements, proposal.placement_choice, proposal))
    for remark in proposal.remarks:
        view.console.print(remark, markup=False)
    write_description(out, proposal.description, arguments.model, proposal.remarks, heads)
    view.console.print(f"description: {out}", markup=False)
    if arguments.draw is not None:
        make_folder(arguments.draw, SHARED_FOLDER)
        drawn = draw_trials(
            arguments.draw,
            list(zip(paths, pictures, strict=True))[:DRAWN],
            _shown(proposal),
            proposal.description.labels,
        )
        view.console.print(f"{len(drawn)} pictures: {arguments.draw}", markup=False)
    give_result(arguments, _as_json(proposal))
    return 0


def _readable(found: Sequence[Path], count: int, reporter: Reporter) -> tuple[list[Path], list[Image]]:
    """Return at most ``count`` pictures with their paths; damaged ones are left out with a message.

    Raises:
        DataError: no picture can be read.
    """
    paths, pictures, damaged = list[Path](), list[Image](), list[DataError]()
    for path in evenly_spread(found, count):
        try:
            pictures.append(read_picture(path))
            paths.append(path)
        except DataError as error:
            damaged.append(error)
    if damaged and not pictures:
        raise damaged[0]
    if damaged:
        more = f" (and {len(damaged) - 1} more pictures)" if len(damaged) > 1 else ""
        reporter.message(f"left out: {damaged[0]}{more}")
    return paths, pictures


def _truths(
    paths: Sequence[Path], pictures: Sequence[Image], labels: Path, classes: int
) -> list[GroundTruth]:
    names = [str(number) for number in range(classes)]
    found = LabelledPictures.pair(paths, labels).read(names)
    return [
        ground_truth(own, picture.shape[1], picture.shape[0])
        for own, picture in zip(found, pictures, strict=True)
    ]


def _shown(proposal: Proposal) -> list[Trial]:
    """Return the chosen way, then the best others."""
    ways = {trial.preprocessing: trial for trial in (*proposal.colours, *proposal.placements)}
    ways.pop(proposal.best.preprocessing)
    others = sorted(ways.values(), key=lambda trial: -trial.score)
    return [proposal.best, *others[: SIDE_BY_SIDE - 1]]


def _table(title: str, trials: Sequence[Trial], choice: Choice, proposal: Proposal) -> Table:
    kind = "mAP50-95" if proposal.labelled else "objects found again"
    table = Table(title=f"{title}, {proposal.pictures} pictures")
    for column in ("way", kind, "highest score", ""):
        table.add_column(column, justify="left" if column in ("way", "") else "right")
    for trial in trials:
        mark = "proposed" if trial is choice.trial else "not told apart" if trial in choice.alike else ""
        table.add_row(trial.preprocessing.name, f"{trial.score:.3f}", f"{trial.highest:.2f}", mark)
    return table


def _as_json(proposal: Proposal) -> dict[str, object]:
    def rows(trials: Sequence[Trial], choice: Choice) -> list[dict[str, object]]:
        return [
            {
                "way": trial.preprocessing.name,
                "score": round(trial.score, 4),
                "highest": round(trial.highest, 4),
                "proposed": trial is choice.trial,
                "told_apart": trial is choice.trial or trial not in choice.alike,
            }
            for trial in trials
        ]

    return {
        "score_is": "mAP50-95" if proposal.labelled else "objects found again in the other view, per picture",
        "pictures": proposal.pictures,
        "colours": rows(proposal.colours, proposal.colour_choice),
        "placements": rows(proposal.placements, proposal.placement_choice),
        "remarks": list(proposal.remarks),
        "description": proposal.description.model_dump(mode="json"),
    }
