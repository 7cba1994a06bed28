"""The evaluator of alarms that the tests of this folder lean on."""

import pytest

from .alarming import STATISTICS, Alarm, Samples, Window, evaluate, holds, names


@pytest.mark.parametrize(
    ("expression", "known", "expected"),
    [
        ("100 * a / b", {"a": 1, "b": 4}, 25),
        ("a / b", {"a": 1, "b": 0}, None),
        ("a / b", {"a": None, "b": 2}, None),
        ("FILL(a, 0) + FILL(b, 7)", {"a": 1, "b": None}, 8),
        ("SUM([a, b])", {"a": 1, "b": 2}, 3),
        ("SUM([a, b])", {"a": 1, "b": None}, None),
        ("MAX([a, b])", {"a": 1, "b": 2}, 2),
        ("IF(a >= 10, b, 0)", {"a": 9, "b": 5}, 0),
        ("IF(a >= 10, b, 0)", {"a": 10, "b": 5}, 5),
        ("IF(a >= 10, b, 0)", {"a": None, "b": 5}, None),
        ("IF(a >= 10, b, 0)", {"a": 9, "b": None}, None),
        ("TIME_SERIES(100 * (1 - SUM(a)))", {"a": 0.5}, 50),
    ],
)
def test_metric_math_is_evaluated(expression: str, known: dict[str, float | None], expected: float | None) -> None:
    assert evaluate(expression, known) == expected


@pytest.mark.parametrize("expression", ["RATE(a)", "a ** 2", "FILL(a, REPEAT)", "IF(a, b)", "SUM(a, b)"])
def test_what_the_templates_do_not_use_is_not_guessed(expression: str) -> None:
    with pytest.raises((NotImplementedError, KeyError)):
        evaluate(expression, {"a": 1, "b": 2})


@pytest.mark.parametrize(
    ("expression", "known", "expected"),
    [
        ("SUM([a, b])", {"a": 1, "b": None}, 1),
        ("MAX([a, b])", {"a": None, "b": 3}, 3),
        ("SUM([a, b])", {"a": None, "b": None}, None),
        ("IF(a >= 10, b, 0)", {"a": 9, "b": None}, 0),
    ],
)
def test_leniently_what_is_missing_is_passed_over(
    expression: str, known: dict[str, float | None], expected: float | None
) -> None:
    assert evaluate(expression, known, lenient=True) == expected


def test_an_expression_names_its_metrics_and_not_its_functions() -> None:
    assert names("IF(requests >= 10, 100 * SUM([a, FILL(b, 0)]) / requests, 0)") == {"requests", "a", "b"}


@pytest.mark.parametrize(
    ("statistic", "window", "expected"),
    [
        ("Sum", {1: 3, 0: 7}, 3),
        ("SampleCount", {1: 3, 0: 7}, 10),
        ("Maximum", {1: 3, 9: 1}, 9),
        ("p95", {10: 95, 99: 5}, 10),
        ("p95", {10: 94, 99: 6}, 99),
        ("p95", {7: 1}, 7),
    ],
)
def test_statistics_are_those_of_the_values_that_came(statistic: str, window: Window, expected: float) -> None:
    assert STATISTICS[statistic](window) == expected


def alarm(treat: str, *, of: int = 3, needed: int = 2, namespace: str = "Millrace") -> Alarm:
    """An alarm on a maximum over 5, by the minute."""
    return Alarm(
        {
            "AlarmName": "one",
            "Namespace": namespace,
            "MetricName": "Some",
            "Dimensions": [],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": of,
            "DatapointsToAlarm": needed,
            "Threshold": 5,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": treat,
        }
    )


def came(*minutes: int) -> Samples:
    return {"watched": {minute: {6: 1} for minute in minutes}}


def test_m_of_n_datapoints_have_to_breach() -> None:
    assert alarm("notBreaching").state(came(0, 2)) == "ALARM"
    assert alarm("notBreaching").state(came(1)) == "OK"
    assert alarm("notBreaching").state(came(2, 3, 4)) == "OK"  # too long ago


def test_missing_data_is_treated_as_the_alarm_says() -> None:
    assert alarm("breaching").state(came(0)) == "ALARM"
    assert alarm("breaching", needed=3).state({"watched": {1: {5: 1}}}) == "OK"
    assert alarm("notBreaching").state({}) == "OK"
    with pytest.raises(KeyError):
        alarm("ignore").state({})


@pytest.mark.parametrize("before", ["OK", "ALARM"])
def test_an_alarm_on_dynamodb_stays_as_it_is_where_data_is_missing(before: str) -> None:
    on_a_table = alarm("notBreaching", namespace="AWS/DynamoDB")
    assert on_a_table.state(came(0, 1), before=before) == before
    assert on_a_table.state(came(0, 1, 2), before=before) == "ALARM"


def test_a_rule_holds_for_any_or_for_all() -> None:
    either, both = 'ALARM("a/1") OR ALARM("b")', 'ALARM("a/1") AND ALARM("b")'
    assert [holds(either, alarming) for alarming in ({"a/1"}, {"b", "a/1"}, {"c"})] == [True, True, False]
    assert [holds(both, alarming) for alarming in ({"a/1"}, {"b", "a/1"}, {"c"})] == [False, True, False]


@pytest.mark.parametrize("rule", ['ALARM("a") OR NOT ALARM("b")', 'ALARM("a") OR ALARM("b") AND ALARM("c")', 'OK("a")'])
def test_rules_of_another_form_are_not_guessed(rule: str) -> None:
    with pytest.raises(NotImplementedError):
        holds(rule, {"a"})
