"""Stand-ins for what moto's in-process mock does not do: executions that go on, an API that answers, and some more."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import msgspec
from moto.core.utils import unix_time, utcnow
from moto.dynamodb.models import dynamodb_backends
from moto.stepfunctions.models import Execution, stepfunctions_backends

from millrace.adapters.aws.account import Account, Refused
from millrace.core.errors import PermanentError
from millrace.core.jobs import JobSpec
from millrace.entrypoints.http.application import Application
from millrace.entrypoints.http.messages import Request
from millrace.entrypoints.ops.endpoint import Endpoint, Reply
from tests.aws.opened import REGION

from .completing import ACCOUNT
from .standing import Stand


def age_backups(stand: Stand, days: int = 35) -> None:
    """Every table can go back to any instant of so many days. What moto restores is the table as it is now."""
    now = unix_time()
    for name in stand.stack.tables:
        told = dynamodb_backends[ACCOUNT][REGION].tables[name].continuous_backups["PointInTimeRecoveryDescription"]
        told |= {"EarliestRestorableDateTime": now - days * 86_400, "LatestRestorableDateTime": now}


@contextmanager
def executing(stand: Stand) -> Iterator[None]:
    """Whoever waits for a job finds it at its end: its steps ran in this process, as they do in the functions."""
    with patch("millrace.entrypoints.cli.jobs.time.sleep", lambda _: _execute_all(stand)):
        yield


@contextmanager
def answering_requests(stand: Stand) -> Iterator[None]:
    """Requests are answered by the application over the stack's stores, and what they bring in is processed at once."""

    def ask(_: Endpoint, method: str, path: str, *, query: Any = None, body: bytes | None = None) -> Reply:
        sent = {name: [text] for name, text in (query or {}).items()}
        request = Request(method=method, path=path, body=body or b"", headers={}, query=sent, caller="ops")
        response = Application(stand.platform).respond(request)
        for _entry in stand.platform.work.drain():
            pass
        return Reply(response.status, response.body)

    with patch.object(Endpoint, "ask", ask):
        yield


@contextmanager
def answering_the_rest() -> Iterator[None]:
    """Calls that moto lacks, as the API references document their answers: Cost Explorer has charged nothing yet, no
    function has provisioned concurrency, and the account has what Lambda gives to each.
    """
    plain = Account.ask

    def ask(account: Account, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        if (service, operation) == ("ce", "get_cost_and_usage"):
            return {"ResultsByTime": []}
        if (service, operation) == ("lambda", "get_provisioned_concurrency_config"):
            raise Refused("There is none", "ProvisionedConcurrencyConfigNotFoundException")
        if (service, operation) == ("lambda", "get_account_settings"):
            return {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 720}}
        return plain(account, service, operation, **parameters)

    with patch.object(Account, "ask", ask):
        yield


@contextmanager
def shipping() -> Iterator[list[Sequence[str]]]:
    """The SAM CLI is there, and it and the packager succeed at once; the commands that they were given."""
    given: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> int:
        given.append(command)
        return 0

    place = "millrace.entrypoints.ops.deployment"
    with (
        patch(f"{place}.sam_of", lambda: "sam"),
        patch(f"{place}.passing_through", lambda _: run),
        patch(f"{place}.packed_catalog", lambda _: "millrace.core.catalogs.retail:catalog"),
    ):
        yield given


def _execute_all(stand: Stand) -> None:
    for machine in stepfunctions_backends[ACCOUNT][REGION].state_machines:
        for execution in machine.executions:
            if execution.status == "RUNNING" and execution.state_machine_arn == stand["StateMachineArn"]:
                _execute(stand, execution)


def _execute(stand: Stand, execution: Execution) -> None:
    told = json.loads(execution.execution_input)
    job = told.pop("retry_of", execution.name)
    try:
        for _ in stand.platform.jobs.run(job, msgspec.convert(told.get("spec", told), JobSpec)):
            pass
    except PermanentError as error:
        execution.status, execution.error, execution.cause = "FAILED", type(error).__name__, str(error)
    else:
        execution.status, execution.output = "SUCCEEDED", "{}"
    execution.stop_date = utcnow()
