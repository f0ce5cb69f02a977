"""Heads of classifiers and segmenters."""

from __future__ import annotations

from dataclasses import replace

from edgeagent.bundle.manifest import ModelDescription
from edgeagent.errors import DataError
from edgeagent.qat.graph.graph import Graph


def with_category(graph: Graph) -> Graph:
    """Return a graph whose heads have the role ``category``."""
    return replace(
        graph, heads=tuple(replace(head, role="category", logits=True, anchors=0) for head in graph.heads)
    )


def check_category_head(graph: Graph, description: ModelDescription) -> None:
    """Check the only head of a classifier or segmenter against its description.

    Raises:
        DataError: there are several heads, or the head has another shape or another number of classes.
    """
    task, labels = description.task, len(description.labels)
    heads = ", ".join(f"{head.tensor} {head.shape[1:]}" for head in graph.heads)
    if len(graph.heads) != 1:
        raise DataError(
            f"a model for {task} has one head with the scores of all classes; found are {heads}; name the "
            "one with --head NAME, or correct the task in the description"
        )
    _, channels, height, width = graph.heads[0].shape
    if task == "classification" and (height, width) != (1, 1):
        raise DataError(
            f"a classifier gives one row of scores for the picture, the head {heads} gives {height} x "
            f"{width}; correct the task in the description, or name another head"
        )
    if channels != labels and not (task == "segmentation" and (channels, labels) == (1, 2)):
        raise DataError(
            f"head {graph.heads[0].tensor} tells {channels} classes apart, the description lists {labels} "
            "labels; correct the labels"
        )
