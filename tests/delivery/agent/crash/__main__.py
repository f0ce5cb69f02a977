"""The whole crash test of updates of the agent: ``python -m tests.delivery.agent.crash``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.delivery.agent.crash.campaign import AgentCampaign
from tests.delivery.agent.crash.sabotage import AGENT_SABOTAGES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print what was found."""
    parser = argparse.ArgumentParser(
        description="Kill a board wherever an update of its agent may die, and examine what is left."
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th step (default: all)")
    parser.add_argument("--random", type=int, default=20, metavar="N", help="random moments per scenario")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is lost and of the moments")
    parser.add_argument(
        "--share", default="1/1", metavar="I/N", help="only the I-th of N shares of the points"
    )
    parser.add_argument("--sabotage", action="store_true", help="also see that a broken program is noticed")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgeagent-agent-crash-") as folder:
        campaign = AgentCampaign(Path(folder))
        outcomes = []
        number, shares = (int(part) for part in options.share.split("/"))
        points = list(campaign.points(options.every, options.random, options.seed))
        for point in points[number - 1 :: shares]:
            outcomes.append(campaign.try_point(point))
            if outcomes[-1].failure:
                steps = campaign.steps[point.scenario.name]
                step = steps[point.plan.step - 1] if point.plan else "moment"
                _say(f"FAILED {point} ({step})\n  {outcomes[-1].failure}")
            if len(outcomes) % 20 == 0:
                _say(f"{len(outcomes)} points so far")
        failures = sum(outcome.failure is not None for outcome in outcomes)
        steps_text = " and ".join(f"{len(steps)} steps of {name}" for name, steps in campaign.steps.items())
        died = sum(outcome.died for outcome in outcomes)
        _say(
            f"{steps_text}; {len(outcomes)} points, {died} of them died before the update was done; "
            f"{failures} failures; {time.monotonic() - began:.0f} s"
        )
        missed = []
        if options.sabotage:
            missed = [one.__name__ for one in AGENT_SABOTAGES if campaign.notices(one) is None]
            names = f"; not {', '.join(missed)}" if missed else ""
            noticed = len(AGENT_SABOTAGES) - len(missed)
            _say(f"{noticed} of {len(AGENT_SABOTAGES)} ways to break the program are noticed{names}")
    return 1 if failures or missed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
