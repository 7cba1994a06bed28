"""The template as CloudFormation sees it: names, functions, how the parts are wired, outputs."""

import ast
import importlib.util
import inspect
import json
import re

import attrs
import pytest

from millrace.adapters.aws.messages import MAX_MESSAGE
from millrace.adapters.aws.stack import OUTPUTS
from millrace.entrypoints.lambdas.analytics import SWEEP
from millrace.entrypoints.lambdas.settings import Settings
from millrace.entrypoints.ops.conditions import Severity, prefix

from .stacks import EVERYTHING, Node, of_type, references, text, translated

FUNCTIONS = ("ingestion", "validation", "transformation", "analytics", "query")


@pytest.mark.parametrize("parameters", [{}, EVERYTHING])
def test_every_reference_leads_to_a_resource(parameters: dict[str, str]) -> None:
    template = translated(**parameters)
    named = references(template["Resources"]) | references(template["Outputs"])
    assert {name for name in named if not name.startswith("AWS::")} <= set(template["Resources"])


def test_names_are_those_that_others_rely_on(production: dict[str, Node]) -> None:
    functions = of_type(production, "AWS::Lambda::Function").values()
    assert {function["FunctionName"] for function in functions} == {f"{name}-lambda" for name in FUNCTIONS}
    assert {alias["Name"] for alias in of_type(production, "AWS::Lambda::Alias").values()} == {"prod"}
    queues = of_type(production, "AWS::SQS::Queue").values()
    assert {queue["QueueName"] for queue in queues} == {"processing-queue", "processing-dlq", "changes-dlq"}
    tables = of_type(production, "AWS::DynamoDB::Table").values()
    assert {table["TableName"] for table in tables} == {"CuratedEvents", "Identities", "Views", "Ledger"}
    [machine] = of_type(production, "AWS::StepFunctions::StateMachine").values()
    [api] = of_type(production, "AWS::ApiGateway::RestApi").values()
    [stage] = of_type(production, "AWS::ApiGateway::Stage").values()
    assert (machine["StateMachineName"], api["Name"], stage["StageName"]) == (
        "DataProcessing",
        "ServerlessDataAPI",
        "prod",
    )


def test_every_name_of_another_environment_tells_it(production: dict[str, Node], staging: dict[str, Node]) -> None:
    keys = ("FunctionName", "QueueName", "TableName", "StateMachineName", "LogGroupName", "TopicName")
    kinds = ("Lambda::Function", "SQS::Queue", "DynamoDB::Table", "StepFunctions::StateMachine", "Logs::LogGroup")
    for kind in (*kinds, "SNS::Topic"):
        ours = of_type(production, f"AWS::{kind}")
        for name, theirs in of_type(staging, f"AWS::{kind}").items():
            assert [f"{ours[name][key]}-staging" for key in keys if key in theirs] == [
                theirs[k] for k in keys if k in theirs
            ]
    assert of_type(staging, "AWS::ApiGateway::RestApi")["ApiApi"]["Name"] == "ServerlessDataAPI-staging"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_runs_a_handler_that_is_there(production: dict[str, Node], name: str) -> None:
    function = of_type(production, "AWS::Lambda::Function")[f"{name.capitalize()}Function"]
    module, _, attribute = function["Handler"].rpartition(".")
    assert (module, attribute) == (f"millrace.entrypoints.lambdas.{name}", "handler")
    assert importlib.util.find_spec(module) is not None
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert function["ReservedConcurrentExecutions"] > 0
    assert text(function["Role"]) == f"${{Roles{name.capitalize()}Role.Arn}}"
    assert text(function["LoggingConfig"]["LogGroup"]) == f"${{{name.capitalize()}Logs}}"


def test_a_deployment_moves_little_by_little_and_alarms_roll_it_back(production: dict[str, Node]) -> None:
    groups = of_type(production, "AWS::CodeDeploy::DeploymentGroup")
    for name in FUNCTIONS:
        group = groups[f"{name.capitalize()}FunctionDeploymentGroup"]
        assert text(group["AutoRollbackConfiguration"]["Events"]).count("DEPLOYMENT_STOP_ON_ALARM") == 1
        [alarm] = references(group["AlarmConfiguration"])
        dimensions = {d["Name"]: d["Value"] for d in production["Resources"][alarm]["Properties"]["Dimensions"]}
        [version] = references(dimensions["ExecutedVersion"])
        assert production["Resources"][version]["Type"] == "AWS::Lambda::Version"
        assert references(production["Resources"][version]) == {f"{name.capitalize()}Function"}
        assert "Canary" in str(group["DeploymentConfigName"])


def test_only_as_many_instances_are_kept_warm_as_asked_for(
    production: dict[str, Node], staging: dict[str, Node]
) -> None:
    warm = {
        name: alias["ProvisionedConcurrencyConfig"]["ProvisionedConcurrentExecutions"]
        for name, alias in of_type(staging, "AWS::Lambda::Alias").items()
        if "ProvisionedConcurrencyConfig" in alias
    }
    assert warm == {"IngestionFunctionAliasprod": "2"}
    assert "ProvisionedConcurrencyConfig" not in str(production["Resources"])


READ = {f"MILLRACE_{field.name.upper()}" for field in attrs.fields(Settings)}
"""Every variable that settings.py reads."""


def needs_of(module: str) -> set[str]:
    """The variables that a handler says it cannot do without: the further arguments of its decorator."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    [handler] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "handler"]
    [decorator] = [node for node in handler.decorator_list if isinstance(node, ast.Call)]
    return {f"MILLRACE_{ast.literal_eval(argument).upper()}" for argument in decorator.args[1:]}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_is_told_what_it_needs_and_no_more(production: dict[str, Node], name: str) -> None:
    function = of_type(production, "AWS::Lambda::Function")[f"{name.capitalize()}Function"]
    told = set(function["Environment"]["Variables"])
    by_api = {"MILLRACE_CORS_ORIGINS"} if name in ("ingestion", "validation", "query") else set()
    assert told == {"MILLRACE_CATALOG", "MILLRACE_ENVIRONMENT"} | by_api | needs_of(
        f"millrace.entrypoints.lambdas.{name}"
    )
    assert told <= READ


def test_what_is_told_is_what_the_outputs_say(production: dict[str, Node]) -> None:
    variables = {
        name: f"MILLRACE_{'_'.join(re.findall('[A-Z][a-z]*', name)).upper()}" for name in production["Outputs"]
    }
    outputs = {variables[name]: output["Value"] for name, output in production["Outputs"].items()}
    outputs["MILLRACE_CATALOG"] = outputs.pop("MILLRACE_CATALOG_NAME")
    assert set(outputs) >= READ
    for function in of_type(production, "AWS::Lambda::Function").values():
        for variable, value in function["Environment"]["Variables"].items():
            assert value == outputs[variable]


# ---------------------------------------------------------------------------------------------------------- the wiring


def test_receipts_are_delivered_in_batches_that_may_fail_in_part(production: dict[str, Node]) -> None:
    mapping = of_type(production, "AWS::Lambda::EventSourceMapping")["TransformationFunctionReceipts"]
    function = of_type(production, "AWS::Lambda::Function")["TransformationFunction"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] < function["ReservedConcurrentExecutions"]
    assert references(mapping["FunctionName"]) == {"TransformationFunctionAliasprod"}
    [queue] = references(mapping["EventSourceArn"])
    assert production["Resources"][queue]["Properties"]["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_a_poison_change_fails_alone_and_no_change_is_given_up_early(production: dict[str, Node]) -> None:
    mapping = of_type(production, "AWS::Lambda::EventSourceMapping")["AnalyticsFunctionChanges"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert (mapping["MaximumRetryAttempts"], mapping["MaximumRecordAgeInSeconds"]) == (-1, -1)
    assert references(mapping["DestinationConfig"]["OnFailure"]) == {"StorageChangesDeadLetterQueue"}
    assert mapping["TumblingWindowInSeconds"] > 0  # else Lambda does not say which shard a batch is of
    assert mapping["ParallelizationFactor"] == 1
    assert text(mapping["EventSourceArn"]) == "${StorageCuratedTable.StreamArn}"


def test_reconcile_runs_by_the_clock(production: dict[str, Node]) -> None:
    [rule] = of_type(production, "AWS::Events::Rule").values()
    [target] = rule["Targets"]
    assert references(target["Arn"]) == {"AnalyticsFunctionAliasprod"}
    assert references(target["DeadLetterConfig"]) == {"StorageChangesDeadLetterQueue"}
    assert json.loads(target["Input"]) == {"step": SWEEP}
    assert re.fullmatch(r"(rate|cron)\(.+\)", rule["ScheduleExpression"])


def test_messages_are_as_large_as_the_adapter_makes_them_and_end_in_the_dead_letter_queue(
    production: dict[str, Node],
) -> None:
    queues = of_type(production, "AWS::SQS::Queue")
    assert {queue["MaximumMessageSize"] for queue in queues.values()} == {MAX_MESSAGE}
    assert {queue["SqsManagedSseEnabled"] for queue in queues.values()} == {True}
    redrive = queues["StorageQueue"]["RedrivePolicy"]
    assert text(redrive["deadLetterTargetArn"]) == "${StorageDeadLetterQueue.Arn}"
    longest = redrive["maxReceiveCount"] * queues["StorageQueue"]["VisibilityTimeout"]
    assert longest >= 2 * 24 * 3600  # a store that is down for a day sends nothing there
    assert longest < queues["StorageQueue"]["MessageRetentionPeriod"]


# ------------------------------------------------------------------------------------------------------------- outputs


def test_the_outputs_tell_of_every_resource_that_the_commands_look_up(production: dict[str, Node]) -> None:
    told = {"ApiUrl", "ApiKeyId", "CatalogName", "Environment", "CorsOrigins"}
    for_operations = {"ChangesDlqUrl", "UsagePlanId", "AlarmPrefix", "DashboardName"}
    topics = {f"Topic{severity}" for severity in Severity}
    assert set(production["Outputs"]) == set(OUTPUTS.values()) | told | for_operations | topics


@pytest.mark.parametrize(("parameters", "suffix"), [({}, ""), (EVERYTHING, "-staging")], ids=["production", "staging"])
def test_the_outputs_tell_where_alarms_go_and_how_they_are_named(parameters: dict[str, str], suffix: str) -> None:
    outputs = {name: output["Value"] for name, output in translated(**parameters)["Outputs"].items()}
    assert outputs["AlarmPrefix"] == prefix(suffix)
    assert {text(outputs[f"Topic{each}"]) for each in Severity} == {f"${{TopicsTopic{each}}}" for each in Severity}
    assert text(outputs["ChangesDlqUrl"]) == "${StorageChangesDeadLetterQueue}"
    assert text(outputs["UsagePlanId"]) == ("${ApiUsagePlan}" if not suffix else "")  # with IAM there is none


def test_log_groups_are_kept_as_long_as_asked_for() -> None:
    groups = of_type(translated(LogRetentionDays="90"), "AWS::Logs::LogGroup").values()
    assert {group["RetentionInDays"] for group in groups} == {"90"}
    assert len(groups) == len(FUNCTIONS) + 2  # the API's and the state machine's
