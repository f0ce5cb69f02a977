"""Pictures of a training and held-out pictures."""

from __future__ import annotations

from pathlib import Path

from edgeagent.qat.pictures.finding import hold_out


def test_held_out_pictures_are_even_few_and_not_trained_on() -> None:
    pictures = [Path(f"{number}.jpg") for number in range(2000)]
    rest, held = hold_out([*pictures, *pictures[:100]])
    assert len(held) == 64
    assert not set(rest) & set(held)
    assert len(rest) == 2100 - 64 - len(set(held) & set(pictures[:100]))
    assert hold_out(pictures[:30])[1] == pictures[:30:10]
    assert hold_out(pictures[:5]) == (pictures[:5], [])
