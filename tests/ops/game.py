"""``Game``: a stack at work on which faults are put in: its functions by version, its metrics, its logs, its operator.

Everything is as in ``tests.aws.e2e``: the template's resources on a moto server, each function in a process of its own
through a local Lambda Runtime API, the API and the pollers of event source mappings. Besides, what an operator needs:
versions of functions and the alias ``prod``, which decides what is invoked; log groups with what functions print; and
the metrics that Lambda, SQS, DynamoDB, Step Functions and the functions themselves would write, for the template's own
alarms.
"""

import json
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
from click.testing import CliRunner, Result

import millrace
from millrace import Catalog
from millrace.adapters.aws.sweep import Sweep
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalogs import retail
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.ports import ViewStore
from millrace.core.services.generations import Generations
from millrace.core.views.projection import results
from millrace.entrypoints.cli import main
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.rows import view_row
from tests.aws.e2e.cloud import Cloud, deployed, functions_of
from tests.aws.e2e.runtime import Answer, Function, running
from tests.aws.opened import SURROUNDINGS
from tests.deploy.emitted import machines
from tests.deploy.stacks import translated

from .completing import quick
from .metering import Meters

# Not resolved: in an editable install the package is a folder of links.
SOURCES = Path(millrace.__file__).absolute().parent.parent
STORE = "aws:millrace"
ENDS = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}


@attrs.define
class Versioned:
    """The versions of a function. One that fails while it starts does so each time: its answer is repeated."""

    processes: dict[str, Function]
    read: Counter[str] = attrs.field(factory=Counter)
    dead: dict[str, tuple[Answer, str]] = attrs.field(factory=dict)

    def invoke(self, version: str, event: Any) -> tuple[Answer, str]:
        """The answer, and what was printed for it."""
        if version in self.dead:
            return self.dead[version]
        process = self.processes[version]
        answer = process.invoke(event)
        whole = process.log
        printed, self.read[version] = whole[self.read[version] :], len(whole)
        if not process.started:
            self.dead[version] = answer, printed
        return answer, printed


@attrs.define
class Game(Cloud):
    """The stack. ``sent``: every body that clients have sent; ``folder`` keeps logs of functions."""

    folder: Path = attrs.field(kw_only=True)
    opened: ExitStack = attrs.field(kw_only=True)
    meters: Meters = attrs.field(init=False)
    sent: list[bytes] = attrs.field(factory=list, init=False)
    _versions: dict[str, Versioned] = attrs.field(factory=dict, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False)
    _ended: Counter[str] = attrs.field(factory=Counter, init=False)
    _throttles: Counter[str] = attrs.field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        Cloud.__attrs_post_init__(self)
        self.meters = Meters(translated())
        for name, function in self.functions.items():
            self._versions[name] = Versioned({"1": function})
            self.client("lambda").publish_version(FunctionName=name)
            self.client("lambda").create_alias(FunctionName=name, Name="prod", FunctionVersion="1")

    # -------------------------------------------------------------------------------------------------------- the stack

    def invoke(self, name: str, event: Any) -> Answer:
        """Invoke what the alias is at, and keep what is measured and printed."""
        name = self.stack.function(name).name
        version = self.client("lambda").get_alias(FunctionName=name, Name="prod")["FunctionVersion"]
        with self._lock:  # the state machine invokes several at once
            answer, printed = self._versions[name].invoke(version, event)
            self.meters.put("AWS/Lambda", "Invocations", {"FunctionName": name}, 1)
            self.meters.put("AWS/Lambda", "Errors", {"FunctionName": name}, int(answer.failed))
            self._log(name, printed)
        return answer

    def deploy_version(self, name: str, **variables: str) -> str:
        """A new version of a function, with other environment variables, which the alias is moved to."""
        spec, functions = self.stack.function(name), self.client("lambda")
        environment = {**spec.environment, **variables}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": environment})
        version = str(functions.publish_version(FunctionName=name)["Version"])
        functions.update_alias(FunctionName=name, Name="prod", FunctionVersion=version)
        folder = self.folder / version
        folder.mkdir(exist_ok=True)
        process = running(
            name,
            spec.handler,
            {
                **SURROUNDINGS,
                "AWS_ENDPOINT_URL": self.front.moto_url,
                "AWS_ENDPOINT_URL_DYNAMODB": self.front.url,
                **environment,
            },
            arn=spec.arn,
            task_root=SOURCES,
            folder=folder,
        )
        self._versions[name].processes[version] = self.opened.enter_context(process)
        return version

    def begin(self) -> None:
        """A new game: nothing was ever sent or measured."""
        self.prepare()
        self.front.throttled.clear()
        self.sent.clear()
        self.meters = Meters(translated())
        self._throttles.clear()
        self._ended = self._executions()
        for name in self.functions:
            self.client("lambda").update_alias(FunctionName=name, Name="prod", FunctionVersion="1")
            group = f"/aws/lambda/{name}"
            for each in self.client("logs").describe_log_streams(logGroupName=group)["logStreams"]:
                self.client("logs").delete_log_stream(logGroupName=group, logStreamName=each["logStreamName"])
        self._pass_by()
        self.sweep()

    def post(self, *events: Mapping[str, Any] | Any, status: int = 202) -> None:
        """Send events in one request."""
        body = json.dumps(events).encode()
        reply = self.api.request("POST", "/ingest", body)
        assert reply.status == status, reply
        self.sent.append(body)

    @contextmanager
    def giving_up_after(self, deliveries: int) -> Iterator[None]:
        """The queue gives a message up after so many deliveries, for as long as the block lasts."""
        sqs, url = self.client("sqs"), self.stack.outputs["QueueUrl"]
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"]
        sooner = json.dumps({**json.loads(before), "maxReceiveCount": deliveries})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": sooner})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": before})

    def sweep(self) -> None:
        """The timer goes off. No receipt is spared for being young."""
        [target] = self.stack.schedules[0]["Targets"]
        answer = self.invoke(target["Arn"], {**json.loads(target["Input"]), "until": "0s"})
        assert not answer.failed, answer

    def follow_capacity(self) -> None:
        """A table that takes as much as comes is throttled no longer."""
        for table in [*self.front.throttled]:
            told = self.client("dynamodb").describe_table(TableName=table)["Table"]
            if told.get("BillingModeSummary", {}).get("BillingMode") == "PAY_PER_REQUEST":
                del self.front.throttled[table]

    def minutes(self, number: int) -> None:
        """Let time pass: what the services measure of themselves is measured, and kept by CloudWatch."""
        meters = self.meters
        for table, count in self.front.throttled.items():
            new = count - self._throttles[table]
            self._throttles[table] = count
            if new:
                meters.put("AWS/DynamoDB", "WriteThrottleEvents", {"TableName": table}, *[1] * new)
        found, [machine] = self._executions(), machines(meters.template)
        for end, count in (found - self._ended).items():
            meters.put("AWS/States", f"Executions{ENDS[end]}", {"StateMachineArn": machine}, *[1] * count)
        self._ended = found
        self._measure_queues()
        self._keep()
        meters.minute += number
        self._measure_queues()

    def alarming(self) -> set[str]:
        """The alarms that are in ALARM, without what all names begin with."""
        return self.meters.alarming()

    # ----------------------------------------------------------------------------------------------------- the operator

    def run(self, command: str, code: int = 0) -> Result:
        """The result of a command as the runbook has it."""
        words = command.split()
        assert words[0] == "millrace"
        result = CliRunner(env={"MILLRACE_STORE": STORE, "MILLRACE_CATALOG": None}).invoke(main, words[1:])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def told(self, command: str, code: int = 0) -> Any:
        """What it says in JSON."""
        return json.loads(self.run(f"{command} --json", code).stdout)

    def require_whole(self, catalog: Catalog = retail.catalog) -> None:
        """Everything is accounted for, and the views are what one process in memory makes of what was sent."""
        self.run("millrace reconcile")
        memory = Platform.assemble(catalog, memory_stores(), SystemClock(), RandomReceiptIds())
        for body in self.sent:
            memory.ingest.request(body, source="client-1", content_type="application/json")
        for _ in memory.work.drain():
            pass
        with self.stores() as stores:
            found, expected = (_views(catalog, each.views) for each in (stores, memory.stores))
        assert found == expected
        assert any(found.values()), "there is nothing to compare"

    # ------------------------------------------------------------------------------------------------------------ parts

    def _pass_by(self) -> None:
        """Earlier games are in the stream still: whoever reads it from its begin is to find that they were seen."""
        with self.stores() as stores:
            Platform.assemble(retail.catalog, stores, SystemClock(), RandomReceiptIds()).work.project()
        dynamodb, table = self.client("dynamodb"), self.stack.outputs["ViewsTable"]
        for page in dynamodb.get_paginator("scan").paginate(TableName=table):
            for item in page["Items"]:
                if not item["view"]["S"].startswith("cursor#"):
                    dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("view", "row")})

    def _executions(self) -> Counter[str]:
        pages = self.client("stepfunctions").get_paginator("list_executions")
        told = pages.paginate(stateMachineArn=self.stack.outputs["StateMachineArn"])
        return Counter(each["status"] for page in told for each in page["executions"] if each["status"] in ENDS)

    def _measure_queues(self) -> None:
        for queue in ("QueueUrl", "DlqUrl", "ChangesDlqUrl"):
            url, wanted = self.stack.outputs[queue], "ApproximateNumberOfMessages"
            told = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[wanted])["Attributes"]
            name = {"QueueName": url.rpartition("/")[2]}
            self.meters.put("AWS/SQS", "ApproximateNumberOfMessagesVisible", name, int(told[wanted]))

    def _log(self, name: str, printed: str) -> None:
        # A traceback is one event, whose lines the runtime parts with carriage returns.
        lines = [line for line in re.split(r"\n(?=\S)", printed) if line.strip()]
        for line in lines:
            if line.startswith("{") and "_aws" in (told := json.loads(line)):
                self.meters.put_embedded(told)
        group, logs = f"/aws/lambda/{name}", self.client("logs")
        if lines:
            self._make_stream(group)
            now = int(time.time() * 1000)
            events = [{"timestamp": now, "message": line} for line in lines]
            logs.put_log_events(logGroupName=group, logStreamName="game", logEvents=events)

    def _make_stream(self, group: str) -> None:
        logs = self.client("logs")
        if not logs.describe_log_streams(logGroupName=group)["logStreams"]:
            logs.create_log_stream(logGroupName=group, logStreamName="game")

    def _keep(self) -> None:
        """Let CloudWatch have this minute's metrics, for the commands that read them: as of ten minutes ago, since moto
        tells only of periods that are over.
        """
        cloudwatch, at = self.client("cloudwatch"), time.time() - 600
        values = {
            "StateMachineArn": self.stack.outputs["StateMachineArn"],
        }
        for (namespace, metric, dimensions), value, count in self.meters.latest():
            named = [{"Name": name, "Value": values.get(name, told)} for name, told in sorted(dimensions)]
            data = [{"MetricName": metric, "Dimensions": named, "Value": value, "Timestamp": at}] * count
            cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def _views(catalog: Catalog, rows: ViewStore) -> dict[str, list[Any]]:
    """What readers see of every view."""
    generations = Generations(rows)
    return {
        view.name: [
            view_row(row) for row in results(view, generations.rows(view, since=EARLIEST, until=LATEST), view.by)
        ]
        for view in catalog.views.values()
    }


@contextmanager
def playing(folder: Path) -> Iterator[Game]:
    """A stack at work for as long as the block lasts, and an environment that leads to it."""
    with ExitStack() as opened:
        opened.enter_context(quick())
        # Moto has all messages in one place, so that looking once finds them all.
        opened.enter_context(patch.dict(Sweep.__init__.__kwdefaults__, wait_seconds=0, patience=0.0))
        opened.enter_context(patch.dict(os.environ, SURROUNDINGS))
        front, stack = opened.enter_context(deployed())
        running = functions_of(front, stack, folder, task_root=SOURCES, python=[sys.executable])
        functions = opened.enter_context(running)
        game = Game(front, stack, functions, folder=folder, opened=opened)
        opened.enter_context(patch.dict(os.environ, game.surroundings()))
        yield game
