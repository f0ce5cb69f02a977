"""The keys ``regions`` and ``tiles`` of a camera: parts of the picture that the detector also sees alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from edgeagent.settings.types import Fraction, SettingsSection

if TYPE_CHECKING:
    from edgeagent.settings.sections.camera import CameraSettings

MOST_REGIONS = 16
LEAST_SIDE = 0.05

ShareRegion = tuple[float, float, float, float]


def _checked(region: ShareRegion) -> ShareRegion:
    x1, y1, x2, y2 = region
    if x2 - x1 < LEAST_SIDE or y2 - y1 < LEAST_SIDE:
        raise ValueError(
            f"expected [x1, y1, x2, y2] in shares of the picture, x2 and y2 greater by {LEAST_SIDE:g} or more"
        )
    return region


Regions = Annotated[
    tuple[Annotated[tuple[Fraction, Fraction, Fraction, Fraction], AfterValidator(_checked)], ...],
    Field(max_length=MOST_REGIONS),
]


class TileSettings(SettingsSection):
    """Tiles: regions that cover the whole picture.

    Attributes:
        columns, rows: number of tiles.
        overlap: share of a tile that its neighbour shows, too; far objects should fit into it.
    """

    columns: Annotated[int, Field(ge=1, le=4)] = 2
    rows: Annotated[int, Field(ge=1, le=4)] = 1
    overlap: Annotated[float, Field(ge=0, le=0.5)] = 0.2


def tile_regions(tiles: TileSettings) -> tuple[ShareRegion, ...]:
    """Return the tiles as regions, row by row; their outer sides are those of the picture."""
    columns, rows = (_intervals(count, tiles.overlap) for count in (tiles.columns, tiles.rows))
    return tuple((x1, y1, x2, y2) for y1, y2 in rows for x1, x2 in columns)


def camera_regions(camera: CameraSettings) -> tuple[ShareRegion, ...]:
    """Return all regions of a camera: those that are listed, and its tiles."""
    return (*camera.regions, *(tile_regions(camera.tiles) if camera.tiles is not None else ()))


def _intervals(count: int, overlap: float) -> list[tuple[float, float]]:
    length = 1 / (count - (count - 1) * overlap)
    step = length * (1 - overlap)
    return [(number * step, min(1.0, number * step + length)) for number in range(count)]
