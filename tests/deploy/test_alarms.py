"""Alarms of the template: each has a condition, says where to read on, reads what is written, and tells somebody."""

import re
from collections.abc import Mapping

import pytest

from millrace.entrypoints.lambdas.sweeping import UNTIL
from millrace.entrypoints.ops.conditions import CONDITIONS, Condition, Severity, prefix
from millrace.entrypoints.ops.objectives import FAST, OBJECTIVES, SLOW, Burn

from .alarming import WATCHED, Alarm, alarms, composites, members, names
from .emitted import emitted, machines
from .stacks import EVERYTHING, Node, flattened, of_type, text

BY_NAME = {condition.name: condition for condition in CONDITIONS}
RUNBOOK = "https://runbooks.example.com/millrace"


def told(template: dict[str, Node]) -> dict[str, dict[str, Node]]:
    """All alarms of a template, metric alarms and composites, by name."""
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    return {properties["AlarmName"]: properties for kind in kinds for properties in of_type(template, kind).values()}


def condition_of(name: str, suffix: str = "") -> Condition:
    """The condition that an alarm is of."""
    assert name.startswith(prefix(suffix))
    return BY_NAME[name.removeprefix(prefix(suffix)).partition("/")[0]]


def windows(condition: Condition, suffix: str = "") -> list[str]:
    return [f"{prefix(suffix)}{condition.name}/{window}" for window in condition.windows]


# ---------------------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(("parameters", "suffix"), [({}, ""), (EVERYTHING, "-staging")], ids=["production", "staging"])
def test_every_condition_has_its_alarms_and_every_alarm_its_condition(parameters: dict[str, str], suffix: str) -> None:
    expected = {alarm for each in CONDITIONS for alarm in (*each.alarms(suffix), *windows(each, suffix))}
    assert set(told(flattened(**parameters))) == expected | {prefix(suffix) + severity for severity in Severity}


def test_the_prefix_of_one_stack_is_that_of_no_other() -> None:
    suffixes = ["", "-staging", "-staging-2", "-p0"]
    alarms_of = {suffix: [alarm for each in CONDITIONS for alarm in each.alarms(suffix)] for suffix in suffixes}
    for suffix, named in alarms_of.items():
        assert [other for other in suffixes if any(alarm.startswith(prefix(suffix)) for alarm in alarms_of[other])] == [
            suffix
        ]
        assert len(set(named)) == len(named)


def test_a_condition_has_one_name_which_can_be_an_anchor_and_is_in_the_order_of_its_severity() -> None:
    assert len(BY_NAME) == len(CONDITIONS)
    assert [name for name in BY_NAME if not re.fullmatch(r"[a-z]+(-[a-z]+)*", name)] == []
    assert [each.severity for each in CONDITIONS] == sorted(each.severity for each in CONDITIONS)
    assert {each.severity for each in CONDITIONS} == set(Severity)


def test_the_command_to_run_first_is_one_of_millrace() -> None:
    assert [each.name for each in CONDITIONS if not re.fullmatch(r"millrace [a-z-]+( \S+)*", each.first)] == []
    assert [each.name for each in CONDITIONS if len(each.parts) > 2 and "FUNCTION" not in each.first] == []


def test_an_alarm_says_its_severity_what_it_means_and_where_to_read_on() -> None:
    for name, alarm in told(flattened(RunbookUrl=RUNBOOK)).items():
        if name.removeprefix(prefix("")) in set(Severity):
            severity = Severity(name.removeprefix(prefix("")))
            expected = f"{severity}: {severity.means} {RUNBOOK}#{severity.lower()}"
        else:
            condition = condition_of(name)
            expected = f"{condition.severity}: {condition.means} {RUNBOOK}#{condition.name}"
        assert alarm["AlarmDescription"] == expected
        assert len(alarm["AlarmDescription"]) <= 1024


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_the_threshold_in_words_has_the_numbers_of_the_alarms(
    production: dict[str, Node], condition: Condition
) -> None:
    numbers, found = set(re.findall(r"\d+(?:\.\d+)?", condition.threshold)), alarms(production)
    for name in windows(condition) or condition.alarms(""):
        alarm = found[name]
        threshold = float(alarm.properties["Threshold"])
        if condition.windows:
            threshold = float((FAST if "fast" in name else SLOW).speed)
        scales = (1, 60, 1000, 3_600_000)  # as it is, or from s to min, from ms to s and to h
        assert threshold <= 1 or {f"{threshold / scale:g}" for scale in scales} & numbers
        assert set(re.findall(r">= (\d+)", alarm.expressions.get(WATCHED, ""))) <= numbers
        if alarm.evaluated > 1 and alarm.needed < alarm.evaluated:
            assert f"{alarm.needed} of {alarm.evaluated} " in condition.threshold
        elif alarm.evaluated > 1:
            assert str(alarm.evaluated) in numbers
        assert (
            f"{alarm.period // 60} minutes" in condition.threshold
            or alarm.period not in (300, 900, 1800)
            or (
                alarm.evaluated == 1  # a gauge, or a window of a burn rate: the last value counts
            )
        )


# ------------------------------------------------------------------------------------------------- whom they tell, when


def topic(severity: Severity) -> str:
    return f"${{TopicsTopic{severity}}}"


def test_an_alarm_tells_the_topic_of_its_severity(production: dict[str, Node]) -> None:
    for name, alarm in told(production).items():
        if name.removeprefix(prefix("")) not in set(Severity) and name not in windows(condition_of(name)):
            assert [text(action) for action in alarm["AlarmActions"]] == [topic(condition_of(name).severity)], name


def test_a_topic_of_the_operators_own_is_told_as_well(staging: dict[str, Node]) -> None:
    for alarm in told(staging).values():
        for actions in (alarm.get("AlarmActions"), alarm.get("OKActions")):
            assert actions is None or (len(actions) == 2 and actions[1] == EVERYTHING["AlarmTopicArn"])


def test_the_windows_of_a_burn_rate_tell_nobody_and_both_make_its_alarm(production: dict[str, Node]) -> None:
    rules, found = composites(production), told(production)
    burning = [each for each in CONDITIONS if each.windows]
    assert len(burning) == 4
    for condition in burning:
        [name] = condition.alarms("")
        assert rules[name] == " AND ".join(f'ALARM("{window}")' for window in windows(condition))
        assert not any({"AlarmActions", "OKActions"} & set(found[window]) for window in windows(condition))


def test_the_composite_of_a_severity_has_all_alarms_of_its_conditions_and_tells_when_all_is_over(
    production: dict[str, Node],
) -> None:
    rules, found = composites(production), told(production)
    for severity in Severity:
        expected = [alarm for each in CONDITIONS if each.severity == severity for alarm in each.alarms("")]
        rule = rules[prefix("") + severity]
        assert members(rule) == expected
        assert rule == " OR ".join(f'ALARM("{alarm}")' for alarm in expected)
        assert len(rule) <= 10_240
        composite = found[prefix("") + severity]
        assert [text(action) for action in composite["OKActions"]] == [topic(severity)]
        assert "AlarmActions" not in composite  # each of its alarms has told already, and says more


def test_each_severity_has_a_topic_that_cloudwatch_may_write_to_and_decrypt(production: dict[str, Node]) -> None:
    topics = of_type(production, "AWS::SNS::Topic")
    assert {each["TopicName"] for each in topics.values()} == {f"millrace-{severity}" for severity in Severity}
    assert {text(each["KmsMasterKeyId"]) for each in topics.values()} == {"${TopicsKey}"}
    [key] = of_type(production, "AWS::KMS::Key").values()
    granted = {
        (statement["Principal"]["Service"], action, text(statement["Condition"]["StringEquals"]["aws:SourceAccount"]))
        for statement in key["KeyPolicy"]["Statement"]
        if "Service" in statement["Principal"]
        for action in statement["Action"]
    }
    alarms_of_ours = ("cloudwatch.amazonaws.com", "${AWS::AccountId}")
    assert granted == {
        (alarms_of_ours[0], action, alarms_of_ours[1]) for action in ("kms:Decrypt", "kms:GenerateDataKey*")
    }
    assert key["EnableKeyRotation"] is True
    policies = of_type(production, "AWS::SNS::TopicPolicy").values()
    assert sorted(text(each) for policy in policies for each in policy["Topics"]) == sorted(map(topic, Severity))
    for policy in policies:
        allow, deny = policy["PolicyDocument"]["Statement"]
        assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert (allow["Effect"], allow["Action"], deny["Effect"]) == ("Allow", "sns:Publish", "Deny")
        assert text(allow["Condition"]["StringEquals"]["aws:SourceAccount"]) == "${AWS::AccountId}"
        assert [text(allow["Resource"])] == [text(deny["Resource"])] == [text(each) for each in policy["Topics"]]


def test_an_address_hears_of_every_severity(production: dict[str, Node]) -> None:
    assert of_type(production, "AWS::SNS::Subscription") == {}
    subscriptions = of_type(flattened(AlarmEmail="on-call@example.com"), "AWS::SNS::Subscription").values()
    assert {(each["Protocol"], each["Endpoint"]) for each in subscriptions} == {("email", "on-call@example.com")}
    assert {text(each["TopicArn"]) for each in subscriptions} == set(map(topic, Severity))


# ------------------------------------------------------------------------------------------------------ what they read


def plain(dimensions: Mapping[str, str], template: dict[str, Node]) -> frozenset[tuple[str, str]]:
    """Dimensions with functions by name, and of those of a version of a function that of the function alone."""
    functions = of_type(template, "AWS::Lambda::Function").items()
    named = {f"${{{key}}}": function["FunctionName"] for key, function in functions}
    return frozenset(
        (key, named.get(value, value))
        for key, value in dimensions.items()
        if key not in {"Resource", "ExecutedVersion"} or "FunctionName" not in dimensions
    )


def test_every_metric_that_an_alarm_reads_is_written(production: dict[str, Node], staging: dict[str, Node]) -> None:
    for template in (production, staging):
        there = emitted(template)
        for name, alarm in alarms(template).items():
            for query in alarm.queries:
                assert (query.namespace, query.metric, plain(query.dimensions, template)) in there, name
                assert len(query.dimensions) == 3 or "/new-version-errors/" not in name


def test_alarms_keep_within_what_cloudwatch_takes(production: dict[str, Node]) -> None:
    """PutMetricAlarm and MetricDataQuery in the API reference."""
    for name, alarm in alarms(production).items():
        told_ = alarm.properties
        longest = 86_400 if alarm.period < 3600 else 604_800
        assert alarm.period % 60 == 0
        assert alarm.period * alarm.evaluated <= longest, name
        assert 1 <= alarm.needed <= alarm.evaluated
        assert len(alarm.queries) <= 10
        assert len(alarm.expressions) <= 10
        if "MetricName" in told_:
            assert re.fullmatch(r"Sum|Maximum|SampleCount", told_["Statistic"])  # percentiles have a least count
            continue
        returned = [item["Id"] for item in told_["Metrics"] if item.get("ReturnData", True)]
        assert returned == [WATCHED], name
        ids = {item["Id"] for item in told_["Metrics"]}
        assert all(re.fullmatch(r"[a-z][A-Za-z0-9_]*", each) for each in ids)
        assert set().union(*map(names, alarm.expressions.values())) == ids - {WATCHED}
        assert not any("SEARCH" in expression for expression in alarm.expressions.values())


def test_only_the_alarm_that_watches_for_the_missing_of_data_takes_it_for_a_breach(
    production: dict[str, Node],
) -> None:
    kinds = {name: alarm.properties["TreatMissingData"] for name, alarm in alarms(production).items()}
    assert {name for name, kind in kinds.items() if kind != "notBreaching"} == {"millrace/sweep-missing"}
    assert kinds["millrace/sweep-missing"] == "breaching"


def test_percentiles_have_a_least_count(production: dict[str, Node]) -> None:
    slow = [alarm for alarm in alarms(production).values() if any(q.statistic == "p95" for q in alarm.queries)]
    assert [alarm.name for alarm in slow] == ["millrace/curation-slow", "millrace/queries-slow"]
    for alarm in slow:
        p95, count = alarm.queries
        assert (p95.metric, p95.dimensions, count.statistic) == (count.metric, count.dimensions, "SampleCount")
        assert alarm.expressions[WATCHED] == f"IF({count.id} >= 20, p95, 0)"


# ---------------------------------------------------------------------------------------------------------- objectives


def series(alarm: Alarm, query_id: str) -> tuple[str, str, str, dict[str, str]]:
    [query] = [each for each in alarm.queries if each.id == query_id]
    return query.namespace, query.metric, query.statistic, dict(query.dimensions)


BURNING = [
    ("availability", "fast", FAST),
    ("availability", "slow", SLOW),
    ("latency", "fast", FAST),
    ("latency", "slow", SLOW),
]


@pytest.mark.parametrize(("objective", "speed", "burn"), BURNING, ids=[f"{o}-{s}" for o, s, _ in BURNING])
def test_burn_rates_are_those_of_the_objective(
    staging: dict[str, Node], objective: str, speed: str, burn: Burn
) -> None:
    [told_] = [each for each in OBJECTIVES if each.name == objective]
    [machine] = machines(staging)
    bad, every = (
        (
            each.namespace,
            each.metric,
            each.statistic,
            {
                item["Name"]: item["Value"]
                for item in each.of(suffix="-staging", environment="staging", machine=machine)
            },
        )
        for each in (*told_.bad, *told_.every)
    )
    found = alarms(staging)
    of_both = [found[name] for name in windows(BY_NAME[f"{objective}-burning-{speed}"], "-staging")]
    assert [alarm.period * alarm.evaluated for alarm in of_both] == [burn.long, burn.short]
    for alarm in of_both:
        assert (series(alarm, "bad"), series(alarm, "every")) == (bad, every)
        assert alarm.properties["Threshold"] == pytest.approx(float(100 * burn.threshold(told_)))


def test_one_failure_among_the_least_count_is_no_high_rate(production: dict[str, Node]) -> None:
    checked = 0
    for alarm in alarms(production).values():
        for least in re.findall(r"IF\(\w+ >= (\d+), 100 \* \w+ / \w+, 0\)", alarm.expressions.get(WATCHED, "")):
            assert 100 / int(least) <= float(alarm.properties["Threshold"]), alarm.name
            checked += 1
    assert checked == 12


def test_a_sweep_looks_only_at_receipts_that_have_had_a_second_try(production: dict[str, Node]) -> None:
    queue = of_type(production, "AWS::SQS::Queue")["StorageQueue"]
    function = of_type(production, "AWS::Lambda::Function")["TransformationFunction"]
    assert UNTIL.endswith("m")
    assert int(UNTIL[:-1]) * 60 >= queue["VisibilityTimeout"] + 2 * function["Timeout"]


def test_sweeps_overlap_so_that_no_receipt_is_looked_at_by_none(production: dict[str, Node]) -> None:
    [rule] = of_type(production, "AWS::Events::Rule").values()
    missing = alarms(production)["millrace/sweep-missing"]
    assert rule["ScheduleExpression"] == "rate(1 hour)"
    assert missing.period * missing.evaluated == 3 * 3600
