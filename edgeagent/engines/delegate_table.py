"""The catalogue of delegates as the Markdown table of docs/delegates.md; a test keeps the two equal.

``python -m edgeagent.engines.delegate_table`` prints it.
"""

from __future__ import annotations

import sys

from edgeagent.engines.delegates import CATALOGUE, Delegate, external_delegate

HEAD = ("delegate", "reads", "needs", "real placement is told by", "failures", "tested here by")


def delegate_table(delegates: tuple[Delegate, ...]) -> str:
    """Return a Markdown table, one row a delegate."""
    rows = [HEAD, tuple("---" for _ in HEAD), *(_row(delegate) for delegate in delegates)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def all_delegates() -> tuple[Delegate, ...]:
    """Return the catalogue and the entry of a delegate library that the configuration names."""
    return (*CATALOGUE, external_delegate("model.library", {}))


def _row(delegate: Delegate) -> tuple[str, ...]:
    reads = delegate.format + (f" for {delegate.compiled_for}" if delegate.compiled_for else "")
    tested = {
        "run here": "the real part",
        "stand-in": "a stand-in of its interface",
        "untested": "nothing: untested",
    }[delegate.tested]
    cells = (reads, _needs(delegate), delegate.placement, delegate.failures, tested)
    return (f"`{delegate.name}`", *cells)


def _needs(delegate: Delegate) -> str:
    needs = delegate.needs
    parts = [" or ".join(needs.packages)]
    if needs.provider:
        parts.append(f"built with {needs.provider}")
    if needs.flags:
        parts.append(f"a processor with {' or '.join(needs.flags)}")
    if needs.library:
        parts.append(needs.library)
    devices = [f"/{node}" for node in needs.nodes] + [f"USB {one}" for one in needs.usb]
    if devices:
        parts.append(" or ".join(devices))
    return "; ".join(parts)


if __name__ == "__main__":
    sys.stdout.write(delegate_table(all_delegates()))
