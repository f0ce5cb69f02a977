"""``edgeagent fleet users`` and the options of ``edgeagent fleet serve``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgeagent.fleet.users.user_audit import UserAudit
from edgeagent.fleet.users.user_file import UserFile
from edgeagent.fleet.users.user_store import UserStore
from tests.cli.command import edgeagent


@pytest.fixture
def state(tmp_path: Path) -> list[str]:
    (tmp_path / "password").write_text("a long password\n")
    (tmp_path / "password").chmod(0o600)
    return ["--state", str(tmp_path / "state")]


def run(*arguments: str, expect: int = 0) -> str:
    code, out, err = edgeagent("fleet", "users", *arguments)
    assert code == expect, err
    return err if expect else out


def test_users_and_tokens_are_managed_and_audited(tmp_path: Path, state: list[str]) -> None:
    file = ["--password-file", str(tmp_path / "password")]
    assert "no users" in run("list", *state)
    run("add", "ann", "--role", "admin", *file, *state)
    advice = "user ann: exists already; a new password: `edgeagent fleet users change ann --password`"
    assert advice in run("add", "ann", *file, *state, expect=2)
    run("add", "bob", "--tenant", "plant-3", *file, *state)
    token = run("token", "bob", "ci", "--lasts", "90d", *state).strip()
    listed = run("list", *state)
    assert "bob/ci" in listed
    assert token not in listed
    run("change", "bob", "--role", "operator", *state)
    opened = UserFile(tmp_path / "state")
    users = UserStore(opened)
    assert users.token_actor(token) is not None
    assert [(user.name, user.role, user.tenant) for user in users.users()] == [
        ("ann", "admin", "*"),
        ("bob", "operator", "plant-3"),
    ]
    run("token", "bob", "ci", "--revoke", *state)
    run("remove", "bob", *state)
    assert users.token_actor(token) is None
    actions = [
        row.action for row in reversed(UserAudit(opened).rows("*", 20)) if row.object.startswith("bob")
    ]
    assert actions == ["user add", "user issue", "user change", "user revoke", "user remove"]
    opened.close()


def test_tokens_of_uploads_are_listed_and_one_of_another_tenant_is_named(state: list[str]) -> None:
    def upload_token(*arguments: str) -> tuple[int, str, str]:
        return edgeagent("fleet", "upload-token", *arguments, *state)

    secrets = [upload_token("boards", "--tenant", name)[1].strip() for name in ("plant-3", "plant-4")]
    listed = run("list", *state)
    assert [line.split()[:4] for line in listed.splitlines() if line.startswith("boards")] == [
        ["boards", "upload", "tenant", "plant-3"],
        ["boards", "upload", "tenant", "plant-4"],
    ]
    shown = json.loads(run("list", "--json", *state))["upload_tokens"]
    assert [(token["tenant"], token["name"]) for token in shown] == [
        ("plant-3", "boards"),
        ("plant-4", "boards"),
    ]
    assert not any(secret in listed for secret in secrets)
    code, _, err = upload_token("boards", "--revoke")
    assert code == 2
    assert "there is one with --tenant plant-3 or --tenant plant-4" in err
    code, _, err = upload_token("cameras", "--revoke")
    assert code == 2
    assert "there is none; see `edgeagent fleet users list`" in err
    assert upload_token("boards", "--revoke", "--tenant", "plant-3")[0] == 0
    assert "plant-3" not in run("list", *state)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["remove", "nobody"], "there is none"),
        (["token", "nobody", "ci"], "there is none"),
        (["token", "nobody", "ci", "--lasts", "soon"], "--lasts: expected a duration"),
        (["change", "nobody"], "nothing to change"),
        (["add", "eve"], "--password-file"),
        (["add", "eve", "--password-file", "/nowhere"], "cannot be read"),
    ],
)
def test_mistakes_are_told(state: list[str], arguments: list[str], told: str) -> None:
    assert told in run(*arguments, *state, expect=2)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--bind", "here"], "expected an address and a port"),
        (["--host-name", "a b"], "cannot be a host name"),
        (["--key", "page.key"], "belong together"),
        (["--frames-quota", "1GB"], "--frames-quota goes with --frames DIR"),
        (["--store", "mysql://db"], "not the address of a store"),
    ],
)
def test_options_of_the_page_are_checked_first(tmp_path: Path, arguments: list[str], told: str) -> None:
    pytest.importorskip("chdb", reason="needs chdb (extra `fleet`)")
    code, _, err = edgeagent("fleet", "serve", "--store", str(tmp_path / "store"), *arguments)
    assert code == 2, err
    assert told in err
    assert not (tmp_path / "store").exists()
