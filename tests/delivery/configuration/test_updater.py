"""Configurations arrive at a board, are tried, and are left again; states of the disk and of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgeagent.delivery.configuration.record import WorkingParts
from edgeagent.delivery.configuration.serving import ServedConfiguration
from edgeagent.delivery.configuration.store import GOOD, RECORD
from edgeagent.delivery.repository.channel_entry import Rollout, Window
from edgeagent.errors import DeliveryError
from edgeagent.timing.guarded_thread import subscribe
from tests.delivery.configuration.board import ALL_WORKS, ConfiguredBoard
from tests.delivery.signed_repository import Repository

FIRST = {"telemetry": {"interval": "1s"}}
SECOND = {"telemetry": {"interval": "2s"}}


def interval(served: ServedConfiguration) -> float:
    return served.settings.telemetry.interval


def broken_by(version: str) -> object:
    """Return what works: everything, but nothing with a version."""

    def works(served: ServedConfiguration) -> WorkingParts:
        return WorkingParts() if served.version == version else ALL_WORKS

    return works


def test_the_way_of_a_configuration(board: ConfiguredBoard, repository: Repository) -> None:
    board.start()
    assert interval(board.served) == 10.0
    repository.configure(FIRST, "1.0.0")
    board.check()
    board.until_state("trial", "1.0.0")
    assert board.store.record.current is None
    served = board.start_again()
    assert (interval(served), served.version) == (1.0, "1.0.0")
    good = board.until_state("good", "1.0.0")
    assert good.current is not None
    assert served.trial is None
    repository.configure(SECOND, "2.0.0")
    board.take("2.0.0")
    assert board.store.record.previous == good.current
    assert [(one.state, one.configuration.version) for one in board.ended] == [
        ("good", "1.0.0"),
        ("good", "2.0.0"),
    ]
    board.stop()
    assert interval(board.start()) == 2.0


def test_what_does_not_work_goes_back_and_is_not_tried_again(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.start()
    repository.configure(FIRST, "1.0.0")
    board.take("1.0.0")
    board.works = broken_by("2.0.0")  # type: ignore[assignment]
    repository.configure(SECOND, "2.0.0")
    board.check()
    assert interval(board.start_again()) == 2.0
    board.until_state("rolled_back", "2.0.0")
    assert interval(board.start_again()) == 1.0
    reason = board.ended[-1].reason or ""
    assert "camera yard delivers no frames; nothing is detected; the broker" in reason
    assert board.updater.problems()["configuration_rolled_back"] == f"configuration 2.0.0: {reason}"
    board.check()
    assert "bad on this device" in board.until_waiting("configuration 2.0.0")
    repository.configure(SECOND, "2.1.0")
    board.works = lambda served: ALL_WORKS
    board.take("2.1.0")
    assert board.updater.problems() == {"configuration_refused": None, "configuration_rolled_back": None}


def test_what_did_not_work_before_need_not_work_now(board: ConfiguredBoard, repository: Repository) -> None:
    board.works = lambda served: WorkingParts()
    board.start()
    repository.configure(FIRST, "1.0.0")
    board.take("1.0.0")


def test_a_stop_does_not_count_and_kills_do(board: ConfiguredBoard, repository: Repository) -> None:
    board.fields["configuration"] = {"within": "1h", "steady": "1h", "strikes": 2}
    board.start()
    repository.configure(FIRST, "1.0.0")
    board.check()
    board.start_again()
    for _ in range(3):
        board.stop()
        assert board.start().trial is not None
    for starts in (1, 2):
        assert board.store.record.deployment is not None
        assert board.store.record.deployment.starts == starts
        board.served.close(clean=False)
        board.stop()
        board.start()
    assert board.served.version is None
    assert board.until_state("rolled_back", "1.0.0").bad[0].reason.startswith("2 starts of the agent")


def test_policy_window_and_a_model_on_trial_delay_it(board: ConfiguredBoard, repository: Repository) -> None:
    board.start()
    none = Rollout(id="1", percent=0.0)
    entry = repository.configure(FIRST, "1.0.0", rollout=none)
    board.check()
    board.until_waiting("0 % of the devices")
    now = board.updater._context.device().local_time
    hour = (now.hour + 12) % 24
    closed = Rollout(id="1", window=Window(begin=f"{hour:02}:00", end=f"{hour:02}:01"))
    repository.change_configurations([entry.model_copy(update={"rollout": closed})])
    board.check()
    board.until_waiting("serves from")
    assert board.store.record.pending is not None
    assert board.store.record.pending.state == "staged"
    board.busy = "tiny 1.0.0 is tried first"
    repository.change_configurations([entry.model_copy(update={"rollout": Rollout(id="1")})])
    board.check()
    board.until_waiting("is tried first")
    board.busy = None
    board.start_again()
    board.until_state("good", "1.0.0")


def test_a_newer_one_takes_the_place_of_one_that_waits(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.busy = "a model is tried"
    board.start()
    repository.configure(FIRST, "1.0.0")
    board.check()
    board.until_state("staged", "1.0.0")
    repository.configure(SECOND, "2.0.0")
    board.check()
    board.until_state("staged", "2.0.0")
    board.busy = None
    board.start_again()
    board.until_state("good", "2.0.0")


def test_withdrawn_ones_are_left(board: ConfiguredBoard, repository: Repository) -> None:
    board.start()
    first = repository.configure(FIRST, "1.0.0")
    board.take("1.0.0")
    second = repository.configure(SECOND, "2.0.0")
    board.take("2.0.0")
    gone = second.model_copy(update={"withdrawn": "too slow"})
    repository.change_configurations([first, gone])
    board.take("1.0.0")
    repository.change_configurations([first.model_copy(update={"withdrawn": "wrong"}), gone])
    board.check()
    assert board.start_again().version is None
    assert board.store.record.current is None


def test_a_configuration_on_trial_that_is_withdrawn_is_left_and_not_bad(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.fields["configuration"] = {"within": "1h", "steady": "1h"}
    board.start()
    entry = repository.configure(FIRST, "1.0.0")
    board.check()
    board.start_again()
    repository.change_configurations([entry.model_copy(update={"withdrawn": "wrong"})])
    board.check()
    board.until_state("rolled_back", "1.0.0")
    assert board.start_again().version is None
    assert board.store.record.bad == ()


def test_a_refused_one_is_reported_once_and_tried_again_with_another_file(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.start()
    repository.configure({"cameras": [{"name": "dock", "weight": 2.0}]}, "1.0.0")
    board.check()
    record = board.until_state("rejected", "1.0.0")
    board.check()
    board.until_waiting("this board has no camera")
    board.stop()
    board.start()
    board.check()
    board.until_waiting("this board has no camera")
    assert board.store.record.deployment is not None
    assert record.deployment is not None
    assert board.store.record.deployment.since == record.deployment.since
    assert len(board.ended) == 1
    board.stop()
    board.own["cameras"].append({"name": "dock", "source": "1"})
    board.start()
    board.take("1.0.0")
    assert [camera.weight for camera in board.served.settings.cameras] == [1.0, 2.0]


def test_a_damaged_file_is_left_for_the_one_before_and_fetched_again(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.start()
    repository.configure(FIRST, "1.0.0")
    board.take("1.0.0")
    repository.configure(SECOND, "2.0.0")
    board.take("2.0.0")
    board.stop()
    assert board.store.record.current is not None
    board.store.path(board.store.record.current).write_bytes(b'{"made_with": "0", "settings": {}}')
    served = board.start()
    assert served.version == "1.0.0"
    assert "is damaged" in (board.updater.problems()["configuration_refused"] or "")
    board.take("2.0.0")


def test_a_file_of_the_board_that_does_not_fit_any_more_serves_alone(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.own["power"] = {"idle_w": 3.0}
    board.start()
    repository.configure({"power": {"idle_w": 1.0, "full_w": 9.0}}, "1.0.0")
    board.take("1.0.0")
    board.stop()
    board.own["power"] = {"idle_w": 20.0, "full_w": 30.0}
    board.fields["local"] = ["power.idle_w"]
    assert board.start().version is None
    assert "full_w needs an idle_w that is lower" in (board.served.problem or "")
    assert board.store.record.current is not None


@pytest.mark.parametrize("content", [None, b"{}x", b'{"schema_version": 9}'])
def test_a_lost_record_is_rebuilt_from_the_good_ones(
    board: ConfiguredBoard, repository: Repository, content: bytes | None
) -> None:
    board.start()
    repository.configure(FIRST, "1.0.0")
    board.take("1.0.0")
    board.stop()
    record = board.store.folder / RECORD
    if content is None:
        record.unlink()
    else:
        record.write_bytes(content)
    assert board.start().version == "1.0.0"
    (board.store.folder / GOOD).unlink()
    board.stop()


def block(board: ConfiguredBoard) -> Path:
    """Make every write of the record fail."""
    blocked = board.folder / "state" / "delivery" / "configuration" / f"{RECORD}.new"
    blocked.mkdir()
    return blocked


def test_without_a_disk_that_can_be_written_the_good_one_serves(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.start()
    repository.configure(FIRST, "1.0.0")
    board.take("1.0.0")
    repository.configure(SECOND, "2.0.0")
    board.check()
    board.until_state("trial", "2.0.0")
    board.stop()
    blocked = block(board)
    served = board.start()
    assert served.version == "1.0.0"
    assert served.trial is None
    blocked.rmdir()
    board.until_state("rolled_back", "2.0.0")
    assert board.store.record.bad == ()


def test_without_a_root_or_a_state_folder_the_rest_goes_on(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.start()
    repository.configure(FIRST, "1.0.0")
    index = board.client.refresh()
    repository.trusted.rename(repository.trusted.with_name("away"))
    board.updater.index_arrived(index)
    board.until_waiting("root")
    repository.trusted.with_name("away").rename(repository.trusted)
    board.start_again()
    board.until_state("good", "1.0.0")
    board.stop()
    folder = board.folder / "state" / "delivery" / "configuration"
    folder.rename(folder.with_name("away"))
    folder.write_text("a file")
    board.write()
    from edgeagent.delivery.configuration.serving import open_configuration
    from edgeagent.settings.file import read_own

    served = open_configuration(read_own(board.file))
    assert served.store is None
    assert interval(served) == 10.0
    assert "no signed configuration serves" in (served.problem or "")


def test_a_file_that_is_not_the_signed_one_is_not_taken(
    board: ConfiguredBoard, repository: Repository
) -> None:
    board.start()
    entry = repository.configure(FIRST, "1.0.0")
    target = repository.target_file("stable", entry.target("stable"))
    content = target.read_bytes()
    target.write_bytes(content.replace(b"1s", b"9s"))
    board.check()
    board.until_waiting("configuration.json")
    assert not board.store.path(board.store.record.deployment.configuration).exists()  # type: ignore[union-attr]
    target.write_bytes(content)
    board.start_again()
    board.until_state("good", "1.0.0")


def test_rollback_by_a_command(board: ConfiguredBoard, repository: Repository) -> None:
    board.start()
    with pytest.raises(DeliveryError, match="serves alone"):
        board.updater.rollback_configuration()
    repository.configure(FIRST, "1.0.0")
    board.take("1.0.0")
    board.busy = "a model is tried"
    repository.configure(SECOND, "2.0.0")
    board.check()
    board.until_state("staged", "2.0.0")
    assert board.updater.rollback_configuration() == "the file of the board alone is next"
    assert board.start_again().version is None
    assert [one.version for one in board.store.record.bad] == ["2.0.0", "1.0.0"]


def test_a_fault_of_the_agent_ends_no_thread(board: ConfiguredBoard, repository: Repository) -> None:
    faults: list[str] = []
    end = subscribe(lambda fault: faults.append(fault.thread))
    board.start()
    failing = [True]

    def parts(served: ServedConfiguration) -> WorkingParts:
        if failing:
            failing.clear()
            raise RuntimeError("a bug")
        return ALL_WORKS

    board.works = parts
    repository.configure(FIRST, "1.0.0")
    board.check()
    board.start_again()
    board.until_state("good", "1.0.0")
    end()
    assert faults == ["configuration"]
