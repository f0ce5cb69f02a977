"""Board: load, memory, heat, power, throttling."""

from __future__ import annotations

from typing import Any

from edgeagent.web.device_record import Sight
from edgeagent.web.views.markup import absent, badge, card, curve, empty, facts, shown_number, text

NO_SENSOR = "this board reports none"


def board_card(sight: Sight) -> str:
    """Return the state of the board."""
    if sight.telemetry is None:
        return card(
            "board",
            "Board",
            empty("No numbers yet", "They come after the first <code>telemetry.interval</code>."),
        )
    system = sight.telemetry["system"]
    return card(
        "board",
        "Board",
        facts(
            [
                (
                    "Processor",
                    shown_number(system["cpu_percent"], "%") + curve("processor", sight.series("cpu"), "%"),
                ),
                ("of which the agent", shown_number(system["agent_cpu_percent"], "% of one core")),
                ("Memory of the agent", shown_number(system["agent_rss_mb"], "MB", 0)),
                ("Free memory", shown_number(system["memory_available_mb"], "MB", 0)),
                ("Temperature", _temperatures(system, sight)),
                ("Power", _power(system, sight)),
                ("Energy per inference", _energy(system)),
                ("Throttling", _throttling(system)),
                ("GPU", shown_number(system.get("gpu_percent"), "%", why=NO_SENSOR)),
                (
                    "Limit of the rate",
                    shown_number(system.get("fps_limit"), "frames/s", why="the rate is not limited"),
                ),
                ("Messages lost", shown_number(sight.telemetry["messages_dropped"], digits=0)),
                ("Running for", _duration(sight.telemetry["uptime_s"])),
            ]
        ),
    )


def _temperatures(system: dict[str, Any], sight: Sight) -> str:
    found = system["temperatures_c"]
    if not found:
        return absent(NO_SENSOR)
    each = ", ".join(f"{text(name)} {shown_number(value, '°C')}" for name, value in found.items())
    return each + curve("hottest", sight.series("temperature"), "°C")


def _power(system: dict[str, Any], sight: Sight) -> str:
    power = system.get("power")
    if power is None:
        return absent("this board measures none; power.idle_w and power.full_w give an estimate")
    shown = f"{shown_number(power['watts'], 'W', 2)} {badge('plain', power['quality'])}"
    return shown + curve("power", sight.series("power"), "W")


def _energy(system: dict[str, Any]) -> str:
    energy = system.get("joules_per_inference")
    if energy is None:
        return absent("no power reading, or no idle power known")
    return f"{shown_number(energy['value_j'] * 1000, 'mJ')} {badge('plain', energy['quality'])}"


def _throttling(system: dict[str, Any]) -> str:
    report = system.get("throttled")
    if report is None:
        return absent(NO_SENSOR)
    if not report["now"]:
        return badge("good", "none")
    return " ".join(badge("bad", flag.replace("_", " ")) for flag in report["now"])


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return shown_number(seconds / size, unit, 1)
    return shown_number(seconds, "s", 0)
