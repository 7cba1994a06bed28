"""A probe goes the way of every event through the deployed functions, and no view shows it."""

from collections.abc import Mapping

import attrs

from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalog.probes import PROBE
from millrace.core.catalogs.retail import catalog
from millrace.core.identity import EARLIEST, LATEST
from millrace.entrypoints.ops.endpoint import Reply
from millrace.entrypoints.ops.verification import verify

from .cloud import Cloud


@attrs.frozen
class Requests:
    """The API, and what its events set off once somebody asks for them."""

    cloud: Cloud
    url: str = "https://api.example/prod"

    def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        if path.startswith("/events/"):
            self.cloud.drain()
        reply = self.cloud.api.request(method, path, body, query=query)
        return Reply(reply.status, reply.body)


def test_a_probe_is_curated_by_the_functions_and_kept_out_of_views(cloud: Cloud) -> None:
    ids, clock = RandomReceiptIds(), SystemClock()
    health, probes = verify(Requests(cloud), clock, lambda: ids.new(clock.now()), probes=1, within=60_000, patience=60)
    assert (health.wrong, probes.wrong) == ([], [])
    [row] = probes.rows
    with cloud.stores() as stores:
        [stored] = stores.curated.query(PROBE, since=EARLIEST, until=LATEST + 1, after=None, limit=9)
        assert (stored.id, stored.receipt, stored.fields) == (row["probe"], row["receipt"], {})
        assert stores.ledger.entries([stored.receipt])[stored.receipt].curated == 1
        for view in catalog.views.values():
            assert not stores.views.rows(view.signature, since=EARLIEST, until=LATEST + 1, after=None, limit=9)
