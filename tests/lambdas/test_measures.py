"""The list of metrics is what the functions write: no more, no less, in the unit and with the dimensions it says."""

from typing import Any

import pytest

from millrace.core.errors import TransientError
from millrace.entrypoints.lambdas import analytics, ingestion, query, transformation, validation
from millrace.entrypoints.lambdas.function import Invocation, function
from millrace.entrypoints.lambdas.measures import ALLOWED, MILLISECONDS, NAMESPACE, WRITTEN, Measure

from .arriving import Context, api_event, scheduled_event, sqs_event, sqs_record, stream_event, stream_record
from .site import Site
from .test_analytics import purchase
from .test_ingestion import PURCHASE, Down
from .test_transformation import BROKEN, accept

BODY = b"[" + PURCHASE + b"," + BROKEN + b"]"


def everything(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invoke every function with all that it has a metric for."""
    ingestion.handler(api_event(body=BODY), Context())
    validation.handler(api_event(path="/validate", body=BODY), Context())
    raw = accept(site, BODY)
    message = sqs_record(raw.receipt.id, raw)
    transformation.handler(sqs_event(message, sqs_record("poison", body="{")), Context())
    poison = stream_record(purchase(2), 2)
    del poison["dynamodb"]["NewImage"]["fields"]
    removal = stream_record(purchase(1), 3, "REMOVE")
    analytics.handler(stream_event(stream_record(purchase(1), 1), poison, removal), Context())
    analytics.handler(scheduled_event(), Context())
    query.handler(api_event("GET", "/views/revenue", None), Context())
    site.use(curated=Down(TransientError("no")), views=Down(TransientError("no")))
    transformation.handler(sqs_event(message), Context())
    analytics.handler(stream_event(stream_record(purchase(3), 3)), Context())
    site.use()
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    for module in (ingestion, validation, transformation, analytics, query):
        name = module.__name__.rpartition(".")[2]
        started(name)(None, Context())


def started(name: str) -> Any:
    """A function as Lambda starts it, which does nothing."""

    @function(name)
    def handler(_: Any, __: Invocation) -> None:
        return None

    return handler


def test_the_functions_write_exactly_the_metrics_that_are_listed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    everything(site, monkeypatch)
    written: set[tuple[str, str, str, tuple[str, ...]]] = set()
    for line in site.output().metrics:
        [described] = line["_aws"]["CloudWatchMetrics"]
        [dimensions] = described["Dimensions"]
        assert described["Namespace"] == NAMESPACE
        for metric in described["Metrics"]:
            written.add((metric["Name"], metric["Unit"], line["service"], tuple(sorted(dimensions))))
    listed = {
        (measure.value, unit, service, ("environment", "service"))
        for measure, (unit, services) in WRITTEN.items()
        for service in services
    }
    assert written == listed | {("DeadLettered", "Count", "transformation", ("environment", "reason", "service"))}
    assert set(WRITTEN) == set(Measure)


def test_what_an_objective_allows_is_a_time_and_its_function_counts_what_is_slow() -> None:
    for measure in ALLOWED:
        assert WRITTEN[measure].unit == MILLISECONDS
        assert set(WRITTEN[measure].services) <= set(WRITTEN[Measure.SLOW].services)


# ------------------------------------------------------------------------------------------------------- cold starts


def test_the_time_to_start_is_told_with_the_first_invocation_alone(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    handler = started("query")
    handler(None, Context())
    [age] = site.output().metric("Initialization")
    assert age > 0
    handler(None, Context())
    assert "Initialization" not in site.output().text


def test_elsewhere_than_on_lambda_there_is_no_cold_start_to_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE", raising=False)
    started("query")(None, Context())
    assert "Initialization" not in site.output().text
