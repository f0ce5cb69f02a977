from __future__ import annotations

from edgeagent.daemon.alarms import Alarms
from edgeagent.detection.serving_state import Change


def codes(alarms: Alarms) -> list[str]:
    return [problem.code for problem in alarms.message("a").problems]


def test_trouble_of_the_board_stands_beside_that_of_the_delegate() -> None:
    alarms = Alarms()
    alarms.update("throttled", "hot")
    alarms.update_serving(Change("b", best=False, reason="a died"))
    assert sorted(codes(alarms)) == ["fallback_delegate", "throttled"]
    alarms.update_serving(Change("a", best=True, reason=""))
    alarms.update("under_voltage", "weak")
    assert codes(alarms) == ["throttled", "under_voltage"]
    alarms.update("throttled", None)
    alarms.update("throttled", None)
    assert codes(alarms) == ["under_voltage"]


def test_each_camera_drifts_by_itself() -> None:
    alarms = Alarms()
    alarms.update_drift("yard", "moved")
    alarms.update_drift("gate", "dirty")
    assert codes(alarms) == ["drift", "drift"]
    alarms.update_drift("yard", None)
    (left,) = alarms.message("a").problems
    assert (left.code, left.text) == ("drift", "dirty")


def test_each_lost_camera_is_a_problem_until_it_is_back() -> None:
    alarms = Alarms()
    alarms.update_camera("camera_lost", "yard", "camera yard is lost: no such device")
    alarms.update_camera("camera_lost", "gate", "camera gate is lost: refused")
    alarms.update_camera("drift", "yard", "moved")
    alarms.update_camera("camera_lost", "gate", None)
    alarms.update_camera("camera_lost", "gate", None)
    lost, drift = alarms.message("a").problems
    assert (lost.code, lost.camera, drift.code, drift.camera) == ("camera_lost", "yard", "drift", "yard")
