import os
import subprocess
import sys
from typing import Any

import pytest

from millrace.entrypoints.lambdas import analytics, ingestion, query, transformation, validation, wiring
from millrace.entrypoints.lambdas.settings import MissingSetting, Settings, is_sampled, read_settings

from .arriving import Context, api_event, scheduled_event, sqs_event, sqs_record

NEEDS: dict[str, tuple[Any, Any, set[str]]] = {
    "ingestion": (ingestion, api_event(), {"RAW_BUCKET", "QUEUE_URL"}),
    "validation": (validation, api_event(path="/validate"), {"RAW_BUCKET", "ANALYSIS_BUCKET"}),
    "transformation": (
        transformation,
        sqs_event(sqs_record("r")),
        {
            *("RAW_BUCKET", "ANALYSIS_BUCKET", "CURATED_TABLE", "IDENTITIES_TABLE", "VIEWS_TABLE", "LEDGER_TABLE"),
            "DLQ_URL",
        },
    ),
    "analytics": (
        analytics,
        scheduled_event(),
        {"RAW_BUCKET", "ANALYSIS_BUCKET", "CURATED_TABLE", "VIEWS_TABLE", "LEDGER_TABLE", "QUEUE_URL"},
    ),
    "query": (query, api_event("GET", "/catalog"), {"CURATED_TABLE", "VIEWS_TABLE"}),
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MILLRACE_")]:
        monkeypatch.delenv(name)


def test_settings_are_read_from_variables_with_their_names() -> None:
    found = read_settings(
        "raw_bucket",
        environ={
            "MILLRACE_CATALOG": "shop:catalog",
            "MILLRACE_RAW_BUCKET": " raw ",
            "MILLRACE_ENVIRONMENT": "staging",
            "MILLRACE_CORS_ORIGINS": "https://a.example, https://b.example,",
        },
    )
    assert found == Settings(
        catalog="shop:catalog",
        raw_bucket="raw",
        environment="staging",
        cors_origins=("https://a.example", "https://b.example"),
    )


def test_an_environment_that_is_not_named_is_production() -> None:
    assert read_settings(environ={"MILLRACE_CATALOG": "c"}).environment == "production"


def test_all_missing_variables_are_named_at_once() -> None:
    with pytest.raises(MissingSetting, match=r"^MILLRACE_CATALOG and MILLRACE_DLQ_URL are not set\.$"):
        read_settings("dlq_url", environ={"MILLRACE_DLQ_URL": " "})


@pytest.mark.parametrize("function", NEEDS)
def test_a_function_without_a_variable_that_it_needs_names_it(
    function: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, event, needed = NEEDS[function]
    for missing in needed | {"CATALOG"}:
        for name in needed | {"CATALOG"}:
            monkeypatch.setenv(f"MILLRACE_{name}", "x")
        monkeypatch.delenv(f"MILLRACE_{missing}")
        with pytest.raises(MissingSetting, match=rf"^MILLRACE_{missing} is not set\.$"):
            module.handler(event, Context())
        assert f"MILLRACE_{missing} is not set." in capsys.readouterr().out


def started(function: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """A process that imports a function as Lambda does, and prints what was made before any event."""
    script = (
        f"from millrace.entrypoints.lambdas import {function}, wiring\n"
        "for known in wiring._known.values():\n"
        "    services = known.services\n"
        "    print(*sorted(vars(services)), *sorted(services._clients._clients))\n"
    )
    region = {"AWS_REGION": "eu-west-1", "PYTHONPATH": os.pathsep.join(sys.path)}
    lambdas = {"AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency"}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=region | lambdas | environ)


def test_on_lambda_a_function_is_wired_before_its_first_event() -> None:
    catalog = {"MILLRACE_CATALOG": "millrace.core.catalogs.retail:catalog"}
    done = started("ingestion", **catalog, MILLRACE_RAW_BUCKET="raw", MILLRACE_QUEUE_URL="https://queue.invalid/q")
    assert done.stdout.split() == ["_clients", "_settings", "catalog", "clock", "ingest", "s3", "sqs"], done.stderr


def test_on_lambda_a_function_without_a_variable_does_not_start() -> None:
    done = started("transformation", MILLRACE_CATALOG="millrace.core.catalogs.retail:catalog")
    assert done.returncode == 1
    assert "MissingSetting: MILLRACE_RAW_BUCKET and MILLRACE_ANALYSIS_BUCKET and" in done.stderr


@pytest.mark.parametrize("function", NEEDS)
def test_importing_a_function_needs_no_environment_and_makes_no_client(function: str) -> None:
    assert imported(function) & {"boto3", "aws_xray_sdk", "sqlite3", "click", "greenlet"} <= {"greenlet"}  # structlog's


def test_accepting_events_imports_no_pipeline_and_no_library_of_failing_events() -> None:
    found = imported("ingestion")
    assert "botocore" in found
    assert not {"cattrs", "millrace.core.pipeline.pipeline", "aws_lambda_powertools.utilities.batch"} & found
    assert "aws_lambda_powertools.event_handler" not in found


def imported(function: str) -> set[str]:
    """The modules that importing a function alone brings in, without any variable set."""
    # What is there already, as under the measurement of coverage, the function did not bring in.
    script = (
        "import sys; before = {*sys.modules}\n"
        f"import millrace.entrypoints.lambdas.{function}; print(*{{*sys.modules}} - before)"
    )
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("MILLRACE_", "AWS_"))}
    environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ)
    return set(done.stdout.split())


def test_an_invocation_is_traced_only_where_x_ray_samples_it() -> None:
    root = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"
    assert is_sampled({"_X_AMZN_TRACE_ID": f"{root};Sampled=1"})
    assert not is_sampled({"_X_AMZN_TRACE_ID": f"{root};Sampled=0"})
    assert not is_sampled({})


def test_services_are_made_once_in_a_process_and_each_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CATALOG", "RAW_BUCKET", "QUEUE_URL"):
        monkeypatch.setenv(f"MILLRACE_{name}", "millrace.core.catalogs.retail:catalog")
    monkeypatch.setattr(wiring, "_known", {})
    first = wiring.wired("raw_bucket", "queue_url")
    assert wiring.wired("raw_bucket", "queue_url") is first
    assert first.services.ingest is first.services.ingest
    assert "stores" not in vars(first.services)
    for name in ("stores", "pipeline", "process", "project", "reconcile", "jobs"):
        assert getattr(first.services, name) is getattr(first.services, name)
