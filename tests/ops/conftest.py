"""``cloud``: the stack on moto, with all that operations look at. A mocked account for the tests of one file.

``cloud`` is a ``Stand`` (see ``standing``), the stack ``millrace`` of the environment production:

- ``cloud.ops("alarms", code=1)`` runs ``millrace ops alarms --store aws:millrace`` and checks the exit code;
  ``cloud.told(…)`` adds ``--json`` and returns what was printed, parsed; ``cloud.stack`` is for calls without the
  command line, ``cloud.client("sqs")`` for what a test does itself, ``cloud["DlqUrl"]`` is an output of the stack;
  ``cloud.ingest(…)`` takes in and processes sample events.
- Made by moto's CloudFormation from the real template: tables, queues, buckets, topics, roles, functions, log groups,
  the state machine (which executes nothing; executions are RUNNING unless the test changes that).
- Made besides (``completing``), with the template's properties: versions 1 and 2 of each function and the alias
  ``prod`` at 2; the API with its methods, stage ``prod``, method throttling, key and usage plan; both event source
  mappings, enabled, but at rest: nothing is invoked; all metric and composite alarms, OK: set their state with
  ``set_alarm_state``; continuous backups.
- Put there by tests: metrics, log lines, alarm states and calls that are refused by ``measuring``, traces by
  ``tracing``. Moto's ``get_metric_data`` has percentiles here, but neither metric math nor pages.
- Not there: CodeDeploy, the dashboard, schedules, auto-scaling, the KMS policy, data lake and bucket policies.

State stays from test to test of a file: a test that changes something brings it back, or looks only at its own. What
is asked of ``cloud`` in another environment comes from ``completed("staging")``, as a context manager.

``nothing`` is a region without any stack; ``nothing("alarms")`` runs the command there.
"""

from collections.abc import Callable, Iterator

import pytest
from click.testing import Result

from tests.e2e.cli import millrace

from .completing import completed, nothing_there
from .standing import Stand


@pytest.fixture(scope="module")
def cloud() -> Iterator[Stand]:
    """The stack, once for all tests of a file."""
    with completed("production") as stand:
        yield stand


@pytest.fixture
def nothing() -> Iterator[Callable[..., Result]]:
    """A region without any stack, for calls of ``millrace ops …``."""
    with nothing_there():
        yield lambda *arguments: millrace("ops", *arguments, "--store", "aws:millrace")
