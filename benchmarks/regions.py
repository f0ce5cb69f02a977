"""Far objects with tiles and without: occupied spaces of a parking lot.

::

    python benchmarks/regions.py --parking ../shared/data/parking --score 0.3

A space counts as occupied where the centre of a vehicle is in it (``benchmarks/parking.py``). Small spaces
are those whose longer side is below :data:`SMALL_PX`. The cost is the time of the detector for a picture, in
turns with and without tiles in one run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from parking import VEHICLES, Space, describe, occupied, outcome, read_sequence

from edgeagent.api.detector import DetectorSession, open_detector
from edgeagent.detection.frame_parts import FrameParts, merge_parts
from edgeagent.imaging.frame import Image
from edgeagent.settings.sections.regions import TileSettings, tile_regions
from edgeagent.vision.detections import Detections

SMALL_PX = 90.0
TILES = ((1, 1), (2, 1), (2, 2), (3, 2))


def detect(detector: DetectorSession, image: Image, parts: FrameParts) -> Detections:
    """Return the detections of all parts of a picture."""
    crops = parts.crops(image)
    return merge_parts([crop.to_frame(detector(crop.view(image))) for crop in crops], crops)


def side(space: Space) -> float:
    """Return the longer side of a space in pixels."""
    return float((space.corners.max(0) - space.corners.min(0)).max())


def main() -> None:
    """Print one table a bundle."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parking", type=Path, required=True, help="folder of the sequences")
    parser.add_argument("--bundle", action="append", help="repeatable (default: coco-nano and coco-small)")
    parser.add_argument("--score", type=float, default=0.3, help="lowest score")
    parser.add_argument("--engine", default="onnxruntime")
    options = parser.parse_args()
    for bundle in options.bundle or ["coco-nano", "coco-small"]:
        counts: dict[tuple[Any, str], Counter[str]] = {}
        took: dict[Any, list[float]] = {tiles: [] for tiles in TILES}
        with open_detector(
            bundle, engine=options.engine, threads=1, isolated=False, score_threshold=options.score
        ) as detector:
            for sequence in sorted(options.parking.glob("sequence*")):
                for _, image, spaces in read_sequence(sequence):
                    for tiles in TILES:
                        regions = (
                            ()
                            if tiles == (1, 1)
                            else tile_regions(
                                TileSettings.model_validate({"columns": tiles[0], "rows": tiles[1]})
                            )
                        )
                        began = time.perf_counter()
                        found = detect(detector, image, FrameParts(regions))
                        took[tiles].append(time.perf_counter() - began)
                        named = np.array([found.labels[number] in VEHICLES for number in found.classes], bool)
                        hits = occupied("center", spaces, found.take(named), (image.shape[1], image.shape[0]))
                        for space, hit in zip(spaces, hits, strict=True):
                            size = "small" if side(space) < SMALL_PX else "large"
                            for key in (size, "all"):
                                result = outcome(hit, space.occupied)
                                counts.setdefault((tiles, key), Counter()).update([result])
        print(
            f"\n{bundle}\n\n| tiles | spaces | hit | missed | false | free | accuracy | precision | recall |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for (tiles, key), each in sorted(counts.items()):
            name = "none" if tiles == (1, 1) else f"{tiles[0]} x {tiles[1]}"
            print(f"| {name} | {key} | {describe(each)}")
        for tiles in TILES:
            ratio = statistics.median(
                one / base for one, base in zip(took[tiles], took[TILES[0]], strict=True)
            )
            print(
                f"{tiles[0]} x {tiles[1]}: time over that without {ratio:.2f} (median of {len(took[tiles])})"
            )


if __name__ == "__main__":
    main()
