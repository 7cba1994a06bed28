"""``millrace ops verify``: a probe through the API, and how soon it is curated."""

from typing import TYPE_CHECKING

import click

from ...lambdas.measures import ALLOWED, Measure
from ..options import as_json
from .options import needing_aws, opened
from .output import show

if TYPE_CHECKING:
    from ...ops.endpoint import Endpoint


@click.command
@click.argument("url", required=False)
@click.option(
    "--key", envvar="MILLRACE_API_KEY", metavar="KEY", help="The API key; better in the environment: MILLRACE_API_KEY."
)
@click.option("--iam", is_flag=True, help="Sign requests with the credentials of AWS.")
@click.option(
    "--within",
    type=click.IntRange(min=1),
    default=ALLOWED[Measure.RECEIVED_TO_CURATED],
    show_default=True,
    metavar="MS",
    help="Milliseconds from received to curated in which a probe has to make it.",
)
@click.option(
    "--probes",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    help="Probes to post, at most, until one makes it: the first finds functions that have to start.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for each.",
)
@click.option("--store", envvar="MILLRACE_STORE", metavar="aws:STACK", help="The stack whose API is meant.")
@as_json
def verify(
    *,
    url: str | None,
    key: str | None,
    iam: bool,
    within: int,
    probes: int,
    wait: float,
    store: str | None,
    form: str | None,
) -> int:
    """Post a probe to an API and see it curated within its time.

    A probe is an event of the type millrace.probe, which every catalog has and no view shows (millrace events
    millrace.probe). Without a URL, the API is that of the stack, with its first key or signed requests, as it wants.

    answered_ms is the time of the request, curated_ms what the platform took from received to curated by its own
    clocks, and seen_ms what passed until a query showed the event. Exits with 1 where a probe is not curated, where
    none was in time, or where the API says that it is not well.

    \b
    Examples:
      millrace ops verify --store aws:millrace
      millrace ops verify https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod
      millrace ops verify http://127.0.0.1:8000 --within 2000
    """
    from ....adapters.system import RandomReceiptIds, SystemClock
    from ...ops.verification import verify as posted

    clock, ids = SystemClock(), RandomReceiptIds()
    endpoint = _endpoint(url, key, store, iam=iam)
    found = posted(endpoint, clock, lambda: ids.new(clock.now()), probes=probes, within=within, patience=wait)
    return show(found, form)


def _endpoint(url: str | None, key: str | None, store: str | None, *, iam: bool) -> "Endpoint":
    from ...ops.endpoint import Endpoint

    if url is None:
        if not store:
            raise click.UsageError("Name the URL of an API, or a stack with --store.")
        stack = opened(store)
        from ...ops.access import endpoint_of

        if not (iam or key):
            return endpoint_of(stack)
        url = stack.outputs["ApiUrl"]
    if not iam:
        return Endpoint(url, key=key or None)
    with needing_aws():
        from ...ops.access import signed_endpoint
    return signed_endpoint(url)
