"""The whole crash test of configurations: ``python -m tests.delivery.configuration.crash``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.delivery.configuration.crash.campaign import ConfigurationCampaign
from tests.delivery.configuration.crash.sabotage import SABOTAGES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print what was found."""
    parser = argparse.ArgumentParser(
        description="Kill a board wherever it may die on its way to a configuration, and examine its state."
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th step (default: all)")
    parser.add_argument("--random", type=int, default=30, metavar="N", help="random moments per scenario")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is lost and of the moments")
    parser.add_argument("--sabotage", action="store_true", help="also see that a broken program is noticed")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgeagent-crash-") as folder:
        campaign = ConfigurationCampaign(Path(folder))
        outcomes = []
        for point in campaign.points(options.every, options.random, options.seed):
            outcomes.append(campaign.try_point(point))
            if outcomes[-1].failure:
                step = campaign.steps[point.scenario][point.plan.step - 1] if point.plan else "moment"
                _say(f"FAILED {point} ({step})\n  {outcomes[-1].failure}")
        failures = sum(outcome.failure is not None for outcome in outcomes)
        steps = ", ".join(f"{len(steps)} steps of {name}" for name, steps in campaign.steps.items())
        died = sum(outcome.died for outcome in outcomes)
        _say(
            f"{steps}; {len(outcomes)} points, {died} of them died before the end; "
            f"{failures} failures; {time.monotonic() - began:.0f} s"
        )
        missed = [one.__name__ for one in SABOTAGES if options.sabotage and campaign.notices(one) is None]
        if options.sabotage:
            names = f"; not {', '.join(missed)}" if missed else ""
            noticed = len(SABOTAGES) - len(missed)
            _say(f"{noticed} of {len(SABOTAGES)} ways to break the program are noticed{names}")
    return 1 if failures or missed else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
