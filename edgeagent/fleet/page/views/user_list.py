"""Users and their tokens, for an admin."""

from __future__ import annotations

from collections.abc import Sequence

from edgeagent.fleet.users.actor import ROLES, Actor
from edgeagent.fleet.users.user_store import SHORTEST_PASSWORD, FleetToken, FleetUser
from edgeagent.web.views.markup import badge, card, empty, icon, table, text, when_utc


def write_users(
    users: Sequence[FleetUser],
    tokens: Sequence[FleetToken],
    actor: Actor,
    csrf: str,
    told: str | None,
    error: str | None,
) -> str:
    """Return the HTML of the view.

    Args:
        users, tokens: that there are.
        actor: who looks.
        csrf: value that a write repeats.
        told: new token, shown this once.
        error: why the last change was refused.
    """
    hidden = f'<input type="hidden" name="csrf" value="{text(csrf)}">'
    rows = [
        [
            text(one.name) + (' <span class="unit">you</span>' if one.name == actor.name else ""),
            badge("plain", one.role),
            "all" if one.tenant == "*" else text(one.tenant or "those without one"),
            when_utc(one.since),
            _button("remove", {"name": one.name}, hidden, f"Remove {one.name}"),
        ]
        for one in users
    ]
    token_rows = [
        [
            f"{text(one.user)}/{text(one.name)}",
            badge("plain", one.role),
            when_utc(one.since),
            "never" if one.expires is None else when_utc(one.expires),
            _button("revoke", {"user": one.user, "name": one.name}, hidden, f"Revoke {one.name}"),
        ]
        for one in tokens
    ]
    alert = f'<p class="form-error" role="alert">{icon("warning")} {text(error)}</p>' if error else ""
    if told:
        alert += f'<div class="card" role="status"><p>This token is shown once. Keep it in a safe place.</p><p><code class="token">{text(told)}</code></p></div>'
    shown_tokens = (
        table("Tokens", ["Token", "Role", "Since", "Ends", ""], token_rows)
        if tokens
        else empty("No tokens", "Programs use a token as <code>Authorization: Bearer TOKEN</code>.")
    )
    roles = "".join(f'<option value="{role}">{role}</option>' for role in ROLES)
    return (
        f'<div class="head"><h1>Users</h1></div>{alert}<div class="columns">'
        + card(
            "users",
            "Users",
            table("Users", ["Name", "Role", "Tenant", "Password since", ""], rows),
            wide=True,
        )
        + card("tokens", "API tokens", shown_tokens, wide=True)
        + card(
            "add",
            "Add a user",
            f'<form class="confirm" method="post" action="/users/add">{hidden}<label>Name <input name="name" required maxlength="64" '
            'autocomplete="off" autocapitalize="none" spellcheck="false"></label>'
            f'<label>Password, {SHORTEST_PASSWORD} characters or more <input name="password" type="password" required minlength="{SHORTEST_PASSWORD}" '
            f'autocomplete="new-password"></label><label>Role <select name="role">{roles}</select></label>'
            f'<label>Tenant, * for all <input name="tenant" value="{text(actor.tenant)}" maxlength="64" autocomplete="off"></label><button>Add</button></form>',
        )
        + card(
            "issue",
            "Issue a token",
            f'<form class="confirm" method="post" action="/users/issue">{hidden}<label>For the user <select name="user">'
            + "".join(f'<option value="{text(one.name)}">{text(one.name)}</option>' for one in users)
            + f'</select></label><label>Name of the token <input name="name" required maxlength="64" autocomplete="off"></label>'
            f'<label>Role <select name="role">{roles}</select></label><label>Days until it ends, empty for never <input name="days" inputmode="numeric" '
            'pattern="[0-9]{1,4}" autocomplete="off"></label><button>Issue</button></form>',
        )
        + "</div>"
    )


def _button(action: str, fields: dict[str, str], hidden: str, label: str) -> str:
    given = "".join(
        f'<input type="hidden" name="{name}" value="{text(value)}">' for name, value in fields.items()
    )
    return (
        f'<form method="post" action="/users/{action}">{hidden}{given}<button class="quiet" data-ask="{text(label)}?">{icon("remove")}'
        f'<span class="hidden">{text(label)}</span></button></form>'
    )
