"""The runbook: each alarm leads to a section, each section to commands, and every command of the page works.

The commands run in this process on the mocked stack, each in a folder of its own. What moto lacks is as below:

- Step Functions executes nothing here. While a command waits for a job, the job's steps run in this process, and its
  execution ends as it would have.
- The API is answered by the application over the same stores; requests do not go over HTTP.
- X-Ray has no service graph, Cost Explorer no account, and no concurrency is provisioned: see ``tracing`` and
  ``standins``.
- The SAM CLI and the packager are told what to do, and do nothing; what follows a deployment is done.
- Of a point in time moto restores the table as it is now.
- Waiting until functions have come to their end takes no time: there are none.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import attrs
import pytest
from click.testing import CliRunner, Result

from millrace.adapters.aws.stack import stack_outputs
from millrace.adapters.aws.sweep import Sweep
from millrace.entrypoints.cli import main
from millrace.entrypoints.ops.conditions import CONDITIONS, Condition, Severity
from tests.deploy.stacks import flattened
from tests.deploy.test_alarms import told

from .completing import complete, percentiles, quick
from .runbook import PATH, commands, environment, inline, links, parsed, sections, words
from .standing import Stand, standing
from .standins import age_backups, answering_requests, answering_the_rest, executing, shipping
from .tracing import filtering, mapped

EXAMPLE = "transformation"
"""The function of the page's examples."""
SECTIONS = {section.anchor: section for section in sections()}
BY_NAME = {condition.name: condition for condition in CONDITIONS}


# ------------------------------------------------------------------------------------------------ from alarm to command


def test_no_two_sections_have_the_same_anchor_and_every_link_leads_to_one() -> None:
    assert len(SECTIONS) == len(sections())
    assert links() - set(SECTIONS) == set()


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_condition_has_a_section_with_its_severity_its_meaning_and_its_first_command(condition: Condition) -> None:
    section = SECTIONS[condition.name]
    assert section.title == condition.name
    assert section.prose.startswith(f"**{condition.severity}.** {condition.means} ") or section.prose.startswith(
        f"**{condition.severity}.** {condition.means}\n"
    )
    assert section.commands[0] == condition.first.replace("FUNCTION", EXAMPLE)
    for step in ("Look", "Mend", "Over"):
        assert f"\n{step}" in section.prose
    assert len(section.commands) >= 3


def test_the_page_has_no_condition_that_is_none() -> None:
    places = [section.title for section in sections()]
    between = places[places.index("Conditions") + 1 : places.index("Procedures")]
    assert between == [condition.name for condition in CONDITIONS]


def test_every_alarm_of_the_template_leads_to_a_section_of_its_severity() -> None:
    for name, alarm in told(flattened(RunbookUrl="deploy/RUNBOOK.md")).items():
        said, _, link = alarm["AlarmDescription"].rpartition(" ")
        page, _, anchor = link.partition("#")
        assert (PATH.parents[1] / page) == PATH, name
        severity = said.partition(":")[0]
        assert anchor == severity.lower() or SECTIONS[anchor].prose.startswith(f"**{severity}.**"), name


@pytest.mark.parametrize("severity", list(Severity))
def test_a_severity_has_a_section_that_says_what_is_expected(severity: Severity) -> None:
    section = SECTIONS[severity.lower()]
    assert section.prose.startswith(severity.means)
    assert section.commands[0] == "millrace ops alarms"


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_page_exists_with_its_options_and_has_a_help(line: str) -> None:
    found = parsed(line)
    result = CliRunner().invoke(main, [*found.path.split()[1:], "--help"])
    assert result.exit_code == 0
    help_ = " ".join(result.output.split())
    for option in found.options:
        declared = next(each for each in found.command.params if each.name == option)
        assert declared.param_type_name == "argument" or any(name in help_ for name in declared.opts), option


@pytest.mark.parametrize("line", inline())
def test_a_command_that_the_text_mentions_exists_with_its_options(line: str) -> None:
    assert parsed(line).path.startswith("millrace ")


def test_every_block_is_of_commands_that_are_run_here() -> None:
    assert all(
        line in section.commands or line.startswith("export ") for section in sections() for line in section.lines
    )
    assert environment().keys() == {"MILLRACE_STORE", "MILLRACE_CATALOG"}


# ---------------------------------------------------------------------------------------------------- the commands work

FINDS = {
    "millrace ops alarms",
    "millrace ops errors",
    "millrace ops executions failures",
    "millrace ops executions show",
    "millrace ops health",
    "millrace ops undelivered",
    "millrace dead-letters redrive",
}
"""Commands that exit with 1 where they find something wrong, or dead letters that stay so. All others must exit with 0
on this stack, and these never with anything but 0 and 1."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stand]:
    """The stack with something to find for every command, and all that moto lacks."""
    with ExitStack() as opened:
        for context in (quick(), percentiles(), filtering(), mapped([])):
            opened.enter_context(context)
        stands = opened.enter_context(standing("production", "staging", "drill"))
        live, *_ = [_completed(each) for each in stands]
        trouble(live)
        live.bucket("millrace-backup")
        age_backups(live)
        opened.enter_context(executing(live))
        opened.enter_context(answering_requests(live))
        opened.enter_context(patch.dict(Sweep.__init__.__kwdefaults__, wait_seconds=0, patience=0.0))
        opened.enter_context(patch("millrace.core.services.rebuild.STACK_MARGIN", 1000))
        opened.enter_context(patch("millrace.core.services.archive.STACK_MARGIN", 1000))
        opened.enter_context(answering_the_rest())
        opened.enter_context(shipping())
        opened.enter_context(patch.dict(os.environ, environment()))
        assert run("millrace jobs start --name nightly --allowed-rejections 0").exit_code == 1
        for line in ("millrace ops backup --yes", "millrace ops replicate --to millrace-backup --yes"):
            assert run(line).exit_code == 0
        yield live


def trouble(live: Stand) -> None:
    """Something to find for those who look: dead letters, a message that is none, errors in a log, an alarm."""
    live.ingest(200, at_once=50)
    live.client("sqs").send_message(QueueUrl=live["DlqUrl"], MessageBody="no receipt")
    alarm = {"AlarmName": "millrace/api-errors", "StateValue": "ALARM", "StateReason": "by the test"}
    live.client("cloudwatch").set_alarm_state(**alarm)
    for function in live.stack.functions:
        place = {"logGroupName": live.stack.log_group(function), "logStreamName": "one"}
        live.client("logs").create_log_stream(**place)
        line = json.dumps({"level": "error", "event": "receipt.failed", "error": "StoreError", "cause": "by the test"})
        told = [{"timestamp": int(time.time() * 1000), "message": line}]
        live.client("logs").put_log_events(**place, logEvents=told)


def _completed(stand: Stand) -> Stand:
    complete(stand.clients, stand.stack.name, Environment=stand.stack.environment)
    outputs = stack_outputs(stand.clients, stand.stack.name)
    return attrs.evolve(stand, stack=attrs.evolve(stand.stack, outputs=outputs))


def run(line: str) -> Result:
    """The result of a command, in this process."""
    result = CliRunner().invoke(main, words(line))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_page_works(line: str, stack: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PATH.parents[1] if "deploy" in words(line) else tmp_path)
    if parsed(line).path == "millrace ops incident close":
        run('millrace ops incident new "Orders are late"')
        [opened] = (tmp_path / "incidents").iterdir()
        opened.rename(opened.with_name(f"{words(line)[-1]}.md"))  # that of another day
    result = run(line)
    allowed = {0, 1} if parsed(line).path in FINDS else {0}
    assert result.exit_code in allowed, result.output
    assert "Traceback" not in result.output
    assert "trying again may help" not in result.stderr
