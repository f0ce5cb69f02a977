from __future__ import annotations

import json
import threading

from edgeagent.telemetry.event_log import EventLog


def test_events_are_numbered_in_the_order_in_which_they_are_handed_over() -> None:
    published: list[tuple[str, bytes]] = []
    log = EventLog(7, lambda topic, payload: published.append((topic, payload)))

    def record_some() -> None:
        for number in range(50):
            log.record("camera", "lost", camera="yard", number=number)

    threads = [threading.Thread(target=record_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.record("delegate", "nothing is left")
    events = [json.loads(payload) for _, payload in published]
    assert [event["sequence"] for event in events] == [*range(1, 202)]
    assert {event["run"] for event in events} == {7}
    assert [topic for topic, _ in published] == ["events/camera"] * 200 + ["events/delegate"]
    assert events[0]["data"] == {"camera": "yard", "number": 0}
    assert "data" not in events[-1]
