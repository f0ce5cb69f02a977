"""Who reaches and changes what on the fleet's page: roles, tenants, foreign pages, guessed passwords."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.fleet.page.fleet_server import FleetServer
from edgeagent.fleet.page.request_limit import RequestLimit
from edgeagent.fleet.page.views.fleet_frame import PLACES
from edgeagent.fleet.store.protocol import FleetStore
from edgeagent.web.sign_in_pages import local_place
from tests.fleet.page.filled import HOSTILE, device, problem
from tests.fleet.page.fleet_page import PASSWORDS, FleetClient, running_fleet_page

VIEWS = [
    "/",
    "/?by=label:site",
    "/devices",
    "/devices/-/cam-003",
    "/models",
    "/compare?a_version=1.0.0&b_version=1.1.0",
    "/rollouts",
    "/alarms?which=all",
    "/lost",
    "/api",
]
FILES = ["/devices.csv", "/models.csv", "/alarms.csv", "/metrics", "/api/v1/fleet", "/api/v1/openapi.json"]


@pytest.mark.parametrize("path", VIEWS)
def test_every_view_is_answered_with_a_strict_policy(page: FleetClient, path: str) -> None:
    answer = page.ask(path, headers=page.enter("vic"))
    assert answer.status == 200
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", answer.text)
    assert "http://" not in answer.text.replace("http://www.w3.org", "")


def test_nobody_looks_before_signing_in(page: FleetClient) -> None:
    for path in (*VIEWS, *FILES, "/audit", "/users"):
        assert page.ask(path).status == 401, path
    answer = page.ask("/devices?state=lost", headers={"Accept": "text/html"})
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=/devices%3Fstate%3Dlost")
    for token in ("", "eaf_guess", "a" * 5000):
        assert page.ask("/api/v1/fleet", headers={"Authorization": f"Bearer {token}"}).status == 401


@pytest.mark.parametrize(
    ("following", "place"),
    [
        ("/devices?state=lost", "/devices?state=lost"),
        ("/devices/-/cam-003", "/devices/-/cam-003"),
        ("//evil.example/devices", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/devices//evil.example", "/"),
        ("/devices/../sign-out", "/"),
        ("/elsewhere", "/"),
        ("/devices\r\nX: y", "/"),
        ("/devices?a=[", "/devices?a=["),
        ("http://[", "/"),
        ("", "/"),
    ],
)
def test_what_follows_signing_in_is_of_this_page(following: str, place: str) -> None:
    assert local_place(following, PLACES) == place


def test_signing_in_leads_to_the_page_that_was_asked_for(page: FleetClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": page.origin}
    for following, place in (("/devices?state=lost", "/devices?state=lost"), ("//evil.example/", "/")):
        fields = urlencode({"user": "vic", "password": PASSWORDS["vic"], "next": following})
        answer = page.ask("/sign-in", "POST", fields, headers)
        assert (answer.status, answer.headers["location"]) == (303, place)


def test_a_viewer_changes_nothing_and_the_try_is_audited(page: FleetClient, store: FleetStore) -> None:
    vic = page.enter("vic")
    assert page.send("/devices/-/cam-003/labels", vic, label="site", value="Oslo").status == 403
    assert page.send("/alarms/acknowledge", vic, device="cam-003", code="throttled").status == 403
    assert page.send("/users/add", vic, name="eve", password="x" * 20, role="admin").status == 403
    assert page.ask("/audit", headers=vic).status == 403
    assert page.ask("/users", headers=vic).status == 403
    refused = [row for row in page.services.audit.rows("*", 20, search="vic") if not row.done]
    assert {row.action for row in refused} >= {"label", "acknowledge", "user add"}
    assert page.services.users.find("eve") is None


def test_writes_of_other_pages_are_refused(page: FleetClient) -> None:
    bob = page.enter("bob")
    fields = {"label": "site", "value": "Oslo"}
    assert page.send("/devices/-/cam-004/labels", bob, csrf="guess", **fields).status == 403
    assert page.send("/devices/-/cam-004/labels", bob, csrf="", **fields).status == 403
    body, kind = "label=site&value=Oslo", {"Content-Type": "application/x-www-form-urlencoded"}
    for origin in ("http://evil.example", "null"):
        headers = {**bob, **kind, "Origin": origin}
        assert page.ask("/devices/-/cam-004/labels", "POST", body, headers).status == 403
    of_other_session = page.csrf(page.enter("bob", anew=True))
    assert page.send("/devices/-/cam-004/labels", bob, csrf=of_other_session, **fields).status == 403
    headers = {**bob, "Content-Type": "application/json", "Origin": page.origin}
    written = page.ask("/api/v1/devices/-/cam-004/labels/site", "PUT", '{"value": "Oslo"}', headers)
    assert written.status == 403, "a session's write to the API repeats the value of the page, too"
    assert "Oslo" not in page.ask("/devices/-/cam-004", headers=bob).text


def test_an_operator_sets_labels_and_acknowledges(page: FleetClient, store: FleetStore) -> None:
    bob = page.enter("bob")
    assert page.send("/devices/-/cam-006/labels", bob, label="floor", value="2").status == 303
    assert "floor: 2" in page.ask("/devices/-/cam-006", headers=bob).text
    assert "cam-006" in page.ask("/devices?label=floor&value=2", headers=bob).text
    assert page.send("/devices/-/cam-006/labels", bob, label="floor", value="").status == 303
    assert "floor: 2" not in page.ask("/devices/-/cam-006", headers=bob).text
    assert page.send("/devices/-/cam-006/labels", bob, label="<b>", value="x").status == 400
    assert page.send("/devices/-/none/labels", bob, label="site", value="x").status == 404
    since = problem(10)["since"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    key = {"tenant": "", "device": "cam-010", "code": "throttled", "camera": "", "since": since}
    assert (
        page.send("/alarms/acknowledge", bob, **key, note="fan", next="/alarms?which=present").status == 303
    )
    assert "Acknowledged by bob" in page.ask("/alarms?which=present&search=cam-010", headers=bob).text
    still = page.ask("/alarms?search=cam-010", headers=bob).text
    assert still.count("/alarms/acknowledge") == 1, "that of the device of the same name of plant-3"
    assert page.send("/alarms/acknowledge", bob, **{**key, "code": "drift"}).status == 404
    for wrong in ("", "soon", "2026-01-01", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"):
        assert page.send("/alarms/acknowledge", bob, **{**key, "since": wrong}).status in (400, 404), wrong
    done = {row.action for row in page.services.audit.rows("*", 50, search="bob")}
    assert {"label", "remove label", "acknowledge"} <= done


def test_an_admin_manages_users(page: FleetClient) -> None:
    ann = page.enter("ann")
    assert (
        page.send(
            "/users/add", ann, name="eve", password="eves long password", role="viewer", tenant="*"
        ).status
        == 303
    )
    assert (
        page.send(
            "/users/add", ann, name="eve", password="eves long password", role="viewer", tenant="*"
        ).status
        == 400
    )
    answer = page.send("/users/issue", ann, user="eve", name="ci", role="viewer", days="7")
    token = re.search(r"eaf_[A-Za-z0-9_-]+", answer.text)
    assert token
    held = {"Authorization": f"Bearer {token[0]}"}
    assert page.ask("/api/v1/fleet", headers=held).status == 200
    assert token[0] not in page.ask("/users", headers=ann).text
    assert page.send("/users/revoke", ann, user="eve", name="ci").status == 303
    assert page.ask("/api/v1/fleet", headers=held).status == 401
    eve_session = page.ask(
        "/sign-in", "POST", "user=eve&password=eves+long+password", {"Origin": page.origin}
    )
    eve = {"Cookie": str(eve_session.headers["set-cookie"]).partition(";")[0]}
    assert page.ask("/devices", headers=eve).status == 200
    assert page.send("/users/remove", ann, name="ann").status == 400
    assert page.send("/users/remove", ann, name="eve").status == 303
    assert page.ask("/devices", headers=eve).status == 401, "the session ends with its user"


def test_a_tenant_sees_only_its_devices(page: FleetClient, store: FleetStore) -> None:
    users = page.services.users
    users.add("tom", "toms long password", "operator", "plant-3")
    users.add("una", "unas long password", "operator", "")
    tom = {
        "Authorization": f"Bearer {users.issue('tom', 'ci', 'operator')}",
        "Content-Type": "application/json",
    }
    una = {"Authorization": f"Bearer {users.issue('una', 'ci', 'operator')}"}
    assert '"count":5' in page.ask("/api/v1/devices", headers=tom).text
    assert '"count":60' in page.ask("/api/v1/devices", headers=una).text
    assert page.ask("/devices/-/cam-003", headers=tom).status == 404
    assert page.ask("/devices/plant-3/cam-003", headers=tom).status == 200
    assert page.ask("/devices/plant-3/cam-003", headers=una).status == 404
    for forged in ("-", "*", "plant-2", "%2A"):
        assert page.ask(f"/devices/{forged}/cam-003", headers=tom).status == 404, forged
        path = f"/api/v1/devices/{forged}/cam-003"
        for tail in ("", "/history", "/log"):
            assert page.ask(path + tail, headers=tom).status == 404, forged
        assert page.ask(f"{path}/labels/site", "PUT", '{"value": "x"}', tom).status == 404, forged
    since = problem(3)["since"].isoformat()
    body = f'{{"tenant": "%s", "device": "cam-003", "code": "throttled", "since": "{since}"}}'
    assert page.ask("/api/v1/alarms/acknowledge", "POST", body % "", tom).status == 404
    assert page.ask("/api/v1/alarms/acknowledge", "POST", body % "plant-3", tom).status == 204
    assert page.ask("/devices?tenant=*", headers=tom).text.count("/devices/-/") == 0
    assert "cam-059" not in page.ask("/devices.csv", headers=tom).text
    assert 'state="detecting"} 5' not in page.ask("/metrics", headers=una).text
    audit = page.ask("/audit", headers=tom).text
    assert "tom/ci" in audit
    assert "una/ci" not in audit


def test_text_of_devices_is_no_code(page: FleetClient, store: FleetStore) -> None:
    hostile = device(
        900,
        device="cam-900",
        board=HOSTILE,
        bundle=HOSTILE,
        bundle_version=HOSTILE,
        delegate=HOSTILE,
        agent=HOSTILE,
        cameras=[HOSTILE],
        problem_codes=[HOSTILE],
        problem_texts=[HOSTILE],
        rollout=HOSTILE,
        deployment_name=HOSTILE,
        deployment_version=HOSTILE,
        deployment_reason=HOSTILE,
        deployment_state="rejected",
        serving=HOSTILE,
        throttled=[HOSTILE],
        power_quality=HOSTILE,
    )
    store.insert("devices", [hostile])
    store.insert("problems", [problem(900, code=HOSTILE, camera=HOSTILE, text=HOSTILE)])
    row = {"tenant": "", "device": "cam-900", "label": HOSTILE, "value": HOSTILE, "by": HOSTILE}
    store.insert("labels", [{**row, "changed": "2026-01-01 00:00:00"}])
    ann = page.enter("ann")
    for path in (*VIEWS, "/devices/-/cam-900", "/devices?search=cam-900", "/audit", "/users"):
        text = page.ask(path, headers=ann).text
        assert "<script>alert" not in text, path
        assert not re.search(r"<script(?![^>]* src=)|\son[a-z]+=", text), path
    assert "&lt;script&gt;" in page.ask("/devices/-/cam-900", headers=ann).text
    csv = page.ask("/devices.csv?search=cam-900", headers=ann).text
    assert "\n=" not in csv
    store.execute("ALTER TABLE devices DELETE WHERE device = 'cam-900' SETTINGS mutations_sync = 2")
    store.execute("ALTER TABLE problems DELETE WHERE device = 'cam-900' SETTINGS mutations_sync = 2")


@pytest.mark.parametrize("name", ["search", "board", "model", "delegate", "agent", "alarm", "label", "value"])
def test_text_of_requests_is_no_statement(page: FleetClient, name: str) -> None:

    vic = page.enter("vic")
    for value in (HOSTILE, "' OR 1=1 --", "\\' OR 1=1 --", "{tenant:String}", "\x00\t\n\\N", "%_*", "\udcff"):
        given = quote(value.encode("utf-8", "surrogateescape"))
        extra = "&value=x" if name == "label" else "&label=site" if name == "value" else ""
        answer = page.ask(f"/devices?{name}={given}{extra}", headers=vic)
        assert answer.status == 200, value
        assert "No device is like this" in answer.text, value
        assert "<script>alert" not in answer.text
    assert page.ask("/devices", headers=vic).text.count("<tr>") > 40


@pytest.mark.parametrize(
    "path",
    [
        "/devices?state=' OR 1=1",
        "/devices?sort=device;DROP&page=-1",
        "/devices?page=99999999999999999999",
        "/devices?sort=" + "x" * 9000,
        "/?by=label:' OR 1=1 --",
        "/?by=" + "x" * 5000,
        "/alarms?which=' OR 1=1",
        "/alarms?page=x",
        "/models?span=' OR",
        "/compare?stage='",
        "/lost?x='",
        "/devices/-/'%20OR%201=1",
        "/devices/%00/%00",
    ],
)
def test_odd_addresses_have_an_answer(page: FleetClient, path: str) -> None:
    answer = page.ask(path.replace(" ", "%20"), headers=page.enter("vic"))
    assert answer.status in (200, 400, 404)


def test_guessing_is_slowed_down_and_audited(store: FleetStore, tmp_path: Path) -> None:
    with running_fleet_page(store, tmp_path) as page:
        statuses = [403]
        while statuses[-1] == 403 and len(statuses) < 30:  # pauses double, also on a slow machine
            statuses.append(page.sign_in("ann", f"guess number {len(statuses)}").status)
        assert statuses[1:4] == [403, 403, 403]
        assert statuses[-1] == 429
        rows = page.services.audit.rows("*", 20)
        assert {(row.action, row.object, row.done) for row in rows} == {("sign-in", "ann", False)}


def test_many_requests_of_one_visitor_are_refused(store: FleetStore, tmp_path: Path) -> None:
    with running_fleet_page(store, tmp_path, limit=RequestLimit(0.001, 3)) as page:
        held = page.token()
        statuses = [page.ask("/api/v1/openapi.json", headers=held).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert page.ask("/static/current/fleet.css").status == 200
        other = {"Authorization": f"Bearer {page.services.users.issue('bob', 'x')}"}
        assert page.ask("/api/v1/openapi.json", headers=other).status == 200


def test_without_users_everybody_here_looks_and_nobody_writes(store: FleetStore, tmp_path: Path) -> None:
    with running_fleet_page(store, tmp_path, users=False) as page:
        assert page.ask("/devices").status == 200
        csrf = page.csrf({"Accept": "text/html"})
        assert page.send("/devices/-/cam-003/labels", {}, csrf=csrf, label="site", value="x").status == 403
        assert (
            page.send("/users/add", {}, csrf=csrf, name="eve", password="x" * 20, role="admin").status == 403
        )
        assert "edgeagent fleet users add NAME --role admin" in page.ask("/users").text
        page.services.users.add("ann", "correct horse battery", "admin")
        assert page.ask("/devices").status == 401, "from the first user on, all sign in"


@pytest.mark.parametrize("settings", [{"listen": "0.0.0.0:0"}, {"hosts": ("fleet.example",)}])
def test_other_machines_reach_the_page_only_with_users(
    store: FleetStore, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"there are no\s+users"),
        running_fleet_page(store, tmp_path, users=False, **settings),
    ):
        pass


def test_a_proxy_has_its_name(store: FleetStore, tmp_path: Path) -> None:
    with running_fleet_page(store, tmp_path, hosts=("fleet.example",)) as page:
        held = {**page.token(), "Host": "fleet.example"}
        assert page.ask("/api/v1/openapi.json", headers=held).status == 200
        assert page.ask("/api/v1/openapi.json", headers={**held, "Host": "other.example"}).status == 400
        assert page.ask("/api/v1/openapi.json", headers={"Host": "fleet.example"}).status == 401


def test_a_taken_port_is_told(page: FleetClient) -> None:
    with pytest.raises(ConfigurationError, match="cannot be listened on"):
        FleetServer(page.services)


@pytest.mark.parametrize("host", ["evil.example", "10.0.0.9", "%%%"])
def test_a_host_that_is_not_this_server_is_refused(page: FleetClient, host: str) -> None:
    answer = page.ask("/", headers={**page.enter("vic"), "Host": host})
    assert answer.status == 400
    assert "--host-name" in answer.text
