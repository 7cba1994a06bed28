"""The parts of a stack as they stand: API, functions, queues, tables, event source mappings, state machine."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...core.errors import StoreError
from .findings import Report
from .stack import ALIAS, Stack
from .verdicts import WELL, Verdict, broken, meets, wrongs

COLUMNS = ("component", "name", "state", "detail", "verdict")
MANY_DEAD_LETTERS: Final = 100

Check = Callable[[Stack, str], "Component"]
"""Looks at the part of that name."""


@attrs.frozen
class Component:
    """One part."""

    kind: str
    name: str
    state: str
    detail: str
    verdict: Verdict

    def row(self) -> dict[str, Any]:
        """As a row."""
        return {
            "component": self.kind,
            "name": self.name,
            "state": self.state,
            "detail": self.detail,
            "verdict": self.verdict.label,
        }


def components(stack: Stack) -> Report:
    """All parts; what cannot be looked at is wrong, and keeps nobody from seeing the others."""
    found = [_looked(stack, kind, name, check) for kind, name, check in _checks(stack)]
    return Report(
        title="Components",
        columns=COLUMNS,
        rows=[each.row() for each in found],
        wrong=wrongs(each.verdict for each in found),
    )


def _checks(stack: Stack) -> Iterator[tuple[str, str, Check]]:
    yield "api", f"ServerlessDataAPI{stack.suffix}", _api
    for function in stack.functions:
        yield "function", function, _function
    for output, check in (("QueueUrl", None), ("DlqUrl", _dead_letters), ("ChangesDlqUrl", _undelivered)):
        yield "queue", stack.outputs[output].rpartition("/")[2], _of_queue(stack.outputs[output], check)
    for table in stack.tables:
        yield "table", table, _table
    yield "source", stack.outputs["QueueUrl"].rpartition("/")[2], _queue_source
    yield "source", stack.outputs["CuratedTable"], _stream_source
    yield "machine", stack.outputs["StateMachineArn"].rpartition(":")[2], _machine


def _looked(stack: Stack, kind: str, name: str, check: Check) -> Component:
    try:
        return attrs.evolve(check(stack, name), kind=kind, name=name)
    except (Refused, StoreError) as error:
        return Component(kind, name, "unknown", "", broken(f"{name}: {error}"))


def _seen(state: str, detail: str, verdict: Verdict = WELL) -> Component:
    return Component("", "", state, detail, verdict)


def _api(stack: Stack, _: str) -> Component:
    stage = stack.ask("apigateway", "get_stage", restApiId=stack.api_id, stageName=ALIAS)
    return _seen("deployed", f"stage {ALIAS}, deployment {stage['deploymentId']}")


def _function(stack: Stack, name: str) -> Component:
    told = stack.ask("lambda", "get_function_configuration", FunctionName=name, Qualifier=ALIAS)
    reserved = stack.ask("lambda", "get_function_concurrency", FunctionName=name).get("ReservedConcurrentExecutions")
    state, updated = told.get("State", "Active"), told.get("LastUpdateStatus", "Successful")
    verdict = WELL
    if state not in ("Active", "Inactive") or updated == "Failed":
        reason = told.get("StateReason") or told.get("LastUpdateStatusReason") or updated
        verdict = broken(f"The function {name} cannot be invoked: {state}, {reason}")
    elif reserved == 0:
        verdict = broken(f"The function {name} is switched off: its reserved concurrency is 0")
    limit = "unreserved" if reserved is None else f"{reserved} at once"
    return _seen(state, f"version {told['Version']}, {limit}", verdict)


def _of_queue(url: str, judge: Callable[[Stack, str, int], Verdict] | None) -> Check:
    """Without ``judge`` messages may be there: how long they wait says whether they should not."""

    def check(stack: Stack, name: str) -> Component:
        wanted = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        told = stack.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=wanted)["Attributes"]
        visible, in_flight, delayed = (int(told.get(each, 0)) for each in wanted)
        more = f", {delayed} delayed" if delayed else ""
        state = "empty" if not visible + in_flight + delayed else "waiting"
        verdict = judge(stack, name, visible + in_flight) if judge else WELL
        return _seen(state, f"{visible} visible, {in_flight} in flight{more}", verdict)

    return check


def _dead_letters(stack: Stack, name: str, messages: int) -> Verdict:
    if not messages:
        return WELL
    many = messages > MANY_DEAD_LETTERS
    return meets("dead-letters-many" if many else "dead-letters", f"{messages} messages in {name}", stack.name)


def _undelivered(stack: Stack, name: str, messages: int) -> Verdict:
    return meets("changes-undelivered", f"{messages} messages in {name}", stack.name) if messages else WELL


def _table(stack: Stack, name: str) -> Component:
    told = stack.ask("dynamodb", "describe_table", TableName=name)["Table"]
    billing = told.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    detail = "on demand" if billing == "PAY_PER_REQUEST" else "provisioned"
    if name == stack.outputs["CuratedTable"]:
        if not told.get("StreamSpecification", {}).get("StreamEnabled"):
            sentence = f"The stream of {name} is off: no change reaches the views"
            return _seen(told["TableStatus"], f"{detail}, no stream", broken(sentence))
        detail += ", stream on"
    usable = told["TableStatus"] in ("ACTIVE", "UPDATING")
    return _seen(told["TableStatus"], detail, WELL if usable else broken(f"The table {name} is {told['TableStatus']}"))


def _queue_source(stack: Stack, name: str) -> Component:
    url = stack.outputs["QueueUrl"]
    told = stack.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    return _source(stack, name, told["QueueArn"], stack.function("transformation"))


def _stream_source(stack: Stack, name: str) -> Component:
    arn = stack.ask("dynamodb", "describe_table", TableName=name)["Table"].get("LatestStreamArn")
    if arn is None:
        return _seen("missing", "", broken(f"The table {name} has no stream for views to read"))
    return _source(stack, name, arn, stack.function("analytics"))


def _source(stack: Stack, name: str, source: str, function: str) -> Component:
    pages = stack.account.pages("lambda", "list_event_source_mappings", "EventSourceMappings", EventSourceArn=source)
    ours = [each for each in pages if _is_of(each, function)]
    if not ours:
        return _seen("missing", "", broken(f"{function} is not connected with {name}: nothing of it is processed"))
    [mapping, *_] = sorted(ours, key=lambda each: each["State"] != "Enabled")
    state, result = mapping["State"], mapping.get("LastProcessingResult") or ""
    detail = f"{function}, {result}" if result else function
    if state not in ("Enabled", "Enabling", "Updating", "Creating"):
        return _seen(state, detail, broken(f"{function} does not read {name}: its event source mapping is {state}"))
    if result.startswith("PROBLEM"):
        return _seen(state, detail, broken(f"{function} cannot read {name}: {result}"))
    return _seen(state, detail)


def _is_of(mapping: Mapping[str, Any], function: str) -> bool:
    return f":function:{function}:{ALIAS}" in mapping["FunctionArn"]


def _machine(stack: Stack, name: str) -> Component:
    told = stack.ask("stepfunctions", "describe_state_machine", stateMachineArn=stack.outputs["StateMachineArn"])
    status = told["status"]
    verdict = WELL if status == "ACTIVE" else broken(f"The state machine {name} is {status}")
    return _seen(status, str(told.get("type", "")).lower(), verdict)
