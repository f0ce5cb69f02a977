"""Drift over simulated days: what comes back every day or passes is no alarm, what stays is."""

from __future__ import annotations

import numpy as np
import pytest

from edgeagent.accuracy.drift import DAY, HOLD, LARGE, LEAST_FRAMES, SLOT, SMALL, Drift, Hysteresis
from edgeagent.accuracy.scene import QUANTITIES, SceneCounts
from edgeagent.accuracy.two_samples import stability_index
from edgeagent.vision.detections import Detections
from tests.accuracy.simulated_days import LABELS, SAMPLES, Scene, watch

REFERENCE_DAYS = 2


@pytest.fixture(scope="module")
def learned() -> Drift:
    """What a camera has shown in the first days; to be copied."""
    drift = Drift(len(LABELS), REFERENCE_DAYS)
    assert watch(drift, Scene(), REFERENCE_DAYS) == []
    assert drift.state == "collecting"
    assert drift.reference_frames == REFERENCE_DAYS * SAMPLES
    return drift


def again(learned: Drift) -> Drift:
    return Drift(len(LABELS), REFERENCE_DAYS, learned.snapshot())


def test_a_week_with_nights_weather_and_a_gloomy_spell_is_no_alarm(learned: Drift) -> None:
    drift, scene = again(learned), Scene(weather=0.3)
    assert watch(drift, scene, 2) == []
    assert drift.state == "steady"
    assert set(drift.comparisons) == set(QUANTITIES)
    assert watch(drift, scene, 3, weather=0.4) == []
    assert drift.comparisons["brightness"].stability_index > LARGE, "it is seen, and does not last"
    assert watch(drift, scene, 2) == []
    assert drift.state == "steady"
    for name in ("score", "label", "area"):
        assert drift.comparisons[name].stability_index < SMALL


def test_night_and_noon_by_themselves_would_be_an_alarm() -> None:
    """So it is the whole days that keep dawn quiet."""
    night, noon = SceneCounts(len(LABELS)), SceneCounts(len(LABELS))
    samples = list(Scene().day())
    for counts, hours in ((night, (0, 4)), (noon, (10, 14))):
        for detections, image in samples[hours[0] * SLOT : hours[1] * SLOT]:
            counts.record(detections, image)
    assert stability_index(night.counts["brightness"], noon.counts["brightness"]) > LARGE


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (Scene(light=0.7, surety=-0.15), ["score"]),  # dirt on the lens
        (Scene(area=-2.5), ["area"]),  # moved closer
        (Scene(cars=0.1), ["label"]),  # turned away from the road
    ],
)
def test_what_stays_changed_is_found_within_three_days(
    learned: Drift, changed: Scene, found: list[str]
) -> None:
    drift = again(learned)
    assert watch(drift, Scene(), 1) == []
    (begins,) = watch(drift, changed, 3)
    assert begins > HOLD["score"] * SLOT, "not at once"
    assert drift.drifted == found
    assert drift.state == "drifted"
    for name in found:
        assert drift.comparisons[name].drifted  # type: ignore[index]
        assert drift.comparisons[name].p_value < 1e-3  # type: ignore[index]


def test_it_is_over_when_the_lens_is_clean(learned: Drift) -> None:
    drift = again(learned)
    assert len(watch(drift, Scene(surety=-0.2), 4)) == 1
    (ends,) = watch(drift, Scene(), 3)
    assert ends > HOLD["score"] * SLOT
    assert drift.state == "steady"


def test_darkness_that_outlasts_the_weather_is_found(learned: Drift) -> None:
    drift = again(learned)
    assert watch(drift, Scene(), 1) == []
    (begins,) = watch(drift, Scene(light=0.45), 9)
    assert begins > 7 * SAMPLES
    assert drift.drifted == ["brightness"]


def test_what_was_kept_goes_on_where_it_was(learned: Drift) -> None:
    through, parts = again(learned), again(learned)
    for part in np.array_split(np.arange(round(2.3 * SAMPLES)), 5):
        parts = Drift(len(LABELS), REFERENCE_DAYS, parts.snapshot())
        watch(parts, Scene(surety=-0.2, chance=np.random.default_rng(part[0])), len(part) / SAMPLES)
        watch(through, Scene(surety=-0.2, chance=np.random.default_rng(part[0])), len(part) / SAMPLES)
    assert parts.comparisons == through.comparisons
    assert parts.comparisons
    assert (parts.state, parts.window_frames) == (through.state, through.window_frames)


@pytest.mark.parametrize("found", [0.0, 0.001], ids=["nothing", "a false alarm now and then"])
def test_a_model_that_finds_nothing_any_more_in_the_same_light_is_found(learned: Drift, found: float) -> None:
    drift = again(learned)
    assert watch(drift, Scene(), 1) == []
    assert watch(drift, Scene(found=found), 3) == [], "a long weekend is no drift"
    (begins,) = watch(drift, Scene(found=found), 2)
    assert begins < 2 * SAMPLES
    assert drift.state == "drifted"
    assert set(drift.drifted) == {"score", "label", "area", "detections"}
    for name in ("score", "label", "area"):
        assert drift.comparisons[name].vanished
        assert drift.comparisons[name].stability_index > LARGE
    assert not drift.comparisons["brightness"].vanished


def test_a_file_without_numbers_of_detections_still_finds_what_vanished(learned: Drift) -> None:
    saved = learned.snapshot()
    for counts in (saved.reference, saved.filling, *saved.window):
        counts.counts["detections"][:] = 0
        counts.contributing["detections"] = 0
    drift = Drift(len(LABELS), REFERENCE_DAYS, saved)
    assert watch(drift, Scene(), 1) == []
    assert set(drift.comparisons) == {*QUANTITIES} - {"detections"}
    assert len(watch(drift, Scene(found=0.0), 5)) == 1
    assert set(drift.drifted) == {"score", "label", "area"}


def test_numbers_of_detections_of_a_part_of_the_reference_are_not_compared(learned: Drift) -> None:
    saved = learned.snapshot()
    saved.reference.contributing["detections"] -= SLOT
    drift = Drift(len(LABELS), REFERENCE_DAYS, saved)
    watch(drift, Scene(), 1)
    assert "detections" not in drift.comparisons
    assert "brightness" in drift.comparisons


def test_a_quantity_that_was_rare_has_not_vanished() -> None:
    drift = Drift(len(LABELS), 1)
    thing = Detections(np.ones((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))
    for sample in range(2 * SAMPLES):
        drift.record(
            thing if sample < LEAST_FRAMES - 1 else Detections.empty(), np.zeros((1, 1, 3), np.uint8)
        )
        drift.compare_new_slots()
    assert list(drift.comparisons) == ["brightness", "detections"]


def test_a_scene_where_nothing_happens_is_judged_by_its_light_and_by_nothing_happening() -> None:
    drift = Drift(len(LABELS), 1)
    empty = next(iter(Scene().day()))[0]
    assert len(empty) == 0
    image = np.full((1, 1, 3), 80, np.uint8)
    for _ in range(2 * SAMPLES):
        drift.record(empty, image)
        drift.compare_new_slots()
    assert list(drift.comparisons) == ["brightness", "detections"]
    assert drift.comparisons["detections"].stability_index == 0
    assert drift.comparisons["brightness"].stability_index == 0
    assert LEAST_FRAMES < DAY * SLOT


@pytest.mark.parametrize("least", [1, 3, 36])
def test_a_hold_turns_only_after_enough_in_a_row(least: int) -> None:
    hysteresis = Hysteresis()
    for _ in range(5):
        for _ in range(least - 1):
            hysteresis.record(LARGE, 0.0, least)
        hysteresis.record(SMALL, 0.0, least)
    assert not hysteresis.drifted
    for _ in range(least):
        assert not hysteresis.drifted
        hysteresis.record(LARGE, 0.0, least)
    assert hysteresis.drifted
    for _ in range(least + 5):
        hysteresis.record((LARGE + SMALL) / 2, 0.0, least)
    assert hysteresis.drifted, "neither large nor small changes nothing"
    for _ in range(least):
        assert hysteresis.drifted
        hysteresis.record(SMALL / 2, 0.0, least)
    assert not hysteresis.drifted


def test_a_large_change_that_may_be_chance_is_none() -> None:
    hysteresis = Hysteresis()
    hysteresis.record(10.0, 0.01, 1)
    assert not hysteresis.drifted
