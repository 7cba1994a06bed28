"""The reading commands: events, views, dead letters, the account, the catalog."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from millrace.core.records import Reason
from tests.e2e.cli import document, fails, lines, millrace, objects, purchase, succeeds

CATALOG = """
from datetime import timedelta
from decimal import Decimal
from typing import Any
import attrs
from millrace import Catalog, Count, Sum

catalog = Catalog("odd")

@catalog.event("t", unknown="keep")
@attrs.frozen
class T:
    subject: str
    n: Any = None

catalog.view("all", over=T, every=timedelta(minutes=90), measures={"many": Count()})
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four purchases in two hours and two currencies, a sign-up, and letters of three causes."""
    folder = tmp_path_factory.mktemp("e2e")
    dollars = {"order_id": "o-4", "customer_id": "c-2", "amount": "0.10", "currency": "USD"}
    (folder / "in.ndjson").write_bytes(
        lines(
            purchase("1", "10.50"),
            b"",
            purchase("2", '"1000000.000"', eventTime="2026-11-23T02:59:59.999999Z")
            | {"data": {"order_id": "o-2", "customer_id": "c-2", "amount": "1E+3", "currency": "EUR"}},
            purchase("3", eventTime="2026-11-23T03:00:00Z"),
            purchase("4", eventTime="2026-11-23T03:30:00.5Z", data=dollars, subject="till"),
            {"eventType": "signup", "eventId": "s", "source": "shop", "data": {"customer_id": "c", "plan": "free"}},
            b"not json",
            purchase("5", data={**dollars, "amount": -1, "currency": "\x1b[31mRED"}),
            purchase("6", data={**dollars, "amount": -2, "currency": "X"}),
            purchase("5", data={**dollars, "amount": -1, "currency": "\x1b[31mRED"}),
            purchase("7", eventType="nothing"),
        )
    )
    succeeds("run", folder / "in.ndjson", store=folder / "store")
    return folder / "store"


# --------------------------------------------------------------------------------------------------------------- events
def test_events_are_shown_in_order_of_time_with_their_envelope(store: Path) -> None:
    rows = objects("events", "purchase", store=store)
    assert [row["eventId"] for row in rows] == ["1", "2", "3", "4"]
    first = rows[0]
    assert list(first)[:7] == ["eventId", "eventType", "eventTime", "source", "schemaVersion", "curatedAt", "receipt"]
    assert (first["eventTime"], first["source"], first["schemaVersion"]) == ("2026-11-23T02:30:00Z", "shop", 2)
    assert first["curatedAt"].endswith("Z")
    assert [row["amount"] for row in rows] == ["10.5", "1000", "10", "0.1"]
    assert (rows[1]["large"], rows[3]["subject"], "subject" in first) == (True, "till", False)


def test_json_and_ndjson_and_csv_say_the_same(store: Path) -> None:
    rows = objects("events", "purchase", store=store)
    assert document("events", "purchase", store=store) == rows
    text = succeeds("events", "purchase", "--csv", store=store).stdout
    for row, line in zip(rows, csv.DictReader(StringIO(text)), strict=True):
        shown = {key: json.dumps(value) if not isinstance(value, str) else value for key, value in row.items()}
        assert line == {"subject": "", **shown}


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["--since", "2026-11-23T03:00:00Z"], "34"),
        (["--until", "2026-11-23T03:00:00Z"], "12"),
        (["--since", "2026-11-23T04:00:00+01:00", "--until", "2026-11-24"], "34"),
        (["--since", "2026-11-24"], ""),
        (["--where", "currency=USD"], "4"),
        (["--where", "amount=1e3"], "2"),
        (["--where", "amount=10.50"], "1"),
        (["--where", "large=true", "--where", "customer_id=c-2"], "2"),
        (["--where", "large=1"], ""),
        (["--where", "eventId=3"], "3"),
        (["--where", "subject=till"], "4"),
        (["--where", "amount=ten"], ""),
        (["--where", "eventId=3", "--limit", "1"], "3"),
        (["--where", "eventTime=2026-11-23T02:30:00Z"], "1"),
        (["--limit", "2"], "12"),
        (["--limit", "0"], "1234"),
    ],
)
def test_events_are_chosen_by_time_fields_and_number(store: Path, arguments: list[str], ids: str) -> None:
    assert "".join(row["eventId"] for row in objects("events", "purchase", *arguments, store=store)) == ids


def test_an_empty_choice_is_an_empty_list(store: Path) -> None:
    assert document("events", "refund", store=store) == []
    assert succeeds("events", "refund", "--ndjson", store=store).stdout == ""
    assert "no such events" in succeeds("events", "refund", store=store).stderr


def test_a_field_that_no_event_has_is_told(store: Path) -> None:
    assert "has a field 'curency'" in succeeds("events", "purchase", "--where", "curency=EUR", store=store).stderr


def test_a_table_is_cut_and_says_so(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.entrypoints.cli.events.SHOWN_TO_PEOPLE", 3)
    result = succeeds("events", "purchase", store=store)
    assert len(result.stdout.splitlines()) == 4
    assert "--limit 0 shows all" in result.stderr


def test_many_pages_are_read_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.entrypoints.cli.events._PAGE", 3)
    succeeds("run", "-", store=tmp_path, stdin=lines(*(purchase(f"{number:02}") for number in range(10))))
    ids = [row["eventId"] for row in objects("events", "purchase", store=tmp_path)]
    assert sorted(ids) == [f"{number:02}" for number in range(10)]


def test_a_field_with_a_name_of_the_envelope_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(CATALOG)
    event = {
        "eventType": "t",
        "eventId": "1",
        "data": {"subject": "s", "n": [0.10, {"b": 10**30}], "\x1b]0;": "\u202e"},
    }
    where = ("--catalog", tmp_path / "odd.py")
    succeeds("run", "-", *where, store=tmp_path / "store", stdin=lines(event))
    (row,) = objects("events", "t", *where, store=tmp_path / "store")
    assert "subject" not in row
    assert row["fields.subject"] == "s"
    assert row["n"] == ["0.1", {"b": 10**30}]
    for form in ([], ["--csv"]):
        text = succeeds("events", "t", *where, *form, store=tmp_path / "store").stdout
        assert form or not {"\x1b", "\u202e"} & set(text), "a terminal would obey them"
    assert objects("events", "t", "--where", "fields.subject=s", *where, store=tmp_path / "store") == [row]


def test_a_type_that_only_the_store_has_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(CATALOG)
    event = {"eventType": "t", "eventId": "1", "data": {"subject": "s"}}
    succeeds("run", "-", "--catalog", tmp_path / "odd.py", store=tmp_path / "store", stdin=lines(event))
    assert len(objects("events", "t", store=tmp_path / "store")) == 1
    assert "page_view, purchase" in fails(2, "events", "u", store=tmp_path / "store")


# ---------------------------------------------------------------------------------------------------------------- views
def test_a_view_is_shown_by_window_and_group(store: Path) -> None:
    rows = document("view", "revenue", store=store)
    assert [(row["window"], row["group"], row["orders"], row["revenue"], row["buyers"]) for row in rows] == [
        ("2026-11-23T02:00:00Z", {"currency": "EUR"}, 2, "1010.5", 2),
        ("2026-11-23T03:00:00Z", {"currency": "EUR"}, 1, "10", 1),
        ("2026-11-23T03:00:00Z", {"currency": "USD"}, 1, "0.1", 1),
    ]
    assert list(rows[0]) == ["window", "group", "orders", "revenue", "mean", "largest", "buyers"]


@pytest.mark.parametrize("by", [["--by", ""], ["--by", "none"]])
def test_by_nothing_merges_every_window_to_one_row(store: Path, by: list[str]) -> None:
    rows = document("view", "revenue", *by, store=store)
    assert [(row["group"], row["orders"], row["revenue"]) for row in rows] == [({}, 2, "1010.5"), ({}, 2, "10.1")]


@pytest.mark.parametrize("by", [["--by", "reason,currency"], ["--by", "reason", "--by", "currency"]])
def test_by_may_be_given_several_times_or_with_commas(tmp_path: Path, by: list[str]) -> None:
    data = {"order_id": "o", "customer_id": "c", "amount": 1, "currency": "EUR", "reason": "late"}
    refund = {"eventType": "refund", "eventId": "1", "eventTime": "2026-11-23T02:00:00Z", "data": data}
    succeeds("run", "-", store=tmp_path, stdin=lines(refund))
    (row,) = document("view", "refunds", *by, store=tmp_path)
    assert row["group"] == {"reason": "late", "currency": "EUR"}


def test_windows_are_chosen_by_their_start(store: Path) -> None:
    def windows(*arguments: str) -> set[str]:
        return {row["window"][11:13] for row in document("view", "revenue", *arguments, store=store)}

    assert windows("--since", "2026-11-23T03:00:00Z") == {"03"}
    assert windows("--until", "2026-11-23T03:00:00Z") == {"02"}
    assert windows("--since", "2026-11-23T02:00:01Z") == {"03"}
    assert windows("--since", "1h") == set()


def test_a_table_ends_with_the_total_and_csv_does_not(store: Path) -> None:
    *_, last = succeeds("view", "revenue", store=store).stdout.splitlines()
    assert last.split() == ["total", "4", "1020.6", "255.15", "1000", "2"]
    text = succeeds("view", "revenue", "--csv", store=store).stdout
    assert [row["revenue"] for row in csv.DictReader(StringIO(text))] == ["1010.5", "10", "0.1"]


def test_a_view_is_plotted_as_plain_text_with_its_numbers(store: Path) -> None:
    title, *found = succeeds("view", "revenue", "--plot", store=store).stdout.splitlines()
    assert title == "revenue: orders"
    assert [line.split()[:2] for line in found] == [
        ["EUR"], ["2026-11-23T02:00Z", "2"], ["2026-11-23T03:00Z", "1"], ["USD"], ["2026-11-23T03:00Z", "1"]
    ]  # fmt: skip
    assert not any("\x1b" in line for line in found)
    one = succeeds("view", "revenue", "--by", "", "--plot", "--measure", "revenue", store=store).stdout
    assert [line.split()[1] for line in one.splitlines()[1:]] == ["1010.5", "10.1"]


def test_a_plot_is_never_more_than_a_screen_unless_all_is_asked_for(tmp_path: Path) -> None:
    times = [f"2026-11-23T{n % 24:02}:30:00Z" if n < 24 else f"2026-11-24T{n % 24:02}:30:00Z" for n in range(48)]
    events = [purchase(f"{number}", eventTime=time) for number, time in enumerate(times)]
    succeeds("run", "-", store=tmp_path, stdin=lines(*events))
    assert len(succeeds("view", "revenue", "--plot", store=tmp_path).stdout.splitlines()) == 3
    whole = succeeds("view", "revenue", "--plot", "--all", store=tmp_path).stdout
    assert len(whole.splitlines()) == 1 + 1 + 48


def test_a_plot_that_cannot_be_is_a_sentence(store: Path) -> None:
    assert "no measure 'profit'; it has orders" in fails(
        2, "view", "revenue", "--plot", "--measure", "profit", store=store
    )
    assert "--plot" in millrace("view", "revenue", "--measure", "orders", store=store).stderr
    assert "--plot is for people" in millrace("view", "revenue", "--plot", "--json", store=store).stderr
    assert "no such rows" in succeeds("view", "refunds", "--plot", store=store).stderr


def test_an_empty_view_is_an_empty_list(store: Path) -> None:
    assert document("view", "refunds", store=store) == []
    assert "no such rows" in succeeds("view", "refunds", store=store).stderr


# --------------------------------------------------------------------------------------------------------- dead letters
def test_dead_letters_are_listed_with_their_file_and_line(store: Path) -> None:
    letters = {(letter["reason"], letter["line"]): letter for letter in objects("dead-letters", "list", store=store)}
    assert set(letters) == {("malformed", 7), ("invalid", 8), ("invalid", 9), ("unknown-type", 11)}
    letter = letters["invalid", 8]
    assert {
        "id", "reason", "stage", "fingerprint", "violations", "receipt", "index", "eventType", "eventId", "attempts"
    } <= set(letter)  # fmt: skip
    assert [violation["pointer"] for violation in letter["violations"]] == ["/data/amount", "/data/currency"]
    assert (letter["stage"], letter["index"], letter["seen"], letter["eventId"]) == ("validate", 6, 2, "5")
    assert letter["origin"].endswith("in.ndjson")


@pytest.mark.parametrize(
    ("arguments", "many"),
    [
        (["--reason", "invalid"], 2), (["--type", "nothing"], 1), (["--reason", "rule"], 0), (["--limit", "3"], 3),
        (["--type", "purchase", "--reason", "malformed"], 0), (["--limit", "0"], 4),
    ],
)  # fmt: skip
def test_dead_letters_are_chosen(store: Path, arguments: list[str], many: int) -> None:
    assert len(objects("dead-letters", "list", *arguments, store=store)) == many


def test_every_reason_can_be_asked_for(store: Path) -> None:
    for reason in Reason:
        succeeds("dead-letters", "list", "--reason", reason, store=store)
    assert "there are malformed, unknown-type" in fails(2, "dead-letters", "list", "--reason", "bad", store=store)


def test_a_summary_groups_by_cause(store: Path) -> None:
    rows = document("dead-letters", "summary", store=store)
    assert (rows[0]["reason"], rows[0]["letters"], rows[0]["occurrences"]) == ("invalid", 2, 3)
    assert sum(row["letters"] for row in rows) == 4
    assert rows[0]["example"]["pointer"] == "/data/amount"
    chosen = objects("dead-letters", "list", "--fingerprint", rows[0]["fingerprint"], store=store)
    assert {letter["eventId"] for letter in chosen} == {"5", "6"}
    assert "total" in succeeds("dead-letters", "summary", store=store).stdout


def test_a_dead_letter_is_shown_with_its_event_and_every_occurrence(store: Path) -> None:
    (letter,) = (each for each in objects("dead-letters", "list", store=store) if each["eventId"] == "5")
    found = document("dead-letters", "show", letter["id"], store=store)
    assert [(each["index"], each["line"]) for each in found["occurrences"]] == [(6, 8), (8, 10)]
    assert json.loads(found["document"])["data"]["amount"] == -1
    text = succeeds("dead-letters", "show", letter["id"][:10], store=store).stdout
    assert '"amount": -1' in text
    assert "/data/currency" in text
    assert "\x1b" not in text


def test_an_id_may_be_shortened_as_far_as_it_is_unique(store: Path) -> None:
    assert "no dead letter" in fails(2, "dead-letters", "show", "zz", store=store)
    assert "Several dead letters" in fails(2, "dead-letters", "show", "", store=store)


def test_without_dead_letters_there_is_nothing(tmp_path: Path) -> None:
    succeeds("run", "-", store=tmp_path, stdin=lines(purchase("1")))
    assert document("dead-letters", "summary", store=tmp_path) == []
    assert document("dead-letters", "list", store=tmp_path) == []
    for command in ("summary", "list"):
        assert "no " in succeeds("dead-letters", command, store=tmp_path).stderr


# ------------------------------------------------------------------------------------------------------------ reconcile
def test_the_account_holds_and_has_every_event(store: Path) -> None:
    account = document("reconcile", store=store)
    names = ("receipts", "events", "curated", "duplicate", "filtered", "dead_lettered", "stored")
    assert [account[name] for name in names] == [1, 10, 5, 0, 0, 5, 5]
    assert account["holds"] is True
    assert account["mended"] == 0
    assert succeeds("reconcile", store=store).stdout.endswith("Every event is accounted for.\n")
    assert document("reconcile", "--since", "1h", store=store)["receipts"] == 1
    assert document("reconcile", "--until", "2020-01-01", store=store)["receipts"] == 0


def test_a_gap_is_an_exit_code_of_1(tmp_path: Path) -> None:
    succeeds("run", "-", store=tmp_path, stdin=lines(purchase("1")))
    for raw in (tmp_path / "raw").glob("*/*.raw"):
        raw.unlink()
    result = millrace("reconcile", store=tmp_path)
    assert result.exit_code == 1
    assert "1 ledger entries whose receipt the raw log does not have" in result.stdout
    result = millrace("reconcile", "--repair", "--json", store=tmp_path)
    assert result.exit_code == 1
    assert len(json.loads(result.stdout)["unknown"]) == 1


def test_what_a_crash_left_is_mended_by_opening_and_told(tmp_path: Path) -> None:
    from millrace.adapters.local import open_local
    from millrace.core.catalogs import retail
    from millrace.entrypoints.bootstrap import open_platform

    with open_platform(f"file:{tmp_path}", retail.catalog, write=True) as platform:
        platform.ingest.chunk(lines(purchase("1")), source="s", content_type="application/x-ndjson", origin="o")
    with open_local(tmp_path, write=False) as local:
        assert local.stores.curated.count() == 0
    result = succeeds("reconcile", "--json", store=tmp_path)
    account = json.loads(result.stdout)
    assert (account["mended"], account["curated"], account["holds"]) == (1, 1, True)
    assert "event=store.mended" in result.stderr
    assert document("view", "revenue", store=tmp_path)[0]["orders"] == 1
    assert document("reconcile", store=tmp_path)["mended"] == 0


def test_repair_processes_what_is_missing_again(tmp_path: Path) -> None:
    import sqlite3

    succeeds("run", "-", store=tmp_path, stdin=lines(purchase("1"), b"?"))
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        (table,) = database.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'ledger%'"
        ).fetchone()
        (columns,) = (database.execute(f"SELECT * FROM {table}").fetchall(),)
        assert len(columns) == 1
        database.execute(f"UPDATE {table} SET entry = replace(CAST(entry AS TEXT), '\"curated\":1', '\"curated\":7')")
    database.close()
    assert millrace("reconcile", store=tmp_path).exit_code == 1
    account = document("reconcile", "--repair", store=tmp_path)
    assert (account["resent"], account["curated"], account["dead_lettered"]) == (1, 1, 1)


# -------------------------------------------------------------------------------------------------------------- catalog
def test_the_catalog_is_listed() -> None:
    contents = document("catalog", "list")
    assert contents["catalog"] == "retail"
    assert {each["name"]: each["version"] for each in contents["types"]}["purchase"] == 2
    assert next(each for each in contents["views"] if each["name"] == "revenue")["every"] == 3600
    text = succeeds("catalog", "list", "--catalog", "millrace.core.catalogs.cloudtrail:catalog").stdout
    assert "/Records" in text
    assert "1d" in text


def test_a_schema_judges_what_is_sent(tmp_path: Path) -> None:
    schema: dict[str, Any] = json.loads(succeeds("catalog", "schema", "purchase").stdout)
    validator = Draft202012Validator(schema)
    assert validator.is_valid(purchase("1")["data"])
    assert not validator.is_valid(purchase("1", "-1")["data"])
    assert succeeds("catalog", "schema", "purchase", "--version", "2", "--json").exit_code == 0
    assert "the catalog accepts 1 to 2" in fails(2, "catalog", "schema", "purchase", "--version", "3")
    assert "the catalog has page_view" in fails(2, "catalog", "schema", "sale")
    assert "--output" in fails(2, "catalog", "schema")


def test_the_schemas_of_all_types_and_versions_are_written_as_files(tmp_path: Path) -> None:
    written = succeeds("catalog", "schema", "--output", str(tmp_path / "a" / "schemas")).stdout.splitlines()
    found = {path.name: json.loads(path.read_text()) for path in map(Path, written)}
    assert {*found} == {f"{name}.1.schema.json" for name in ("purchase", "refund", "page_view", "signup")} | {
        "purchase.2.schema.json"
    }
    for name, schema in found.items():
        assert schema["$id"] == f"urn:millrace:retail:{name.removesuffix('.schema.json').replace('.', ':')}"
    succeeds("catalog", "schema", "purchase", "--version", "1", "--output", str(tmp_path / "one"))
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["purchase.1.schema.json"]
    assert "no event type" in fails(2, "catalog", "schema", "sale", "--output", str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    assert "is a file" in fails(2, "catalog", "schema", "--output", str(tmp_path / "one" / "purchase.1.schema.json"))
