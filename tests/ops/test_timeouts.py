"""Time-outs: told with what bounds them, and set on a new version of what is served, so that they are in force."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.errors import StoreError
from millrace.entrypoints.ops.timeouts import Timeouts, goal, setting, timeouts_of, waiting, wrong
from tests.aws.opened import REGION

from .completing import ACCOUNT
from .standing import Stand

NAMES = {role: f"{role}-lambda" for role in ("ingestion", "validation", "transformation", "analytics", "query")}
MACHINE = Path(__file__).parents[2] / "deploy" / "statemachines" / "data_processing.asl.json"
STEPS = dict.fromkeys(("validation", "transformation", "analytics"), 360)
QUEUE = "processing-queue"


def served(cloud: Stand, role: str) -> tuple[str, int]:
    """Version and time-out of what the alias serves."""
    told = cloud.client("lambda").get_function_configuration(FunctionName=NAMES[role], Qualifier="prod")
    return told["Version"], told["Timeout"]


def definition() -> str:
    """The state machine with the functions in it, as CloudFormation substitutes them."""
    text = MACHINE.read_text()
    for role in STEPS:
        name = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAMES[role]}:prod"
        text = text.replace(f"${{{role.title()}FunctionArn}}", name)
    return text.replace("${DlqUrl}", "https://queue")


@pytest.fixture(scope="module", autouse=True)
def substituted(cloud: Stand) -> None:
    """Moto's CloudFormation leaves the substitutions out."""
    machine = cloud["StateMachineArn"]
    cloud.client("stepfunctions").update_state_machine(stateMachineArn=machine, definition=definition())


@pytest.fixture
def back(cloud: Stand) -> Iterator[None]:
    """Afterwards time-outs are those of the template."""
    yield
    cloud.client("sqs").set_queue_attributes(QueueUrl=cloud["QueueUrl"], Attributes={"VisibilityTimeout": "1800"})


def test_time_outs_of_the_template_go_together(cloud: Stand) -> None:
    told = cloud.told("timeout")
    assert told["wrong"] == []
    found = {row["name"]: (row["seconds"], row["at_most"]) for row in told["rows"]}
    assert found == {
        "ingestion-lambda": (28, 29),
        "validation-lambda": (300, 360),
        "transformation-lambda": (300, 300),
        "analytics-lambda": (300, 360),
        "query-lambda": (28, 29),
        "processing-queue": (1800, 43_200),
    }


def test_steps_of_jobs_wait_as_long_as_the_state_machine_says(cloud: Stand) -> None:
    assert waiting(json.loads(definition()), {name: role for role, name in NAMES.items()}) == STEPS
    assert timeouts_of(cloud.stack).steps == STEPS


@pytest.mark.usefixtures("back")
def test_a_time_out_is_in_force_since_prod_moves_to_a_new_version(cloud: Stand) -> None:
    number, _ = served(cloud, "query")
    result = cloud.ops("timeout", "query", "--seconds", 20, "--yes")
    assert "Timeout of QueryFunction" in result.stderr
    assert served(cloud, "query") == (str(int(number) + 1), 20)
    assert "nothing to change" in cloud.ops("timeout", "query", "--seconds", 20, "--yes").stdout


@pytest.mark.usefixtures("back")
def test_a_change_that_was_broken_off_is_finished(cloud: Stand) -> None:
    cloud.client("lambda").update_function_configuration(FunctionName="query-lambda", Timeout=17)
    assert served(cloud, "query")[1] != 17
    cloud.ops("timeout", "query", "--seconds", 17, "--yes")
    assert served(cloud, "query")[1] == 17


def test_a_function_of_the_api_runs_no_longer_than_the_gateway_waits(cloud: Stand) -> None:
    before = served(cloud, "ingestion")
    result = cloud.ops("timeout", "ingestion", "--seconds", 30, "--yes", code=2)
    assert "API Gateway waits 29 s" in result.stderr
    assert served(cloud, "ingestion") == before


@pytest.mark.usefixtures("back")
def test_the_queue_hides_messages_long_enough_or_it_is_said_what_to_raise(cloud: Stand) -> None:
    result = cloud.ops("timeout", "transformation", "--seconds", 350, "--yes", code=2)
    assert "raise it with --visibility 2100" in result.stderr
    cloud.ops("timeout", "transformation", "--seconds", 350, "--visibility", 2100, "--yes")
    assert served(cloud, "transformation")[1] == 350
    assert cloud.told("timeout")["wrong"] == []
    cloud.ops("timeout", "--visibility", 1800, "--yes", code=2)
    cloud.ops("timeout", "transformation", "--seconds", 300, "--visibility", 1800, "--yes")
    assert cloud.told("timeout")["wrong"] == []


def test_steps_of_jobs_have_to_wait_longer_first(cloud: Stand) -> None:
    result = cloud.ops("timeout", "analytics", "--seconds", 361, "--yes", code=2)
    assert "raise TimeoutSeconds in deploy/statemachines/data_processing.asl.json first" in result.stderr


@pytest.mark.usefixtures("back")
def test_what_is_wrong_already_keeps_nobody_from_changing_something_else(cloud: Stand) -> None:
    cloud.client("sqs").set_queue_attributes(QueueUrl=cloud["QueueUrl"], Attributes={"VisibilityTimeout": "60"})
    cloud.ops("timeout", "query", "--seconds", 21, "--yes")
    [sentence] = cloud.told("timeout", code=1)["wrong"]
    assert "raise it with --visibility 1800" in sentence


@pytest.mark.usefixtures("back")
def test_after_a_rollback_no_version_is_made_of_what_was_rolled_back(cloud: Stand) -> None:
    before = served(cloud, "validation")
    cloud.client("lambda").update_function_configuration(FunctionName="validation-lambda", MemorySize=999)
    result = cloud.ops("timeout", "validation", "--seconds", 100, "--yes", code=2)
    assert "the newest configuration differs from it (MemorySize)" in result.stderr
    assert served(cloud, "validation") == before
    cloud.client("lambda").update_function_configuration(FunctionName="validation-lambda", MemorySize=1024)


def test_a_dry_run_changes_nothing(cloud: Stand) -> None:
    before = served(cloud, "analytics")
    assert "analytics-lambda, seconds" in cloud.ops("timeout", "analytics", "--seconds", 200, "--dry-run").stdout
    assert served(cloud, "analytics") == before


@pytest.mark.usefixtures("back")
def test_two_who_set_the_same_publish_one_version(cloud: Stand) -> None:
    found, pauses = timeouts_of(cloud.stack), list[float]()
    first, second = (setting(cloud.stack, found, ["query"], 19, None, pauses.append) for _ in range(2))
    number, _ = served(cloud, "query")
    for change in (*first, *second):
        change.apply()
    assert served(cloud, "query") == (str(int(number) + 1), 19)
    assert pauses == []


@pytest.mark.usefixtures("back")
def test_who_comes_second_with_another_time_out_is_told(cloud: Stand) -> None:
    found, pauses = timeouts_of(cloud.stack), list[float]()
    first, second = (
        [change for change in setting(cloud.stack, found, ["query"], seconds, None, pauses.append) if change.needed]
        for seconds in (15, 16)
    )
    for change in first:
        change.apply()
    with pytest.raises(StoreError, match="Somebody else has changed query-lambda"):
        second[-1].apply()
    assert served(cloud, "query")[1] == 15


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--seconds", "20"), "Give --seconds together with each FUNCTION", id="no-function"),
        pytest.param(("query",), "Give --seconds together with each FUNCTION", id="no-seconds"),
        pytest.param(("nobody", "--seconds", "20"), "There is no function 'nobody'", id="unknown"),
        pytest.param(("query", "--seconds", "901"), "901 is not in the range", id="too-long"),
        pytest.param(("--yes",), "--dry-run and --yes are for changes", id="yes-to-nothing"),
    ],
)
def test_wrong_usage_is_one_sentence(cloud: Stand, arguments: tuple[str, ...], said: str) -> None:
    assert said in cloud.ops("timeout", *arguments, code=2).stderr


def test_an_account_without_the_stack_says_so(nothing: Callable[..., Result]) -> None:
    result = nothing("timeout")
    assert (result.exit_code, "there is no stack millrace" in result.stderr) == (2, True)


FUNCTIONS = st.fixed_dictionaries(dict.fromkeys(NAMES, st.integers(1, 900)))


@given(functions=FUNCTIONS, visibility=st.integers(0, 43_200))
def test_time_outs_within_their_bounds_are_fine_and_others_are_not(functions: dict[str, Any], visibility: int) -> None:
    found = Timeouts(functions, visibility, STEPS)
    within = all(seconds <= found.bound(role)[0] for role, seconds in functions.items())
    assert bool([*wrong(found, NAMES, QUEUE)]) != within


@given(functions=FUNCTIONS, seconds=st.integers(1, 900), roles=st.sets(st.sampled_from(sorted(NAMES))))
def test_only_what_is_named_changes(functions: dict[str, int], seconds: int, roles: set[str]) -> None:
    after = goal(Timeouts(functions, 1800), roles, seconds, None)
    assert after.visibility == 1800
    assert after.functions == {role: seconds if role in roles else functions[role] for role in functions}
