"""Plans of a real publisher's folder on the page: shown, halted with a reason, resumed, advanced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.publisher.errors import PublishError
from edgeagent.publisher.rollout_steps import Plan, Steps, read_steps, write_steps
from tests.fleet.page.filled import HOSTILE
from tests.fleet.page.fleet_page import FleetClient, running_fleet_page

KEY = {"channel": "stable", "name": "coco-nano", "version": "1.1.0"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plan = Plan(
        channel=KEY["channel"],
        name=KEY["name"],
        version=KEY["version"],
        percents=(5, 25, 100),
        every_s=86_400,
        since=datetime.now(timezone.utc) - timedelta(hours=2),
        halt_if="p99>40ms or rollback_rate>2%",
    )
    publisher = tmp_path / "publisher"
    publisher.mkdir()
    write_steps(publisher, Steps(plans=(plan, plan.model_copy(update={"version": "1.2.0", "step": 2}))))
    return publisher


@pytest.fixture
def planned(store: FleetStore, tmp_path: Path, folder: Path) -> Iterator[FleetClient]:
    with running_fleet_page(store, tmp_path / "users", plans=folder) as page:
        yield page


def plan_of(folder: Path) -> Plan:
    return next(plan for plan in read_steps(folder).plans if plan.version == "1.1.0")


def test_an_operator_halts_and_resumes_and_advances(planned: FleetClient, folder: Path) -> None:
    bob = planned.enter("bob")
    shown = planned.ask("/rollouts", headers=bob).text
    now = ("Condition now", "holds now", "rollback_rate ")
    for part in ("<strong>5 %</strong> → 25 % → 100 %", "p99&gt;40ms", "under way", "complete", *now):
        assert part in shown, part
    confirm = planned.ask(
        f"/rollouts/confirm?action=halt&channel=stable&name=coco-nano&version={KEY['version']}", headers=bob
    )
    assert "would stay at 5 % of the devices" in confirm.text
    assert plan_of(folder).halted is None, "a question changes nothing"
    assert planned.send("/rollouts/change", bob, **KEY, action="halt", reason=HOSTILE).status == 303
    assert plan_of(folder).halted == f"halted by bob: {HOSTILE}"
    shown = planned.ask("/rollouts", headers=bob).text
    assert "halted by bob: &lt;script&gt;" in shown
    again = planned.send("/rollouts/change", bob, **KEY, action="halt", reason="again")
    assert again.status == 409
    assert "is halted already" in again.text
    assert planned.send("/rollouts/change", bob, **KEY, action="advance").status == 409
    assert planned.send("/rollouts/change", bob, **KEY, action="resume").status == 303
    assert plan_of(folder).halted is None
    assert planned.send("/rollouts/change", bob, **KEY, action="advance").status == 303
    due = plan_of(folder).due
    assert due is not None
    assert due <= datetime.now(timezone.utc)
    assert plan_of(folder).step == 0, "the watch, which has the keys, signs the step"
    actions = [row.action for row in planned.services.audit.rows("*", 10, search="rollout")]
    assert actions[0] == "rollout advance"
    assert set(actions) == {"rollout halt", "rollout resume", "rollout advance"}


def test_a_plan_of_the_agent_is_not_that_of_a_model_with_the_same_name(
    planned: FleetClient, folder: Path
) -> None:
    model = plan_of(folder).model_copy(update={"name": "edgeagent", "version": "3.0.0"})
    steps = read_steps(folder).having(model).having(model.model_copy(update={"kind": "agent"}))
    write_steps(folder, steps)
    bob, key = planned.enter("bob"), {"channel": "stable", "name": "edgeagent", "version": "3.0.0"}
    assert "version=3.0.0&amp;kind=agent" in planned.ask("/rollouts", headers=bob).text
    address = "/rollouts/confirm?action=halt&channel=stable&name=edgeagent&version=3.0.0&kind=agent"
    assert 'name="kind" value="agent"' in planned.ask(address, headers=bob).text
    sent = planned.send("/rollouts/change", bob, **key, kind="agent", action="halt", reason="leaks")
    assert sent.status == 303
    halted = {plan.kind: plan.halted for plan in read_steps(folder).plans if plan.version == "3.0.0"}
    assert halted == {"model": None, "agent": "halted by bob: leaks"}


def test_an_operator_of_one_tenant_changes_no_plan(planned: FleetClient, folder: Path) -> None:
    users = planned.services.users
    users.add("tom", "toms long password", "operator", "plant-3")
    tom = {"Authorization": f"Bearer {users.issue('tom', 'ci', 'operator')}", "Accept": "text/html"}
    for action in ("halt", "advance"):
        assert planned.send("/rollouts/change", tom, **KEY, action=action, csrf="").status == 403
        query = f"?action={action}&channel=stable&name=coco-nano&version=1.1.0"
        assert planned.ask(f"/rollouts/confirm{query}", headers=tom).status == 404
    assert "/rollouts/confirm" not in planned.ask("/rollouts", headers=tom).text
    assert plan_of(folder).halted is None
    assert not planned.services.audit.rows("plant-3", 1, search="rollout")[0].done


def test_a_viewer_sees_plans_and_changes_none(planned: FleetClient, folder: Path) -> None:
    vic = planned.enter("vic")
    assert "/rollouts/confirm" not in planned.ask("/rollouts", headers=vic).text
    query = "?action=halt&channel=stable&name=coco-nano&version=1.1.0"
    assert planned.ask(f"/rollouts/confirm{query}", headers=vic).status == 404
    assert planned.send("/rollouts/change", vic, **KEY, action="halt", reason="x").status == 403
    assert plan_of(folder).halted is None


def test_plans_are_not_of_one_tenant(planned: FleetClient, folder: Path) -> None:
    users = planned.services.users
    users.add("tom", "toms long password", "operator", "plant-3")
    assert planned.sign_in("tom", "toms long password").status == 303
    tom = {"Authorization": f"Bearer {users.issue('tom', 'x', 'operator')}"}
    assert "Plans are not shown" in planned.ask("/rollouts", headers=tom).text
    assert '"plans":null' in planned.ask("/api/v1/rollouts", headers=tom).text
    body = "action=halt&channel=stable&name=coco-nano&version=1.1.0&reason=x"
    assert planned.ask(f"/rollouts/confirm?{body}", headers=tom).status == 404
    assert planned.ask("/rollouts/change", "POST", body, tom).status == 403
    assert plan_of(folder).halted is None


def test_what_is_no_plan_is_not_found(planned: FleetClient) -> None:
    bob = planned.enter("bob")
    for query in (
        "",
        "?action=delete&channel=stable&name=coco-nano&version=1.1.0",
        "?action=halt&channel=x&name=y&version=z",
    ):
        assert planned.ask(f"/rollouts/confirm{query}", headers=bob).status == 404
    assert (
        planned.send("/rollouts/change", bob, channel="x", name="y", version="z", action="halt").status == 409
    )
    assert planned.send("/rollouts/change", bob, **KEY, action="delete").status == 404


def test_damaged_plans_are_told(planned: FleetClient, folder: Path) -> None:
    (folder / "steps.json").write_text("{")
    answer = planned.ask("/rollouts", headers=planned.enter("bob"))
    assert answer.status == 503
    assert "steps.json" in answer.text


def test_a_folder_that_cannot_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    from edgeagent.fleet.page.rollout_plans import RolloutPlans

    (tmp_path / "steps.json").mkdir()
    with pytest.raises(PublishError, match="cannot be read"):
        RolloutPlans(tmp_path).plans()
