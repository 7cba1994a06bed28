"""What alarms do on synthetic metrics: just under, just over, nothing at all, too little to tell, and what is late."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.ops.conditions import CONDITIONS, Condition, Severity

from .alarming import WATCHED, Alarm, Samples, Window, alarms, composites, holds
from .stacks import Node, flattened

ALARMS = {name.removeprefix("millrace/"): alarm for name, alarm in alarms(flattened()).items()}
Metric = dict[int, Window]


def each(minutes: int | Iterable[int], window: Window) -> Metric:
    """The same in each of the last minutes, or of those given."""
    return dict.fromkeys(range(minutes) if isinstance(minutes, int) else minutes, window)


def ratio(bad: str, every: str, share: tuple[int, int], minutes: int | Iterable[int]) -> Samples:
    """Of so many a minute so many bad ones, both counted as AWS does: 1 for each, and 0 for each that is good."""
    wrong, total = share
    kept = range(minutes) if isinstance(minutes, int) else [*minutes]
    return {bad: each(kept, {1: wrong, 0: total - wrong}), every: each(kept, {1: total})}


def api(share: tuple[int, int], minutes: int | Iterable[int]) -> Samples:
    return ratio("errors", "requests", share, minutes)


def invocations(share: tuple[int, int], minutes: int | Iterable[int]) -> Samples:
    return ratio("errors", "invocations", share, minutes)


def executions(failed: int, timed_out: int, succeeded: int, aborted: int) -> Samples:
    ends = {"errors": failed, "timeouts": timed_out, "successes": succeeded, "aborts": aborted}
    return {name: {100: {1: count}} for name, count in ends.items() if count}


def watched(minutes: int | Iterable[int], value: float) -> Samples:
    return {WATCHED: each(minutes, {value: 1})}


def p95(name: str, slowest: float, of: int, minutes: int | Iterable[int]) -> Samples:
    """So many a minute, the slowest tenth of them so slow, in the alarm's two views of the same metric."""
    metric = each(minutes, {10: of - of // 10, slowest: of // 10} if of >= 10 else {slowest: of})
    return {"p95": metric, name: metric}


def calls(throttled: int, of: int, minutes: int) -> Samples:
    """Calls of two functions; the one is throttled, the other is not. The three others are not called at all."""
    return {
        "throttles_ingestion": each(minutes, {1: throttled}) if throttled else {},
        "invocations_ingestion": each(minutes, {1: of // 2 - throttled}) if of // 2 > throttled else {},
        "invocations_query": each(minutes, {1: of - of // 2}),
    }


def burn(bad: int, of: int, minutes: int | Iterable[int]) -> Samples:
    """As the API is counted; a slow receipt is counted as 1, and its time once."""
    return ratio("bad", "every", (bad, of), minutes)


Case = tuple[str, str, Samples, str]
OK, ALARM = "OK", "ALARM"
CASES: list[Case] = [
    # condition or alarm, what comes, samples, state
    ("api-errors", "just-under", api((5, 100), 5), OK),
    ("api-errors", "just-over", api((6, 100), 5), ALARM),
    ("api-errors", "in-3-of-5-minutes", api((6, 100), [0, 2, 4]), ALARM),
    ("api-errors", "in-2-of-5-minutes", api((6, 100), [0, 1]), OK),
    ("api-errors", "one-failed-request-at-night", api((1, 1), [1]), OK),
    ("api-errors", "few-requests-all-failed", api((19, 19), 5), OK),
    ("api-errors", "enough-requests-all-failed", api((20, 20), 5), ALARM),
    ("api-errors", "over-six-minutes-ago", api((50, 100), range(5, 15)), OK),
    *[
        case
        for function in ("ingestion", "validation", "transformation", "analytics", "query")
        for case in (
            (f"function-errors/{function}", "just-under", invocations((10, 100), 15), OK),
            (f"function-errors/{function}", "just-over", invocations((11, 100), 15), ALARM),
            (f"function-errors/{function}", "in-2-of-3-times", invocations((3, 10), [0, 12]), ALARM),
            (f"function-errors/{function}", "in-1-of-3-times", invocations((3, 10), [0, 1]), OK),
            (f"function-errors/{function}", "low-count", invocations((9, 9), [0, 5, 10]), OK),
        )
    ],
    ("workflow-failures", "just-under", executions(1, 0, 4, 0), OK),
    ("workflow-failures", "just-over", executions(1, 1, 7, 0), ALARM),
    ("workflow-failures", "time-outs-alone", executions(0, 5, 0, 0), ALARM),
    ("workflow-failures", "stopped-by-somebody", executions(0, 0, 0, 9), OK),
    ("workflow-failures", "low-count", executions(4, 0, 0, 0), OK),
    ("workflow-failures", "seven-hours-ago", {"errors": {7 * 60: {1: 9}}}, OK),
    ("dead-letters-many", "just-under", watched(5, 100), OK),
    ("dead-letters-many", "just-over", watched([0], 101), ALARM),
    ("dead-letters", "just-under", watched(5, 0), OK),
    ("dead-letters", "just-over", watched([4], 1), ALARM),
    ("data-loss", "just-under", {"missing": {9: {0: 1}}, "unbalanced": {9: {0: 1}}}, OK),
    ("data-loss", "one-missing", {"missing": {9: {1: 1}}, "unbalanced": {9: {0: 1}}}, ALARM),
    ("data-loss", "one-unbalanced", {"missing": {9: {0: 1}}, "unbalanced": {9: {1: 1}}}, ALARM),
    ("data-loss", "mended-by-the-next-sweep", {"missing": {9: {0: 1}, 69: {1: 1}}, "unbalanced": {9: {0: 1}}}, OK),
    ("changes-undelivered", "just-under", watched(5, 0), OK),
    ("changes-undelivered", "just-over", watched([2], 1), ALARM),
    ("changes-refused", "just-over", {"refused": {59: {1: 1}}}, ALARM),
    ("changes-refused", "an-hour-ago", {"refused": {60: {1: 1}}}, OK),
    ("events-deleted", "just-over", {"deleted": {59: {1: 1}}}, ALARM),
    ("events-deleted", "an-hour-ago", {"deleted": {60: {1: 1}}}, OK),
    ("stream-expiring", "just-under", watched(10, 43_200_000), OK),
    ("stream-expiring", "just-over", watched(10, 43_200_001), ALARM),
    ("stream-expiring", "for-a-moment", watched([0], 43_200_001), OK),
    ("curation-slow", "just-under", p95("receipts", 1000, 100, 15), OK),
    ("curation-slow", "just-over", p95("receipts", 1001, 100, 15), ALARM),
    ("curation-slow", "in-1-of-3-times", p95("receipts", 9000, 100, 5), OK),
    ("curation-slow", "low-count", p95("receipts", 9000, 19, [0, 5, 10]), OK),
    ("queue-waiting", "just-under", watched(5, 300), OK),
    ("queue-waiting", "just-over", watched(5, 301), ALARM),
    ("queue-waiting", "for-four-minutes", watched(4, 9000), OK),
    ("receipts-failing", "just-under", {"failed": {0: {0: 3}}}, OK),
    ("receipts-failing", "just-over", {"failed": {59: {1: 1}}}, ALARM),
    ("view-lag/folded", "just-under", watched(5, 60_000), OK),
    ("view-lag/folded", "just-over", watched(5, 60_001), ALARM),
    ("view-lag/folded", "now-and-then", watched([0, 2, 4], 90_000), OK),
    ("view-lag/waiting", "just-under", watched(5, 60_000), OK),
    ("view-lag/waiting", "just-over", watched(5, 60_001), ALARM),
    ("function-throttles", "just-under", calls(1, 100, 15), OK),
    ("function-throttles", "just-over", calls(2, 100, 15), ALARM),
    ("function-throttles", "low-count", calls(9, 19, 15), OK),
    ("function-throttles", "one-function-wholly", {"throttles_query": each(15, {1: 20})}, ALARM),
    ("table-throttles", "just-under", {"writes_curated": each([0, 5, 10], {1: 10})}, OK),
    ("table-throttles", "just-over", {"writes_curated": each([0, 5], {1: 11})}, ALARM),
    (
        "table-throttles",
        "several-tables",
        {"reads_views": each([0, 5], {1: 6}), "writes_ledger": each([1, 6], {1: 5})},
        ALARM,
    ),
    ("table-throttles", "for-a-moment", {"writes_curated": {3: {1: 5000}}}, OK),
    ("sweep-missing", "one-two-hours-ago", {WATCHED: {130: {0: 1}}}, OK),
    ("sweep-missing", "none-for-three-hours", {WATCHED: {180: {500: 1}}}, ALARM),
    *[
        case
        for function in ("ingestion", "validation", "transformation", "analytics", "query")
        for case in (
            (f"new-version-errors/{function}", "just-under", watched([0], 0), OK),
            (f"new-version-errors/{function}", "just-over", watched([0], 1), ALARM),
        )
    ],
    ("cold-starts-slow", "just-under", {"query": each([0, 20, 40], {2000: 1})}, OK),
    ("cold-starts-slow", "just-over", {"query": each([0, 20, 40], {2001: 1})}, ALARM),
    (
        "cold-starts-slow",
        "of-several-functions",
        {"query": {0: {9000: 1}}, "ingestion": {20: {9000: 1}}, "analytics": {40: {9000: 1}}},
        ALARM,
    ),
    ("cold-starts-slow", "twice-an-hour", {"query": each([0, 20], {9000: 1})}, OK),
    ("queries-slow", "just-under", p95("queries", 2000, 100, 45), OK),
    ("queries-slow", "just-over", p95("queries", 2001, 100, 45), ALARM),
    ("queries-slow", "low-count", p95("queries", 9000, 1, [0, 15, 30]), OK),
    ("availability-burning-fast/1h", "just-under", burn(14, 1000, 60), OK),
    ("availability-burning-fast/1h", "just-over", burn(15, 1000, 60), ALARM),
    ("availability-burning-fast/1h", "low-count", burn(99, 99, [30]), OK),
    ("availability-burning-fast/5m", "just-under", burn(14, 1000, 5), OK),
    ("availability-burning-fast/5m", "just-over", burn(15, 1000, 5), ALARM),
    ("availability-burning-slow/6h", "just-under", burn(6, 1000, 360), OK),
    ("availability-burning-slow/6h", "just-over", burn(7, 1000, 360), ALARM),
    ("availability-burning-slow/6h", "low-count", burn(199, 199, [200]), OK),
    ("availability-burning-slow/30m", "just-under", burn(6, 1000, 30), OK),
    ("availability-burning-slow/30m", "just-over", burn(7, 1000, 30), ALARM),
    ("latency-burning-fast/1h", "just-under", burn(72, 100, 60), OK),
    ("latency-burning-fast/1h", "just-over", burn(73, 100, 60), ALARM),
    ("latency-burning-fast/1h", "low-count", burn(19, 19, [30]), OK),
    ("latency-burning-fast/5m", "just-under", burn(72, 100, 5), OK),
    ("latency-burning-fast/5m", "just-over", burn(73, 100, 5), ALARM),
    ("latency-burning-slow/6h", "just-under", burn(30, 100, 360), OK),
    ("latency-burning-slow/6h", "just-over", burn(31, 100, 360), ALARM),
    ("latency-burning-slow/6h", "low-count", burn(19, 19, [200]), OK),
    ("latency-burning-slow/30m", "just-under", burn(30, 100, 30), OK),
    ("latency-burning-slow/30m", "just-over", burn(31, 100, 30), ALARM),
]


@pytest.mark.parametrize(
    ("name", "samples", "state"), [(n, s, e) for n, _, s, e in CASES], ids=[f"{n}-{w}" for n, w, *_ in CASES]
)
def test_an_alarm_goes_off_just_over_its_threshold_and_not_before(name: str, samples: Samples, state: str) -> None:
    known = {query.id for query in ALARMS[name].queries}
    assert set(samples) <= known
    assert ALARMS[name].state(samples) == state
    assert ALARMS[name].state(samples, lenient=True) == state


def test_every_alarm_is_tried_on_both_sides_of_its_threshold() -> None:
    tried = {state: {name for name, _, _, found in CASES if found == state} for state in (OK, ALARM)}
    assert tried[OK] == tried[ALARM] == set(ALARMS)


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_without_any_data_an_alarm_is_well_unless_it_watches_for_that(name: str) -> None:
    expected = ALARM if name == "sweep-missing" else OK
    assert ALARMS[name].state({}) == ALARMS[name].state({}, before=ALARM) == expected


def test_an_alarm_on_throttled_tables_ends_with_the_throttling() -> None:
    """DynamoDB writes these metrics only while it throttles, and alarms on them ignore what is missing."""
    alarm = ALARMS["table-throttles"]
    assert alarm.state({"writes_views": each(range(15, 40), {1: 99})}, before=ALARM) == OK
    bare = dict(alarm.properties, Metrics=[{**item} for item in alarm.properties["Metrics"]])
    bare["Metrics"][0]["Expression"] = "SUM([reads_curated, writes_curated])"
    assert Alarm(bare).state({}, before=ALARM) == ALARM  # what would be without FILL


SOMETIMES = {
    *("Refused", "Deleted", "Failed", "Missing", "Unbalanced", "Initialization"),
    *("ReadThrottleEvents", "WriteThrottleEvents"),
    *(f"Executions{end}" for end in ("Succeeded", "Failed", "TimedOut", "Aborted")),
}
"""Metrics that are written when something happens, and not with every invocation or message."""


def test_where_nothing_is_written_while_all_is_well_an_alarm_takes_that_for_a_0() -> None:
    """Of missing data CloudWatch looks further back than it says, so that an alarm would end late (user guide,
    "Configuring how CloudWatch alarms treat missing data").
    """
    sparse = {name for name, alarm in ALARMS.items() if {query.metric for query in alarm.queries} <= SOMETIMES}
    assert sparse == {
        *("data-loss", "changes-refused", "events-deleted", "receipts-failing", "table-throttles", "cold-starts-slow"),
        "workflow-failures",
    }
    for name in sparse:
        assert ALARMS[name].points({}, lenient=True) == [0] * ALARMS[name].evaluated


VALUES: list[float] = [0, 1, 400, 2500, 70_000]
WINDOW = st.dictionaries(st.sampled_from(VALUES), st.integers(1, 40), min_size=1, max_size=3)


@pytest.mark.parametrize("name", sorted(name for name, alarm in ALARMS.items() if len(alarm.queries) > 1))
@given(data=st.data())
def test_it_does_not_matter_how_cloudwatch_adds_series_with_gaps(name: str, data: st.DataObject) -> None:
    alarm = ALARMS[name]
    last = min(alarm.period * alarm.evaluated // 60, 40)
    metric = st.dictionaries(st.integers(0, last), WINDOW, max_size=4)
    samples = data.draw(st.fixed_dictionaries({query.id: metric for query in alarm.queries}))
    for before in (OK, ALARM):
        assert alarm.state(samples, before=before) == alarm.state(samples, before=before, lenient=True)


@given(st.integers(0, 5), st.integers(5, 200))
def test_one_failed_request_at_night_is_no_p0(failed_minute: int, requests: int) -> None:
    quiet = api((0, requests // 5), 5)
    with_one: Samples = {
        "errors": {**quiet["errors"], failed_minute: {1: 1, 0: requests // 5}},
        "requests": {**quiet["requests"], failed_minute: {1: requests // 5 + 1}},
    }
    assert ALARMS["api-errors"].state(with_one) == OK


# ---------------------------------------------------------------------------------------------------------- composites


def states(samples: dict[str, Samples]) -> set[str]:
    """The names of all alarms, composites too, that are in ALARM where these alarms get samples and no other does."""
    alarming = {f"millrace/{name}" for name, given_ in samples.items() if ALARMS[name].state(given_) == ALARM}
    rules = composites(flattened())
    while more := {name for name, rule in rules.items() if name not in alarming and holds(rule, alarming)}:
        alarming |= more
    return {name.removeprefix("millrace/") for name in alarming}


def failing(minutes: Iterable[int], requests: int = 10) -> dict[str, Samples]:
    """Ten requests to the API in each minute of six hours; so many of them fail in these minutes."""
    wrong = {*minutes}
    errors: Metric = {minute: {1: requests, 0: 10 - requests} if minute in wrong else {0: 10} for minute in range(360)}
    samples = {"bad": errors, "every": each(360, {1: 10})}
    return {f"availability-burning-{window}": samples for window in ("fast/1h", "fast/5m", "slow/6h", "slow/30m")}


def test_a_failure_that_goes_on_burns_fast_and_one_that_is_over_burns_no_more() -> None:
    fast = {"availability-burning-fast", "P1"}
    assert fast <= states(failing(range(3)))
    assert not fast & states(failing(range(5, 8)))
    assert states(failing([])) == set()


def test_what_fails_a_little_for_long_burns_slowly() -> None:
    slow = {"availability-burning-slow", "P2"}
    fast = {"availability-burning-fast", "P1"}
    every_twelfth_minute = states(failing(range(0, 360, 12), requests=1))
    assert slow <= every_twelfth_minute
    assert not fast & every_twelfth_minute
    assert not slow & states(failing(range(36, 360, 12), requests=1))  # over for half an hour


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_the_severity_of_a_condition_is_in_alarm_when_one_of_its_alarms_is(
    production: dict[str, Node], condition: Condition
) -> None:
    rules = composites(production)
    for alarm in condition.alarms(""):
        on = {severity for severity in Severity if holds(rules[f"millrace/{severity}"], {alarm})}
        assert on == {condition.severity}
