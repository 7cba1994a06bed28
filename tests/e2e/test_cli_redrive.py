"""Dead letters on the command line: redriven after a fix, exported, and purged."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from millrace.core.redriving import Redriven, Step, Verdict
from millrace.entrypoints.cli.redrive import _paced
from tests.contracts.builders import dead_letter
from tests.e2e.cli import fails, lines, millrace, purchase, succeeds

CATALOG = """
from datetime import timedelta
from decimal import Decimal
import attrs
from millrace import Catalog, Count, Sum

catalog = Catalog("till")

@catalog.event("sale")
@attrs.frozen
class Sale:
    order: str
    amount: Decimal

@catalog.rule(Sale)
def amount_is_plausible(sale: Sale) -> bool:
    return sale.amount < {limit}

catalog.view("revenue", over=Sale, every=timedelta(hours=1), measures={{"sales": Count(), "revenue": Sum("amount")}})
"""


def sale(order: str, amount: Any, **envelope: Any) -> dict[str, Any]:
    data = {"order": order, "amount": amount}
    return {"eventType": "sale", "eventId": order, "eventTime": "2026-11-23T02:00:00Z", "data": data, **envelope}


class Till:
    """A store under a catalog whose rule can be loosened."""

    def __init__(self, folder: Path) -> None:
        self.store, self._catalog = folder / "store", folder / "till.py"
        self.folder = folder
        self.allow(100)

    def allow(self, limit: int, rule: str = "amount_is_plausible") -> None:
        self._catalog.write_text(CATALOG.format(limit=limit).replace("amount_is_plausible", rule))

    def __call__(self, *arguments: str | Path, status: int = 0, stdin: bytes | None = None) -> Result:
        result = millrace(*arguments, "--catalog", self._catalog, store=self.store, stdin=stdin)
        assert result.exit_code == status, result.output
        return result

    def json(self, *arguments: str | Path, status: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", status=status).stdout)

    def letters(self) -> dict[str | None, Any]:
        found = self("dead-letters", "list", "--ndjson").stdout.splitlines()
        return {letter["eventId"]: letter for letter in map(json.loads, found)}


@pytest.fixture
def till(tmp_path: Path) -> Till:
    """Two sales that are too large for the rule, one for any, one that is none, a line that is no JSON."""
    opened = Till(tmp_path)
    events = lines(sale("a", 50), sale("b", 500), sale("c", 700), sale("d", 9999), sale("e", "much"), b"?")
    opened("run", "-", stdin=events)
    return opened


def test_a_loosened_rule_is_tried_dry_and_then_redriven(till: Till) -> None:
    assert till.json("view", "revenue")[0]["sales"] == 1
    till.allow(1000)
    foreseen = till.json("dead-letters", "redrive", "--dry-run")
    counts = {name: foreseen[name] for name in ("letters", "passed", "same", "other", "held", "skipped", "receipts")}
    assert counts == {"letters": 5, "passed": 2, "same": 3, "other": 0, "held": 0, "skipped": 0, "receipts": 1}
    assert foreseen["dry_run"] is True
    assert [row["eventId"] for row in sorted(foreseen["samples"]["passed"], key=lambda row: str(row["eventId"]))] == [
        "b", "c",
    ]  # fmt: skip
    assert len(till.letters()) == 5
    assert till.json("view", "revenue")[0]["sales"] == 1

    done = till.json("dead-letters", "redrive", status=1)
    assert {name: done[name] for name in counts} == counts
    assert {"reason": "rule", "eventType": "sale", "passed": 2, "same": 1}.items() <= done["causes"][-1].items()
    assert till.letters().keys() == {"d", "e", None}
    assert {letter["attempts"] for letter in till.letters().values()} == {2}
    [row] = till.json("view", "revenue")
    assert (row["sales"], row["revenue"]) == (3, "1250")
    assert till.json("reconcile")["holds"] is True


def test_what_passes_alone_is_a_success(till: Till) -> None:
    till.allow(1000)
    [cause] = {letter["fingerprint"] for letter in till.letters().values() if letter["reason"] == "rule"}
    till.allow(10_000)
    result = till("dead-letters", "redrive", "--fingerprint", cause)
    assert "pass now" in result.stdout
    assert till.letters().keys() == {"e", None}


def test_every_letter_is_told_as_a_line(till: Till) -> None:
    till.allow(1000)
    text = till("dead-letters", "redrive", "--ndjson", "--reason", "rule", status=1).stdout
    rows = {row["eventId"]: row for row in map(json.loads, text.splitlines())}
    assert {event: row["verdict"] for event, row in rows.items()} == {"b": "passed", "c": "passed", "d": "same"}
    assert (rows["d"]["attempts"], rows["d"]["seen"], rows["b"]["attempts"]) == (2, 1, 1)


def test_what_failed_too_often_is_left_alone_until_it_is_forced(till: Till) -> None:
    for _ in range(2):
        till("dead-letters", "redrive", "--attempts", "3", status=1)
    till.allow(10_000)
    result = till("dead-letters", "redrive", "--attempts", "3")
    assert "5 failed 3 times or more and were left alone; --force redrives them" in result.stderr
    assert len(till.letters()) == 5
    assert till.json("dead-letters", "redrive", "--attempts", "3", "--force", status=1)["passed"] == 3


def test_what_fails_in_another_way_is_grouped_by_that_from_then_on(till: Till) -> None:
    def summary() -> dict[str, int]:
        rows = till.json("dead-letters", "summary")
        return {row["fingerprint"]: row["letters"] for row in rows if row["reason"] == "rule"}

    till("dead-letters", "redrive", status=1)
    [(old, letters)] = summary().items()
    till.allow(600, "amount_is_modest")
    text = till("dead-letters", "redrive", "--fingerprint", old, "--ndjson", status=1).stdout
    rows = {row["eventId"]: row for row in map(json.loads, text.splitlines())}
    assert {event: (row["verdict"], row["attempts"]) for event, row in rows.items()} == {
        "b": ("passed", 2), "c": ("other", 1), "d": ("other", 1),
    }  # fmt: skip
    assert rows["c"]["now"]["id"] == rows["c"]["id"]
    [(new, left)] = summary().items()
    assert (letters, left) == (3, 2)
    assert new != old
    assert "no such dead letters" in till("dead-letters", "redrive", "--fingerprint", old).stderr
    assert till.json("dead-letters", "redrive", "--fingerprint", new, status=1)["same"] == 2
    assert {letter["violations"][0]["code"] for letter in till.letters().values() if letter["reason"] == "rule"} == {
        "amount_is_modest"
    }


def test_people_see_what_still_fails_and_why(till: Till) -> None:
    result = till("dead-letters", "redrive", status=1)
    assert "fail in the same way" in result.stdout
    assert "amount_is_plausible" in result.stdout
    till("run", "-", stdin=lines(sale("e", "much")))
    assert "no such dead letters" in till("dead-letters", "redrive", "--type", "nothing").stderr


def test_letters_are_chosen_by_receipt_and_number(till: Till) -> None:
    till("run", "-", stdin=lines(sale("z", 600)))
    receipt = till.letters()["z"]["receipt"]
    till.allow(1000)
    listed = till("dead-letters", "list", "--receipt", receipt, "--ndjson").stdout.splitlines()
    assert [json.loads(line)["eventId"] for line in listed] == ["z"]
    assert till.json("dead-letters", "redrive", "--receipt", receipt)["passed"] == 1
    assert till.json("dead-letters", "redrive", "--limit", "2", "--dry-run")["letters"] == 2


def test_what_was_accepted_under_another_catalog_is_held_until_it_is_adopted(tmp_path: Path) -> None:
    till = Till(tmp_path)
    succeeds("run", "-", store=till.store, stdin=lines(purchase("1", "-5")))
    report = till.json("dead-letters", "redrive", status=1)
    assert report["held"] == 1
    assert "accepted under catalog 'retail'" in report["samples"]["held"][0]["why"]
    assert till.json("dead-letters", "redrive", "--adopt", status=1)["other"] == 1
    assert [letter["reason"] for letter in till.letters().values()] == ["unknown-type"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reason", "bad"], "there are malformed"),
        (["--limit", "0"], "--limit"),
        (["--rate", "0"], "--rate"),
        (["--attempts", "0"], "--attempts"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    assert said in fails(2, "dead-letters", "redrive", *arguments, store=tmp_path)


def test_a_dry_run_needs_a_store(tmp_path: Path) -> None:
    assert "no store" in fails(2, "dead-letters", "redrive", "--dry-run", store=tmp_path / "nowhere")


def test_a_rate_is_kept() -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(round(seconds, 6))
        now += seconds

    tried = Redriven(dead_letter(), Verdict.SAME)
    skipped = Redriven(dead_letter(), Verdict.SKIPPED)
    steps = [Step([tried] * 4), Step([skipped] * 100), Step([tried] * 2)]
    assert list(_paced(steps, 2, sleep, lambda: now)) == steps
    assert slept == [2, 1]


def test_a_rate_makes_small_batches(till: Till) -> None:
    assert till.json("dead-letters", "redrive", "--rate", "1000", "--dry-run")["letters"] == 5


# -------------------------------------------------------------------------------------------------------------- export


def test_an_export_has_every_occurrence_and_the_event_as_it_was_received(till: Till) -> None:
    till("run", "-", stdin=lines(b"\xff", sale("d", 9999)))
    rows = [json.loads(line) for line in till("dead-letters", "export").stdout.splitlines()]
    by_event = {row["eventId"]: row for row in rows if row["eventId"]}
    assert json.loads(by_event["d"]["document"]) == sale("d", 9999)
    assert [place["index"] for place in by_event["d"]["occurrences"]] == [3, 1]
    assert by_event["d"]["seen"] == 2
    documents = [(row["document"], row.get("documentBase64")) for row in rows if row["reason"] == "malformed"]
    assert sorted(documents, key=str) == [("?", None), (None, "/w==")]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)


def test_an_export_to_a_file_says_what_standard_output_says(till: Till) -> None:
    expected = till("dead-letters", "export", "--reason", "rule").stdout_bytes
    for name in ("out.ndjson", "out.ndjson.gz"):
        result = till("dead-letters", "export", "--reason", "rule", "--out", till.folder / name)
        assert "3 dead letters with 3 occurrences" in result.stderr
        found = (till.folder / name).read_bytes()
        assert (gzip.decompress(found) if name.endswith("gz") else found) == expected
    assert not [path for path in till.folder.iterdir() if path.name.startswith(".part")]


def test_a_letter_whose_bytes_are_gone_is_exported_without_them(till: Till) -> None:
    for raw in (till.store / "raw").glob("*/*.raw"):
        raw.unlink()
    rows = [json.loads(line) for line in till("dead-letters", "export").stdout.splitlines()]
    assert len(rows) == 5
    assert {row["document"] for row in rows} == {None}


def test_a_file_that_cannot_be_written_is_told(till: Till) -> None:
    result = till("dead-letters", "export", "--out", till.folder / "none" / "out", status=1)
    assert "No such file" in result.stderr


# --------------------------------------------------------------------------------------------------------------- purge


def test_purge_exports_first_and_takes_out_what_it_exported(till: Till) -> None:
    expected = till("dead-letters", "export", "--reason", "rule").stdout
    out = till.folder / "out.ndjson"
    report = till.json("dead-letters", "purge", "--reason", "rule", "--out", out, "--yes")
    assert report == {"out": str(out), "letters": 3, "occurrences": 3}
    assert out.read_text() == expected
    assert till.letters().keys() == {"e", None}
    assert till.json("reconcile")["holds"] is True


def test_purge_needs_a_new_file(till: Till) -> None:
    assert "--out" in till("dead-letters", "purge", "--yes", status=2).stderr
    assert "to a file first" in till("dead-letters", "purge", "--out", "-", "--yes", status=2).stderr
    out = till.folder / "out.ndjson"
    out.write_text("the only copy")
    assert "give another file" in till("dead-letters", "purge", "--out", out, "--yes", status=2).stderr
    assert out.read_text() == "the only copy"
    assert len(till.letters()) == 5


@pytest.mark.parametrize("answer", [b"n\n", b""])
def test_purge_asks_and_without_a_yes_does_nothing(till: Till, answer: bytes) -> None:
    out = till.folder / "out.ndjson"
    result = till("dead-letters", "purge", "--out", out, status=1, stdin=answer)
    assert "Purge 5 dead letters" in result.stderr
    assert "Nothing was purged" in result.stderr
    assert len(till.letters()) == 5
    assert not out.exists()


def test_purge_goes_ahead_on_a_yes(till: Till) -> None:
    till("dead-letters", "purge", "--out", till.folder / "out.ndjson.gz", stdin=b"y\n")
    assert till.letters() == {}
    assert "no such dead letters" in till(
        "dead-letters", "purge", "--out", till.folder / "other", "--yes"
    ).stderr  # fmt: skip
    assert not (till.folder / "other").exists()


def test_purged_in_parts_everything_goes(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace.entrypoints.cli.export.TOGETHER", 2)
    till("dead-letters", "purge", "--out", till.folder / "out.ndjson", "--yes")
    assert till.letters() == {}
