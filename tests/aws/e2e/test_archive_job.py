"""An archive of CloudTrail through ``DataProcessing``: the state machine of the template, executed by moto."""

import os
import sys
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from unittest.mock import patch

import pytest

from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.jobs import JobSpec, State
from millrace.core.records import RawObject
from millrace.entrypoints.backfill.taking import Foreign
from millrace.entrypoints.files import Chunk

from ..opened import SURROUNDINGS
from .cloud import Cloud, deployed, functions_of
from .conftest import SOURCES
from .test_equality import log_files
from .test_jobs import output, run

CATALOG = "millrace.core.catalogs.cloudtrail:catalog"


@pytest.fixture
def cloudtrail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A stack whose catalog is that of CloudTrail."""
    pytest.importorskip("awslambdaric", reason="AWS's runtime client is for Linux")
    with patch.dict(os.environ, SURROUNDINGS), deployed(Catalog=CATALOG) as (front, stack):
        folder = tmp_path_factory.mktemp("cloudtrail")
        with functions_of(front, stack, folder, task_root=SOURCES, python=[sys.executable]) as functions:
            cloud = Cloud(front, stack, functions)
            cloud.prepare()
            with patch.dict(os.environ, cloud.surroundings()):
                yield cloud


def keep(cloud: Cloud, chunks: list[Chunk]) -> None:
    """Receipts in the raw log, and nowhere else."""
    now, ids, how = SystemClock().now(), RandomReceiptIds(), Foreign("cloudtrail", "cloudtrail")
    with cloud.stores() as stores:
        for place, chunk in enumerate(chunks):
            found: RawObject = how.raw(chunk, ids.new(now + place), now + place)
            stores.raw.append(found)


def counted(cloud: Cloud) -> tuple[int, int, int]:
    """Receipts, ledger entries, curated events."""
    with cloud.stores() as stores:
        receipts = stores.raw.list(since=EARLIEST, until=LATEST, after=None, limit=100)
        return len(receipts), len(stores.ledger.list(after=None, limit=100)), stores.curated.count()


def test_an_archive_is_loaded_and_a_second_run_that_the_gate_stops_writes_nothing(cloudtrail: Cloud) -> None:
    keep(cloudtrail, [*log_files(Random(3))])
    status = run(cloudtrail, JobSpec(receipts_per_shard=2), "archive")
    assert status.state is State.SUCCEEDED, status
    summary = output(cloudtrail, "archive")
    assert summary["receipts"] == 6
    assert summary["events"] == summary["curated"] + summary["duplicate"] + summary["dead_lettered"]
    assert summary["dead_lettered"] >= 1
    loaded = counted(cloudtrail)
    assert loaded == (6, 6, summary["curated"])

    keep(cloudtrail, [Chunk(b'{"Records": [{"eventName": 7}, {"eventName": 8}]}', "application/json", "bad.json", 1)])
    status = run(cloudtrail, JobSpec(receipts_per_shard=2, allowed_rejections=Decimal("0.02")), "archive-2")
    assert (status.state, status.error) == (State.FAILED, "DataQualityError")
    assert counted(cloudtrail) == (7, *loaded[1:])
