"""Claims about probes: every catalog curates them, in every form; no view, no listing and no diff shows them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from jsonschema import Draft202012Validator

from millrace import Catalog, Count
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalog.compatibility import findings
from millrace.core.catalog.probes import PROBE
from millrace.core.catalogs import cloudtrail, retail
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.pipeline.judgement import Passed
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.records import Curated, RawObject, Receipt
from millrace.core.services.archive import Archive
from millrace.core.services.archived import Archived
from millrace.core.services.generations import Generations
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.rows import contents

from ..e2e.cli import fails, lines, objects, purchase, succeeds
from .test_http_requests import START, ask, platform

PLAIN: dict[str, Any] = {"eventType": PROBE, "eventId": "p-1", "eventTime": START // 1_000_000, "source": "ops"}
CLOUD: dict[str, Any] = {
    "specversion": "1.0",
    "type": PROBE,
    "id": "p-1",
    "time": "2026-11-23T02:00:00Z",
    "source": "ops",
}
FORMS: dict[str, dict[str, Any]] = {
    "plain": PLAIN,
    "plain with data": {**PLAIN, "data": {"nonce": 7}},
    "plain with data beside it": {**PLAIN, "nonce": 7, "url": "https://api.example"},
    "plain with a version": {**PLAIN, "schemaVersion": 1},
    "cloud event": {**CLOUD, "data": {}},
    "cloud event with data": {**CLOUD, "data": {"nonce": 7}},
}


def loose() -> Catalog:
    """A catalog whose only type holds anything, so that no lane knows it."""
    catalog = Catalog("loose")
    catalog.event("thing", unknown="keep")(attrs.make_class("Thing", {"value": attrs.field(type=Any, default=None)}))
    return catalog


CATALOGS = {"retail": retail.catalog, "cloudtrail": cloudtrail.catalog, "loose": loose()}


def ran(catalog: Catalog, document: dict[str, Any]) -> Any:
    receipt = Receipt(id="019ab3c5-0000-7000-8000-000000000001", received_at=START, source="caller")
    return Pipeline(catalog).run(RawObject(receipt, json.dumps(document).encode()), START + 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", CATALOGS)
def test_every_catalog_curates_probes_in_every_form_and_drops_their_data(name: str, form: str) -> None:
    batch = ran(CATALOGS[name], FORMS[form])
    assert batch.letters == []
    [record] = batch.records
    assert (record.type, record.source, record.id, record.time) == (PROBE, "ops", "p-1", START)
    assert (record.version, record.fields, batch.unmarked) == (1, {}, [])


@pytest.mark.parametrize("name", CATALOGS)
def test_the_careful_way_and_the_fast_one_agree_on_probes(name: str) -> None:
    pipeline = Pipeline(CATALOGS[name])
    raw = RawObject(Receipt(id="r", received_at=START, source="caller"), json.dumps(PLAIN).encode())
    judged = pipeline.judge(pipeline.decoder.read(raw, 0, raw.body))
    assert isinstance(judged, Passed)
    assert (judged.plan.name, judged.records) == (PROBE, [{}])


def test_a_probe_of_a_version_that_does_not_exist_is_refused() -> None:
    [letter] = ran(retail.catalog, {**PLAIN, "schemaVersion": 2}).letters
    assert letter.reason == "unsupported-version"


def test_what_an_author_declared_is_listed_without_probes() -> None:
    for catalog in CATALOGS.values():
        assert PROBE in catalog.types
        assert PROBE not in catalog.declared
        assert catalog.declared.keys() | {PROBE} == catalog.types.keys()
        assert PROBE not in json.dumps(contents(catalog))
    assert repr(loose()) == "<Catalog 'loose': 1 types, 0 views>"
    [letter] = ran(retail.catalog, {**PLAIN, "eventType": "sale"}).letters
    assert letter.violations[0].message.endswith("it has page_view, purchase, refund, signup.")


def test_catalogs_share_no_declaration_of_probes() -> None:
    assert loose().types[PROBE] is not loose().types[PROBE]
    assert findings(loose(), loose()) == []


# ------------------------------------------------------------------------------------------------------ on a platform


def busy() -> Platform:
    """A platform with purchases and probes, processed."""
    site = platform()
    events = [purchase(f"e-{number}") for number in range(5)]
    probes = [{**PLAIN, "eventId": f"p-{number}"} for number in range(3)]
    again = [probes[0]]
    for body in (events, probes, again):
        assert ask(site, "POST", "/ingest", body).status == 202
    list(site.work.drain())
    return site


def probes_of(site: Platform) -> list[Curated]:
    return [*site.stores.curated.query(PROBE, since=EARLIEST, until=LATEST + 1, after=None, limit=9)]


def rows_of(site: Platform, name: str) -> list[Any]:
    view = site.catalog.views[name]
    rows = Generations(site.stores.views).read().current(view).rows_of(view)
    return [*site.stores.views.rows(rows, since=EARLIEST, until=LATEST + 1, after=None, limit=99)]


def test_no_view_shows_probes_and_every_account_holds_with_them() -> None:
    site = busy()
    without = platform()
    assert ask(without, "POST", "/ingest", [purchase(f"e-{number}") for number in range(5)]).status == 202
    list(without.work.drain())
    for name in site.catalog.views:
        shown, expected = ([(row.key, row.states) for row in rows_of(each, name)] for each in (site, without))
        assert shown == expected
    account = site.reconcile.run(types=site.catalog.types)
    assert account.holds
    assert (account.curated, account.duplicate, account.stored) == (8, 1, 8)


def test_no_declaration_brings_a_view_over_probes_about() -> None:
    catalog = loose()
    over = [view.over for view in (*retail.catalog.views.values(), *cloudtrail.catalog.views.values())]
    assert PROBE not in over
    cls = catalog.types[PROBE].cls
    with pytest.raises(Exception, match="is not declared as an event type"):
        catalog.view("all", over=cls, every=timedelta(days=1), measures={"n": Count()})


def test_probes_are_archived_and_restored_like_every_event() -> None:
    site = busy()
    archive = Archive(site.stores, site.clock, site.project, margin=0)
    archive.announce(START + 24 * 3_600_000_000)
    types = sorted(site.catalog.types)
    assert sum(batch.records for batch in archive.run(types)) == 8
    assert probes_of(site) == []
    assert len([*Archived(site.stores).read(PROBE)]) == 3
    assert site.reconcile.run(types=types).holds
    assert sum(batch.records for batch in archive.restore(site.pipeline.decoder, types)) == 8
    assert {record.id for record in probes_of(site)} == {"p-0", "p-1", "p-2"}
    assert site.reconcile.run(types=types).holds


def test_the_api_shows_probes_when_asked_for_them_and_only_then() -> None:
    site = platform()
    empty = ask(site, "GET", f"/events/{PROBE}")
    assert (empty.status, json.loads(empty.body)) == (200, [])
    site = busy()
    rows = json.loads(ask(site, "GET", f"/events/{PROBE}").body)
    assert {row["eventId"] for row in rows} == {"p-0", "p-1", "p-2"}
    assert {"eventId", "eventType", "eventTime", "source", "schemaVersion", "curatedAt", "receipt"} == set(rows[0])
    for path in ("/catalog", "/openapi.json", "/health"):
        response = ask(site, "GET", path)
        assert response.status == 200
        assert PROBE.encode() not in response.body
    assert PROBE.encode() not in ask(site, "GET", "/events/sale").body
    [verdict] = json.loads(ask(site, "POST", "/validate", PLAIN).body)
    assert verdict == {"index": 0, "valid": True, "violations": []}


def test_the_schema_of_probes_is_one_and_takes_any_data() -> None:
    schema = json.loads(ask(platform(), "GET", f"/catalog/{PROBE}").body)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == "urn:millrace:retail:millrace.probe:1"
    assert Draft202012Validator(schema).is_valid({"anything": 1})


# -------------------------------------------------------------------------------------------------- on the command line


def test_commands_show_probes_when_asked_for_them_and_only_then(tmp_path: Path) -> None:
    store, probe = tmp_path / "store", {**PLAIN, "data": {"nonce": 7}}
    succeeds("run", "-", store=store, stdin=lines(purchase("e-1"), probe))
    [row] = objects("events", PROBE, store=store)
    assert (row["eventId"], row["source"]) == ("p-1", "ops")
    assert "nonce" not in row
    assert objects("events", "signup", store=store) == []
    assert PROBE not in succeeds("catalog", "list").stdout
    assert json.loads(succeeds("catalog", "schema", PROBE).stdout)["title"] == PROBE
    assert PROBE not in fails(2, "events", "sale", store=store)
    assert PROBE not in fails(2, "catalog", "schema", "sale")
    assert "4 types" in succeeds("catalog", "check").stdout
    assert succeeds("reconcile", store=store).exit_code == 0
    succeeds("rebuild", "revenue", store=store)
    succeeds("backfill", "file:" + str(store), store=store)
    assert succeeds("reconcile", store=store).exit_code == 0


def test_replaying_history_shows_probes_as_the_same(tmp_path: Path) -> None:
    store = tmp_path / "store"
    succeeds("run", "-", store=store, stdin=lines(purchase("e-1"), PLAIN))
    told = json.loads(succeeds("backfill", f"file:{store}", "--dry-run", "--json", store=store).stdout)
    assert told["types"][PROBE] == {"same": 1}
    assert (told["new"], told["changed"], told["lost"]) == (0, 0, 0)


def test_a_probe_is_told_by_its_type_alone(tmp_path: Path) -> None:
    """Whoever sends it: nothing else of an event says that it is one."""
    site = Platform.assemble(retail.catalog, memory_stores(), platform().clock, RandomReceiptIds())
    assert ask(site, "POST", "/ingest", {**CLOUD, "source": "//anybody"}).status == 202
    list(site.work.drain())
    assert [record.source for record in probes_of(site)] == ["//anybody"]
