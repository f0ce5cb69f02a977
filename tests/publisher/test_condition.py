"""The grammar of halt conditions and their logic, by table."""

from __future__ import annotations

import pytest

from edgeagent.errors import ConfigurationError
from edgeagent.publisher.condition import Criterion, FleetMeasurements, parse_condition
from edgeagent.publisher.control_group import Difference

_JOULES = Criterion("joules", ">", 0.02, True)
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
        ("p99>control+10%", ((Criterion("p99", ">", 10.0, True, True),),)),
        ("p99 > control + 5 ms", ((Criterion("p99", ">", 5.0, True),),)),
        ("agreement<control-3%", ((Criterion("agreement", "<", -3.0, True),),)),
        ("joules>control+20mJ or joules>1J", ((_JOULES,), (Criterion("joules", ">", 1.0),))),
    ],
)
def test_conditions_are_read(text: str, parsed: tuple[tuple[Criterion, ...], ...]) -> None:
    assert parse_condition(text).any_of == parsed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is not a comparison"),
        ("p99", "'p99' is not a comparison"),
        ("p99>40", "'p99>40' has no unit; p99 takes ms or s"),
        ("joules>3", "'joules>3' has no unit; joules takes J or mJ"),
        ("joules>control+3", "'joules>control+3' has no unit; joules takes J or mJ or %"),
        ("rollback_rate>2", "'rollback_rate>2' has no unit; rollback_rate takes %"),
        ("agreement<control-3", "'agreement<control-3' has no unit; agreement takes %"),
        ("joules>3W", "joules has the unit J or mJ, not W"),
        ("p99=40ms", "is not a comparison"),
        ("p99>-1ms", "is not a comparison"),
        ("p99>nanms", "is not a comparison"),
        ("p99>40ms or", "'p99>40ms or' is not a comparison"),
        ("p99>40ms rollback_rate>2%", "is not a comparison"),
        ("(p99>40ms)", "is not a comparison"),
        ("__import__('os')>1ms", "is not a comparison"),
        ("p95>40ms", "'p95' is not a metric; expected one of p50, p90"),
        ("p99>40%", "p99 has the unit ms or s, not %; a share needs a control group"),
        ("p99>control", "is not a comparison"),
        (f"p99>{'9' * 400}ms", "99999999999999999999... ms is too large for a bound"),
        (f"p99>control-{'9' * 400}%", "99999999999999999999... % is too large for a bound"),
        (f"p99>1{'0' * 306}s", "10000000000000000000... s is too large for a bound; no fleet reaches it"),
        ("joules>1000000001J", "halt condition: 1000000001 J is too large for a bound"),
        ("rollback_rate>control+2%", "rollback_rate has no control group"),
        ("joules>3ms", "joules has the unit J or mJ, not ms"),
        ("rollback_rate>2ms", "rollback_rate has the unit %, not ms"),
    ],
)
def test_mistakes_are_named(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_condition(text)
    assert words in str(caught.value)


class Evidence:
    """What a fleet measured, given by a test."""

    def __init__(self, measured: dict[str, FleetMeasurements], difference: Difference | None = None) -> None:
        self.measured, self.difference = measured, difference

    def measure(self, metric: str) -> FleetMeasurements:
        return self.measured[metric]

    def compare(self, metric: str, *, relative: bool) -> Difference | None:
        return self.difference


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
    fleet = Evidence({"p99": p99, "rollback_rate": rollback})
    for word, expected in (("and", both), ("or", either)):
        verdict = parse_condition(f"p99>40ms {word} rollback_rate>2%").judge(fleet, least=5)
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
    evidence = Evidence({"p90": FleetMeasurements(value, 5)})
    assert Criterion("p90", sign, 2.0).judge(evidence, 5).holds is holds


def test_the_numbers_are_told() -> None:
    fleet = Evidence({"p99": FleetMeasurements(None, 0), "rollback_rate": FleetMeasurements(12.5, 8)})
    verdict = parse_condition("p99>40ms or rollback_rate>2%").judge(fleet, least=5)
    assert verdict.holds is True
    assert verdict.numbers == (
        "p99 unknown of 0 devices, 5 are needed (halts at >40 ms); "
        "rollback_rate 12.5 % of 8 devices (halts at >2 %)"
    )


@pytest.mark.parametrize(
    ("text", "low", "high", "devices", "holds"),
    [
        ("p99>control+10%", 0.11, 0.30, 9, True),
        ("p99>control+10%", 0.09, 0.30, 9, False),  # chance may be the reason
        ("p99>control+10%", 0.11, 0.30, 4, None),
        ("p99>control+5ms", 5.1, 9.0, 9, True),
        ("agreement<control-3%", -6.0, -3.1, 9, True),
        ("agreement<control-3%", -6.0, -2.9, 9, False),
    ],
)
def test_the_whole_interval_must_be_beyond_the_bound(
    text: str, low: float, high: float, devices: int, holds: bool | None
) -> None:
    difference = Difference(22.0, 20.0, low, high, "%" in text and "p99" in text, 12, devices)
    result = parse_condition(text).judge(Evidence({}, difference), least=5)
    assert result.holds is holds
    assert f"20 of {devices} control devices" in result.numbers


def test_without_a_control_group_nothing_is_known() -> None:
    result = parse_condition("p99>control+10%").judge(Evidence({}), least=0)
    assert result.holds is None
    assert "too few devices of one board" in result.numbers
