"""The grammar of halt conditions and their logic, by table."""

from __future__ import annotations

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.publisher.condition import Criterion, FleetMeasurements, parse_condition

P99, ROLLBACK = Criterion("p99", ">", 40.0), Criterion("rollback_rate", ">", 2.0)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("p99>40ms", ((P99,),)),
        (" p99 > 40 ms ", ((P99,),)),
        ("p99>0.04s", ((P99,),)),
        ("p99>40ms or rollback_rate>2%", ((P99,), (ROLLBACK,))),
        ("p99>40ms and rollback_rate>2%", ((P99, ROLLBACK),)),
        ("p99>40ms and rollback_rate>2% or p99>40ms", ((P99, ROLLBACK), (P99,))),
        ("rejected_rate>=0.5%", ((Criterion("rejected_rate", ">=", 0.5),),)),
        ("p50<1ms or p90<=2ms", ((Criterion("p50", "<", 1.0),), (Criterion("p90", "<=", 2.0),))),
        ("offline_rate>10%", ((Criterion("offline_rate", ">", 10.0),),)),
    ],
)
def test_conditions_are_read(text: str, parsed: tuple[tuple[Criterion, ...], ...]) -> None:
    assert parse_condition(text).any_of == parsed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is not a comparison"),
        ("p99", "'p99' is not a comparison"),
        ("p99>40", "is not a comparison"),
        ("p99=40ms", "is not a comparison"),
        ("p99>-1ms", "is not a comparison"),
        ("p99>nanms", "is not a comparison"),
        ("p99>40ms or", "'p99>40ms or' is not a comparison"),
        ("p99>40ms rollback_rate>2%", "is not a comparison"),
        ("(p99>40ms)", "is not a comparison"),
        ("__import__('os')>1ms", "is not a comparison"),
        ("p95>40ms", "'p95' is not a metric; expected one of p50, p90"),
        ("p99>40%", "p99 has the unit ms or s, not %"),
        ("rollback_rate>2ms", "rollback_rate has the unit %, not ms"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_condition(text)
    assert words in str(caught.value)


T, F, U = FleetMeasurements(50.0, 10), FleetMeasurements(1.0, 10), FleetMeasurements(50.0, 3)


@pytest.mark.parametrize(
    ("p99", "rollback", "both", "either"),
    [
        (T, T, True, True),
        (T, F, False, True),
        (F, F, False, False),
        (T, U, None, True),
        (F, U, False, None),
        (U, T, None, True),
        (U, F, False, None),
        (U, U, None, None),
        (FleetMeasurements(None, 0), F, False, None),
    ],
)
def test_what_is_unknown_is_neither(
    p99: FleetMeasurements, rollback: FleetMeasurements, both: bool | None, either: bool | None
) -> None:
    fleet = {"p99": p99, "rollback_rate": rollback}
    for word, expected in (("and", both), ("or", either)):
        verdict = parse_condition(f"p99>40ms {word} rollback_rate>2%").judge(fleet.__getitem__, least=5)
        assert verdict.holds is expected


@pytest.mark.parametrize(
    ("sign", "value", "holds"),
    [
        (">", 2.0, False),
        (">", 2.1, True),
        (">=", 2.0, True),
        ("<", 2.0, False),
        ("<", 1.9, True),
        ("<=", 2.0, True),
    ],
)
def test_operators(sign: str, value: float, holds: bool) -> None:
    assert Criterion("p90", sign, 2.0).holds(FleetMeasurements(value, 5), 5) is holds


def test_the_numbers_are_told() -> None:
    fleet = {"p99": FleetMeasurements(None, 0), "rollback_rate": FleetMeasurements(12.5, 8)}
    verdict = parse_condition("p99>40ms or rollback_rate>2%").judge(fleet.__getitem__, least=5)
    assert verdict.holds is True
    assert verdict.numbers == (
        "p99 unknown of 0 devices, 5 are needed (halts at >40 ms); "
        "rollback_rate 12.5 % of 8 devices (halts at >2 %)"
    )
