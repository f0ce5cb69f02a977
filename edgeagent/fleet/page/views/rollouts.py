"""Rollouts: progress by cohort, plans with their next step, halts and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from edgeagent.fleet.page.permalinks import device_place, place
from edgeagent.fleet.page.rollout_plans import PlannedRollout
from edgeagent.fleet.page.views.state_bar import state_bar
from edgeagent.fleet.page.views.teaching import no_rollouts
from edgeagent.fleet.queries.rollout_progress import FailureReason, RolloutProgress
from edgeagent.fleet.users.actor import Actor
from edgeagent.web.views.markup import badge, card, empty, facts, icon, shown_number, table, text, when


def write_rollouts(
    progress: Sequence[RolloutProgress],
    reasons: Sequence[FailureReason],
    plans: Sequence[PlannedRollout] | None,
    actor: Actor,
) -> str:
    """Return the HTML of the view.

    Args:
        progress: of each release and cohort.
        reasons: of failures.
        plans: of the publisher; None where its folder is not known here.
        actor: who looks.
    """
    releases: dict[tuple[str, str], list[RolloutProgress]] = defaultdict(list)
    for one in progress:
        releases[one.name, one.version].append(one)
    failures: dict[tuple[str, str], list[FailureReason]] = defaultdict(list)
    for reason in reasons:
        failures[reason.name, reason.version].append(reason)
    shown = "".join(
        _release(name, version, cohorts, failures[name, version])
        for (name, version), cohorts in releases.items()
    )
    return (
        '<div class="head"><h1>Rollouts</h1></div><div class="columns">'
        + card("plans", "Plans", _plans(plans, actor), wide=True)
        + (shown or card("releases", "Releases", no_rollouts(), wide=True))
        + "</div>"
    )


def _plans(plans: Sequence[PlannedRollout] | None, actor: Actor) -> str:
    if plans is None:
        return empty(
            "Plans are not shown",
            "Start the page with <code>--repository DIR</code>, the publisher's folder, to see and halt plans here. Keys stay with "
            "<code>edgeagent publish rollout watch</code>, which signs the steps. Users of one tenant do not see plans, which are of the whole fleet.",
        )
    if not plans:
        return empty(
            "No plans",
            "<code>edgeagent publish rollout CHANNEL NAME VERSION --percent 5,25,100 --every 1d</code> makes one.",
        )
    return "".join(_plan(one, actor) for one in plans)


def _plan(one: PlannedRollout, actor: Actor) -> str:
    steps = " → ".join(
        f"<strong>{percent:g} %</strong>" if number == one.step else f"{percent:g} %"
        for number, percent in enumerate(one.percents)
    )
    state = (
        badge("bad", "halted")
        if one.halted
        else badge("good", "complete")
        if one.due is None
        else badge("plain", "under way")
    )
    halted = (
        f'<div class="alarm bad">{icon("warning")}<div><p><strong>Halted</strong></p><p>{text(one.halted)}</p></div></div>'
        if one.halted
        else ""
    )
    pairs = [
        ("Steps", steps),
        ("Since", when(one.since.strftime("%Y-%m-%dT%H:%M:%SZ"))),
        (
            "Next step",
            when(None if one.due is None else one.due.strftime("%Y-%m-%dT%H:%M:%SZ"), "all devices have it"),
        ),
        ("Halts if", f"<code>{text(one.halt_if)}</code>" if one.halt_if else "no condition was given"),
        ("Needs reports of", f"{one.least_devices} devices"),
    ]
    if one.numbers is not None:
        verdict = {
            True: badge("bad", "holds now"),
            False: badge("good", "does not hold"),
            None: badge("plain", "too little data"),
        }[one.holds]
        pairs.append(("Condition now", f"{verdict} {text(one.numbers)}"))
    actions = ""
    if actor.may_roll_out and (one.due is not None or one.halted):
        links = [] if one.halted else [("halt", "Halt"), ("advance", "Next step now")]
        links += [("resume", "Resume")] if one.halted else []
        key = {"channel": one.channel, "name": one.name, "version": one.version, "kind": one.kind}
        actions = (
            '<div class="row">'
            + "".join(
                f'<a class="button{" quiet" if action == "advance" else ""}" href="{text(place("/rollouts/confirm", {**key, "action": action}))}">{label}…</a>'
                for action, label in links
            )
            + "</div>"
        )
    return f'<section class="plan"><h3>{text(one.channel)}: {text(one.name)} {text(one.version)} {state}</h3>{halted}{facts(pairs)}{actions}</section>'


def _release(
    name: str, version: str, cohorts: Sequence[RolloutProgress], failures: Sequence[FailureReason]
) -> str:
    rows = [
        [
            text(one.cohort or "no cohort"),
            text(one.rollout or "none"),
            shown_number(one.devices, digits=0),
            state_bar(
                (
                    ("good", one.good),
                    ("trial", one.trial),
                    ("underway", one.underway),
                    ("rolled back", one.rolled_back),
                    ("rejected", one.rejected),
                ),
                one.cohort or "no cohort",
            ),
            shown_number(one.underway, digits=0),
            shown_number(one.trial, digits=0),
            shown_number(one.good, digits=0),
            shown_number(one.rolled_back, digits=0),
            shown_number(one.rejected, digits=0),
            shown_number(one.offline, digits=0),
            when(None if one.last is None else one.last.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ]
        for one in cohorts
    ]
    head = [
        "Cohort",
        "Rollout",
        "Devices",
        "States",
        "Under way",
        "Trial",
        "Good",
        "Rolled back",
        "Rejected",
        "Offline",
        "Last change",
    ]
    why = ""
    if failures:
        why = (
            '<h3>Why devices did not take it</h3><ul class="problems">'
            + "".join(_failure(one) for one in failures)
            + "</ul>"
        )
    return card(
        f"release-{name}-{version}",
        f"{name} {version}",
        table(f"Progress of {name} {version}", head, rows) + why,
        wide=True,
    )


def _failure(one: FailureReason) -> str:
    example = f'<a href="{text(device_place(one.example_tenant, one.example))}">{text(one.example)}</a>'
    return (
        f'<li>{badge("warn", one.state.replace("_", " "))} <span class="number">{one.devices}</span> {"device" if one.devices == 1 else "devices"}, such as {example}: '
        f"{text(one.reason or 'no reason given')}</li>"
    )


def write_confirmation(one: PlannedRollout, action: str, dry_run: str, csrf: str) -> str:
    """Return the page that asks whether a plan shall be changed.

    Args:
        one: plan.
        action: ``halt``, ``resume`` or ``advance``.
        dry_run: what would happen, as a sentence.
        csrf: value that the write repeats.
    """
    label = {"halt": "Halt", "resume": "Resume", "advance": "Next step now"}[action]
    fields = {
        "csrf": csrf,
        "channel": one.channel,
        "name": one.name,
        "version": one.version,
        "kind": one.kind,
        "action": action,
    }
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{text(value)}">' for name, value in fields.items()
    )
    reason = (
        '<label>Reason <input name="reason" maxlength="300" required autocomplete="off" autofocus></label>'
        if action == "halt"
        else ""
    )
    return (
        f'<div class="head"><h1>{label}: {text(one.name)} {text(one.version)}</h1></div><section class="card"><p>{text(dry_run)}</p>'
        f'<p class="about">Nothing has changed yet.</p><form class="confirm" method="post" action="/rollouts/change">{hidden}{reason}'
        f'<div class="row"><button>{label}</button><a class="button quiet" href="/rollouts">Cancel</a></div></form></section>'
    )
