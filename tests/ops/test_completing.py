"""The stack that the tests of operations stand on is the template's."""

from collections.abc import Callable

from click.testing import Result

from millrace.entrypoints.ops.conditions import CONDITIONS

from .completing import completed
from .standing import Stand


def test_the_stack_has_every_alarm_of_every_condition(cloud: Stand) -> None:
    answer = cloud.client("cloudwatch").describe_alarms(AlarmNamePrefix=cloud["AlarmPrefix"])
    there = {alarm["AlarmName"] for kind in ("MetricAlarms", "CompositeAlarms") for alarm in answer[kind]}
    assert {name for condition in CONDITIONS for name in condition.alarms("")} <= there


def test_functions_have_versions_and_the_alias_is_at_the_last(cloud: Stand) -> None:
    for function in cloud.stack.functions:
        versions = cloud.client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
        assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
        assert cloud.client("lambda").get_alias(FunctionName=function, Name="prod")["FunctionVersion"] == "2"


def test_messages_stay_though_the_event_source_mappings_are_enabled(cloud: Stand) -> None:
    mappings = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert {(mapping["FunctionArn"].partition("function:")[2], mapping["State"]) for mapping in mappings} == {
        ("transformation-lambda:prod", "Enabled"),
        ("analytics-lambda:prod", "Enabled"),
    }
    sqs, url = cloud.client("sqs"), cloud["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="here")
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "here"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_the_stage_throttles_as_the_template_says(cloud: Stand) -> None:
    settings = cloud.client("apigateway").get_stage(restApiId=cloud.stack.api_id, stageName="prod")["methodSettings"]
    limits = {path: (each["throttlingRateLimit"], each["throttlingBurstLimit"]) for path, each in settings.items()}
    assert limits == {
        "*/*": (1000, 2000),
        "~1ingest/POST": (500, 1000),
        "~1ingest~1{source}/POST": (500, 1000),
    }


def test_an_empty_account_has_no_stack(nothing: Callable[..., Result]) -> None:
    result = nothing("pitr")
    assert result.exit_code == 2
    assert "there is no stack millrace" in result.output


def test_a_stack_of_another_environment_has_names_of_its_own(cloud: Stand) -> None:
    with completed("staging") as staging:
        assert staging.stack.name == "millrace-staging"
        [components, *_] = staging.told("health")
        names = {row["name"] for row in components["rows"]}
        [_, others] = staging.told("alarms")
    assert all(name.endswith("-staging") for name in names)
    assert {row["alarm"].partition("/")[0] for row in others["rows"]} == {"millrace-staging"}
    assert cloud.told("alarms")[1]["rows"][0]["alarm"].startswith("millrace/")
