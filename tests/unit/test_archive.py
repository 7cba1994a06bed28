"""Claims about archiving and restoring curated events: what leaves the store is in a file that was read back, whatever
happens, and views never notice.
"""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given

from millrace.adapters.faults import Crash, Fault, Injector, faulty
from millrace.core.comparison import alike
from millrace.core.errors import StoreError, TransientError
from millrace.core.identity import EARLIEST, LATEST, content_hash, record_key
from millrace.core.ports import Stores
from millrace.core.records import Curated
from millrace.core.services import archive as archiving
from millrace.core.services.archive import Archive
from millrace.core.services.archived import DAY, FOLDER, Archived, file_of, lines_of, name_of, packed, records_of
from millrace.core.services.reconcile import Reconcile
from millrace.entrypoints.platform import Platform

from ..contracts.builders import NOON, bare, curated, raw_object
from ..contracts.strategies import fields
from ..simulation.catalog import catalog
from ..simulation.endings import rebuild_views
from ..simulation.laws import digest
from ..simulation.world import LocalWorld, SeededIds, TickingClock, World, assemble

TYPES = sorted(catalog.types)
MORNING = "2026-11-20T08:00:00Z"
TODAY = "2026-11-23T01:00:00Z"
BOUNDARY = 1_795_392_000_000_000  # 2026-11-23T00:00:00Z


@pytest.fixture(params=[World, LocalWorld], ids=["memory", "local"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    opened = request.param()
    yield opened
    opened.close()


@pytest.fixture
def platform(world: World) -> Platform:
    return opened(world.stores)


@pytest.fixture
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "PART", 3)


def opened(stores: Stores) -> Platform:
    return assemble(stores, TickingClock(Random(1)), SeededIds(Random(2)))


def sale(number: int, time: str = MORNING, amount: str = "1.50") -> str:
    text = f'"eventType":"sale","eventId":"s-{number}","eventTime":"{time}","source":"shop"'
    return f'{{{text},"order":"o-{number}","amount":{amount},"currency":"EUR"}}'


def basket(number: int, time: str = MORNING) -> str:
    text = f'"eventType":"basket","eventId":"b-{number}","eventTime":"{time}","source":"shop"'
    return f'{{{text},"items":["x","y","z"]}}'


def ingest(platform: Platform, *events: str) -> str:
    receipt = platform.ingest.chunk(
        "\n".join(events).encode(), source="f", content_type="application/x-ndjson", origin="f"
    )
    for _ in platform.work.drain():
        pass
    return receipt


def fill(platform: Platform, sales: int = 8) -> list[str]:
    """Receipts with old and new events, duplicates, a conflict, one of several records, one without a time."""
    old = [sale(number, f"2026-11-{18 + number % 3}T08:00:00Z") for number in range(sales)]
    return [
        ingest(platform, *old, basket(1), sale(100, TODAY)),
        ingest(platform, old[0], old[1].replace("1.50", "1.5"), basket(1), sale(2, "2026-11-20T08:00:00Z", "7")),
        ingest(platform, '{"eventType":"parcel","eventId":"p","eventTime":"2026-11-01T00:00:00Z","weight":3}', "junk"),
    ]


def archive_of(platform: Platform, margin: int = 0) -> Archive:
    return Archive(platform.stores, platform.clock, platform.project, margin=margin)


def archive(platform: Platform, before: int = BOUNDARY) -> int:
    """Archive what is older and say how many records that were."""
    archiver = archive_of(platform)
    archiver.announce(before)
    return sum(batch.records for batch in archiver.run(TYPES))


def restore(platform: Platform) -> int:
    found = archive_of(platform).restore(platform.pipeline.decoder, TYPES)
    return sum(batch.records for batch in found)


def stored(stores: Stores) -> list[Curated]:
    pages = [stores.curated.query(name, since=EARLIEST, until=LATEST, after=None, limit=999) for name in TYPES]
    return [bare(record) for page in pages for record in page]


def archived(stores: Stores) -> list[Curated]:
    return [bare(record) for name in TYPES for record in Archived(stores).read(name)]


def names(stores: Stores) -> list[str]:
    return [*stores.archive.names(FOLDER, "")]


def bodies(stores: Stores) -> dict[str, bytes | None]:
    return {name: stores.archive.read(FOLDER, name) for name in names(stores)}


# --------------------------------------------------------------------------------------------------------------- files
@given(values=fields)
def test_any_record_reads_back_from_its_line_as_it_was(values: dict[str, object]) -> None:
    for record in (curated("é\n1", fields=values, part=2, index=7), curated("a", fields={}, subject="s", time=-1)):
        [read] = records_of("f", lines_of([record]))
        assert alike(read.fields, record.fields)
        assert msgspec.structs.replace(read, fields={}) == msgspec.structs.replace(bare(record), fields={})


def test_whole_decimals_stay_decimals_and_instants_exact() -> None:
    record = curated("a", fields={"n": Decimal(12), "i": 12, "big": 10**30}, time=EARLIEST, curated_at=LATEST)
    [read] = records_of("f", lines_of([record]))
    assert [type(value) for value in read.fields.values()] == [Decimal, int, int]
    assert (read.time, read.curated_at) == (EARLIEST, LATEST)


def test_the_columns_of_the_tables_are_the_keys_of_a_line() -> None:
    text = Path("deploy/stacks/lake.yaml").read_text()
    [line] = lines_of([curated("a", subject="s")]).splitlines()
    for table in text.split("Type: AWS::Glue::Table")[1:3]:
        columns = [part.split(",")[0].split(" }")[0].strip() for part in table.split("- { Name: ")[1:]]
        columns = [column for column in columns if column not in ("day", "type")]
        keys = {key.lower() for key in json.loads(line)}
        # A partition key may not be a column as well; eventType says the same as type.
        assert set(columns) | {"eventtype"} == keys
    assert "archive/curated/day=${!day}/type=${!type}/" in text
    assert name_of(curated("a")).startswith("day=2026-01-09/type=purchase/")


@pytest.mark.parametrize("name", ["a/b", "..", "day=1", "é" * 128, "type=x/!"])
def test_a_type_of_any_name_has_a_folder_of_its_own(world: World, name: str) -> None:
    record, other = curated("a", type=name), curated("a", type=name[:-1] + "z")
    for each in (record, other):
        world.stores.archive.write(FOLDER, name_of(each), packed(lines_of([each])))
    assert name_of(record) != name_of(other)
    assert [*Archived(world.stores).read(name)] == [bare(record)]
    assert set(Archived(world.stores).types()) == {name, other.type}


def test_names_of_files_are_in_order_of_time() -> None:
    times = [EARLIEST, -1, 0, NOON, LATEST]
    files = [name_of(curated("a", time=time)) for time in times]
    assert files == sorted(files)
    found = [file_of(name) for name in files]
    assert [file and file.first for file in found] == [record_key(curated("a", time=time)) for time in times]
    assert file_of("day=2026-01-01/other/1.ndjson.gz") is None


@pytest.mark.parametrize(
    "damage",
    [b"", b"junk", gzip.compress(b"{}\n"), gzip.compress(b'{"a"\n')],
    ids=["empty", "no gzip", "no record", "no JSON"],
)
def test_a_damaged_file_is_named(world: World, damage: bytes) -> None:
    name = name_of(curated("a"))
    world.stores.archive.write(FOLDER, name, damage if damage else packed(lines_of([curated("a")]))[:-9])
    with pytest.raises(StoreError, match=f"the archive's file {name} is damaged"):
        list(Archived(world.stores).read("purchase"))


# ------------------------------------------------------------------------------------------------------------- archive
def test_what_is_older_leaves_the_store_and_is_in_the_archive(platform: Platform) -> None:
    fill(platform)
    before = stored(platform.stores)
    assert archive(platform) == 12
    left = stored(platform.stores)
    assert [record.id for record in left] == ["s-100"]
    assert sorted([*archived(platform.stores), *left], key=record_key) == sorted(before, key=record_key)


@pytest.mark.usefixtures("_small_files")
def test_nothing_that_can_be_seen_changes_by_archiving_restoring_or_doing_so_again(platform: Platform) -> None:
    receipts = fill(platform)
    whole = digest(platform.stores)
    for act in (archive, archive, restore, restore, archive, restore):
        act(platform)
        platform.work.project()
        assert digest(platform.stores) == whole
        for receipt in receipts:
            platform.process.receipt(receipt)
        platform.work.project()
        assert digest(platform.stores) == whole
        rebuild_views(platform)
        assert digest(platform.stores) == whole
        assert Reconcile(platform.stores).run().holds


@pytest.mark.usefixtures("_small_files")
def test_repeating_writes_no_file_and_deletes_nothing_more(platform: Platform) -> None:
    fill(platform)
    archive(platform)
    files = bodies(platform.stores)
    assert len(files) > 4
    assert archive(platform) == 0
    restore(platform)
    injector = Injector()
    writes: list[str] = []
    injector.on_call = lambda port, method: writes.append(method) if port == "archive" else None
    again = opened(faulty(platform.stores, injector))
    assert archive(again) == 12
    assert "write" not in writes
    assert bodies(platform.stores) == files


@pytest.mark.usefixtures("_small_files")
@pytest.mark.parametrize("kind", [Fault.CRASH_BEFORE, Fault.CRASH_DURING, Fault.CRASH_AFTER, Fault.TIMED_OUT])
def test_after_a_fault_at_any_call_the_same_run_ends_the_same(kind: Fault) -> None:
    clean = opened(World().stores)
    fill(clean)
    archive(clean)
    number = 0
    while True:
        number += 1
        stores = World().stores
        fill(opened(stores))
        injector = Injector(Random(number), plan={number: kind})
        try:
            archive(opened(faulty(stores, injector)))
        except (Crash, TransientError):
            # Whatever is gone from the store is archived.
            everything = {record_key(record) for record in [*stored(stores), *archived(stores)]}
            assert len(everything) == 13
        if injector.calls < number:
            break
        archive(opened(stores))
        assert bodies(stores) == bodies(clean.stores)
        assert (stored(stores), digest(stores)) == (stored(clean.stores), digest(clean.stores))
    assert number > 40


def test_a_preview_counts_and_writes_nothing(platform: Platform) -> None:
    fill(platform)
    whole = digest(platform.stores)
    found = [*archive_of(platform).preview(TYPES, BOUNDARY)]
    assert sum(batch.records for batch in found) == 12
    assert sum(batch.events for batch in found) == 10
    assert names(platform.stores) == []
    assert digest(platform.stores) == whole
    assert Archived(platform.stores).closed(0) is None


def test_a_file_that_does_not_read_back_deletes_nothing(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(platform)
    monkeypatch.setattr(type(platform.stores.archive), "read", lambda *_: packed(b""))
    with pytest.raises(StoreError, match="does not read back"):
        archive(platform)
    assert len(stored(platform.stores)) == 13


def test_views_that_are_behind_stop_the_archive(platform: Platform) -> None:
    receipt = platform.ingest.chunk(sale(1).encode(), source="f", content_type="application/x-ndjson", origin="f")
    platform.process.receipt(receipt)
    with pytest.raises(TransientError, match="views have not seen"):
        archive(platform)
    assert len(stored(platform.stores)) == 1


def test_what_was_replaced_after_it_was_restored_is_archived_anew(platform: Platform) -> None:
    fill(platform)
    archive(platform)
    restore(platform)
    [one] = [record for record in stored(platform.stores) if record.id == "s-3"]
    changed = msgspec.structs.replace(one, version=2, fields={**one.fields, "order": "new"})
    assert platform.stores.curated.replace([changed]) == [True]
    files = names(platform.stores)
    archive(platform)
    assert names(platform.stores) == files
    assert changed in archived(platform.stores)
    assert one not in archived(platform.stores)
    assert len(archived(platform.stores)) == 12


def test_a_second_run_stops_the_first(platform: Platform) -> None:
    fill(platform)
    archiver = archive_of(platform)
    archiver.announce(BOUNDARY)
    first = archiver.run(TYPES)
    next(first)
    assert sum(batch.records for batch in archive_of(platform).run(["parcel"])) == 1
    with pytest.raises(TransientError, match="Another process is archiving"):
        list(first)
    archive(platform)
    assert len(archived(platform.stores)) == 12


def test_the_boundary_is_the_beginning_of_a_day(platform: Platform) -> None:
    boundary = archive_of(platform).boundary_of(2 * DAY)
    assert boundary % DAY == 0
    assert 0 <= platform.clock.now() - 2 * DAY - boundary < DAY


def test_with_a_margin_nothing_is_archived_before_it_has_passed() -> None:
    clock = TickingClock(Random(1))
    platform = assemble(World().stores, clock, SeededIds(Random(2)))
    fill(platform)
    archiver = archive_of(platform, margin=60_000_000)
    assert archiver.wait() == 0
    archiver.announce(BOUNDARY)
    with pytest.raises(TransientError, match=r"but in [01]\.\d minutes"):
        next(archiver.run(TYPES))
    announced = archiver.announce(BOUNDARY - DAY)
    assert announced.before == BOUNDARY
    clock.pass_time(archiver.wait())
    assert sum(batch.records for batch in archiver.run(TYPES)) == 12


# -------------------------------------------------------------------------------------------------------------- reading
@pytest.mark.usefixtures("_small_files")
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_stored_and_archived_events_once_and_in_order(platform: Platform, limit: int) -> None:
    fill(platform)
    everything = [record for record in stored(platform.stores) if record.type == "sale"]
    archive(platform, BOUNDARY - 4 * DAY)
    restore(platform)
    archive(platform)
    ingest(platform, sale(200, TODAY))
    everything += [record for record in stored(platform.stores) if record.id == "s-200"]
    list(archive_of(platform).restore(platform.pipeline.decoder, ["sale"], since=BOUNDARY - 4 * DAY))
    found: list[Curated] = []
    while page := Archived(platform.stores).page("sale", record_key(found[-1]) if found else None, limit):
        assert len(page) <= limit
        found += page
    assert [bare(record) for record in found] == sorted(everything, key=record_key)
    since, until = BOUNDARY - 4 * DAY, BOUNDARY - 3 * DAY
    chosen = Archived(platform.stores).page("sale", None, 100, since=since, until=until)
    expected = [record for record in sorted(everything, key=record_key) if since <= record.time < until]
    assert [bare(record) for record in chosen] == expected
    assert [bare(r) for r in Archived(platform.stores).read("sale", since=since, until=until)] == expected
    assert expected


def test_a_restored_event_has_the_content_it_had(platform: Platform) -> None:
    fill(platform)
    archive(platform)
    restore(platform)
    record = curated("s-1", type="sale", time=1_795_161_600_000_000, receipt="other", raw=sale(1).encode())
    [there] = [each for each in stored(platform.stores) if each.id == "s-1"]
    probe = msgspec.structs.replace(there, receipt="other", raw=record.raw)
    [lineage] = platform.stores.curated.insert([probe])
    assert lineage is not None
    assert lineage.content == content_hash(sale(1, "2026-11-19T08:00:00Z").encode())


def test_restoring_what_the_raw_log_has_lost_is_told(platform: Platform) -> None:
    platform.stores.archive.write(FOLDER, name_of(curated("a")), packed(lines_of([curated("a")])))
    [told] = archive_of(platform).restore(platform.pipeline.decoder, ["purchase"])
    assert (told.records, told.without_receipt) == (1, 1)


# ------------------------------------------------------------------------------------------------------------ reconcile
def test_reconcile_counts_what_is_stored_and_what_is_archived_once(platform: Platform) -> None:
    fill(platform)
    before = Reconcile(platform.stores).run()
    archive(platform)
    account = Reconcile(platform.stores).run()
    assert (before.stored, before.archived) == (11, 0)
    assert (account.stored, account.archived, account.holds) == (1, 10, True)
    restore(platform)
    account = Reconcile(platform.stores).run()
    assert (account.stored, account.archived, account.holds) == (11, 0, True)


def test_reconcile_notices_that_an_archived_file_was_emptied(platform: Platform) -> None:
    fill(platform)
    archive(platform)
    platform.stores.archive.write(FOLDER, names(platform.stores)[0], packed(b""))
    assert not Reconcile(platform.stores).run().holds


def test_reconcile_names_receipts_that_are_gone(platform: Platform) -> None:
    fill(platform)
    lost = raw_object(number=7).receipt.id
    platform.stores.curated.insert(
        [curated("lost", type="sale", receipt=lost), curated("b", type="sale", receipt=lost)]
    )
    account = Reconcile(platform.stores).run(types=TYPES)
    assert (account.gone, account.holds) == ([lost], False)
    assert Reconcile(platform.stores).run().gone == []
