"""The state machine of jobs: every step is retried with jitter, and what fails for good is reported, then fails."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millrace.core.errors import TransientError
from millrace.core.jobs import Step

from .stacks import DEPLOY, Node, of_type, references

FILE = DEPLOY / "statemachines" / "data_processing.asl.json"
MACHINE = json.loads(FILE.read_text(encoding="utf-8"))
NPM = Path(__file__).parents[1] / "aws" / "npm"
FUNCTIONS = {
    Step.PLAN: "Validation",
    Step.VALIDATE: "Validation",
    Step.GATE: "Validation",
    Step.LOAD: "Transformation",
    Step.RECONCILE: "Analytics",
}
"""Who takes a step."""

PASSING = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "States.Timeout",
}
"""Failures of Lambda itself that another try may well not meet (developer guide, "Handling transient errors")."""


def scopes(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The states of the machine, and those of each map in it."""
    yield machine["States"]
    for state in machine["States"].values():
        if "ItemProcessor" in state:
            yield from scopes(state["ItemProcessor"])


def states(kind: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """The states of a type by name, each with the scope it lies in."""
    return {name: (state, scope) for scope in scopes(MACHINE) for name, state in scope.items() if state["Type"] == kind}


INVOKING = {n: s for n, (s, _) in states("Task").items() if s["Resource"].endswith(":lambda:invoke")}
REPORTING = {n: s for n, (s, _) in states("Task").items() if s["Resource"].endswith(":sqs:sendMessage")}


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item)
    elif isinstance(node, str):
        yield node


def test_it_is_written_in_json_paths_only() -> None:
    assert MACHINE["QueryLanguage"] == "JSONPath"
    found = set(texts(MACHINE))
    assert not found & {"Arguments", "Output", "Assign", "JSONata", "ItemBatcher"}
    assert not [text for text in found if text.startswith("{%")]


def test_every_step_of_a_job_is_taken_by_its_function() -> None:
    taken = {s["Parameters"]["Payload"]["step"]: s["Parameters"]["FunctionName"] for s in INVOKING.values()}
    assert taken == {step.value: f"${{{name}FunctionArn}}" for step, name in FUNCTIONS.items()}
    assert set(INVOKING) | set(REPORTING) == set(states("Task"))


def test_steps_come_in_order_and_nothing_is_loaded_before_the_gate() -> None:
    order, name = [], MACHINE["StartAt"]
    while name:
        order.append(name)
        state = MACHINE["States"][name]
        name = state.get("Next") or state.get("Default")
    assert [name for name in order if name.lower() in list(Step)] == [step.value.capitalize() for step in Step]


@pytest.mark.parametrize("name", sorted(states("Task")))
def test_a_task_is_retried_with_jitter(name: str) -> None:
    state, _ = states("Task")[name]
    for retrier in state["Retry"]:
        assert retrier["JitterStrategy"] == "FULL"
        assert retrier["MaxAttempts"] > 1
        assert retrier["BackoffRate"] > 1
        assert retrier["MaxDelaySeconds"] > retrier["IntervalSeconds"] > 0


@pytest.mark.parametrize("name", sorted(INVOKING))
def test_only_failures_of_the_surroundings_are_retried(name: str) -> None:
    retried = {error for retrier in INVOKING[name]["Retry"] for error in retrier["ErrorEquals"]}
    assert PASSING | {TransientError.__name__} <= retried
    assert not {"States.ALL", "States.TaskFailed"} & retried  # a job that fails the gate fails it again


@pytest.mark.parametrize("name", sorted(INVOKING))
def test_a_task_is_given_more_time_than_its_function_has(production: dict[str, Node], name: str) -> None:
    state = INVOKING[name]
    function = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("Arn}")
    assert state["TimeoutSeconds"] > of_type(production, "AWS::Lambda::Function")[function]["Timeout"]


@pytest.mark.parametrize("name", sorted(INVOKING.keys() | states("Map").keys()))
def test_what_fails_for_good_is_reported_to_the_dead_letter_queue_and_fails(name: str) -> None:
    state, scope = (states("Task") | states("Map"))[name]
    [catcher] = state["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert catcher["ResultPath"] == "$.failure"  # beside the input, which is reported, too
    report = scope[catcher["Next"]]
    assert report["Resource"].endswith(":sqs:sendMessage")
    assert report["Parameters"]["QueueUrl"] == "${DlqUrl}"
    # Whether or not the report got through, the job fails for the reason that it failed for.
    assert {report["Next"], *(c["Next"] for c in report["Catch"])} == {report["Next"]}
    assert report["ResultPath"] is None
    failed = scope[report["Next"]]
    assert failed["Type"] == "Fail"
    assert (failed["ErrorPath"], failed["CausePath"]) == ("$.failure.Error", "$.failure.Cause")


def test_a_report_says_what_failed_and_is_told_from_dead_letters() -> None:
    for report in REPORTING.values():
        body = report["Parameters"]["MessageBody"]
        assert (body["execution.$"], body["input.$"]) == ("$$.Execution.Id", "$")
        assert "letterId" not in report["Parameters"]["MessageAttributes"]


@pytest.mark.parametrize("name", sorted(states("Map")))
def test_shards_are_read_from_the_manifest_and_carry_nothing_back(name: str) -> None:
    state, _ = states("Map")[name]
    assert state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    assert state["ItemReader"]["Resource"].endswith(":s3:getObject")
    assert state["ItemSelector"] == {"job.$": "$.job", "shard.$": "$$.Map.Item.Value"}
    assert state["ResultPath"] is None
    assert not {"ToleratedFailureCount", "ToleratedFailurePercentage"} & set(state)  # one shard fails, all have


def test_shards_under_way_leave_the_functions_room_for_others(production: dict[str, Node]) -> None:
    functions = of_type(production, "AWS::Lambda::Function")
    mapping = of_type(production, "AWS::Lambda::EventSourceMapping")["TransformationFunctionReceipts"]
    online = mapping["ScalingConfig"]["MaximumConcurrency"]
    load, validate = (states("Map")[name][0]["MaxConcurrency"] for name in ("Load", "Validate"))
    assert load + online <= functions["TransformationFunction"]["ReservedConcurrentExecutions"]
    assert validate < functions["ValidationFunction"]["ReservedConcurrentExecutions"]


def test_the_template_fills_in_every_name(production: dict[str, Node]) -> None:
    [machine] = of_type(production, "AWS::StepFunctions::StateMachine").values()
    filled = machine["DefinitionSubstitutions"]
    used = {text[2:-1] for text in texts(MACHINE) if text.startswith("${") and text.endswith("}")}
    assert set(filled) == used
    aliases = {key: references(value) for key, value in filled.items() if key.endswith("FunctionArn")}
    assert aliases == {f"{name}FunctionArn": {f"{name}FunctionAliasprod"} for name in FUNCTIONS.values()}


def test_asl_validator_finds_nothing() -> None:
    node, module = shutil.which("node"), NPM / "node_modules" / "asl-validator"
    if node is None or not module.is_dir():
        pytest.skip("asl-validator is not installed: run `npm ci` in tests/aws/npm (needs Node 20)")
    script = (
        "const found = require(process.argv[1])(JSON.parse(require('fs').readFileSync(process.argv[2])));"
        "for (const error of found.errors) console.log(error.Message || error.message || JSON.stringify(error));"
        "process.exit(found.isValid ? 0 : 1)"
    )
    done = subprocess.run([node, "-e", script, str(module), str(FILE)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
