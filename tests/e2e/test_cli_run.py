"""``millrace run`` and ``millrace sample``: files of every kind into a store, and what goes wrong with them."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import document, fails, lines, millrace, objects, purchase, succeeds

KEYS = [
    "receipts", "events", "curated", "duplicate", "filtered", "dead_lettered", "dead_letters",
    "seconds", "events_per_second",
]  # fmt: skip
CLOUDTRAIL = "millrace.core.catalogs.cloudtrail:catalog"


def sample(path: Path, *arguments: str) -> Path:
    path.write_bytes(succeeds("sample", *arguments).stdout_bytes)
    return path


def counts(summary: dict[str, Any]) -> tuple[int, ...]:
    assert list(summary) == KEYS
    found = tuple(summary[name] for name in ("curated", "duplicate", "filtered", "dead_lettered"))
    assert summary["events"] == sum(found)
    assert summary["dead_lettered"] == sum(summary["dead_letters"].values())
    return found


def test_a_sample_comes_out_as_it_was_made_and_again_as_duplicates(tmp_path: Path) -> None:
    store = tmp_path / "store"
    path = sample(tmp_path / "s.ndjson", "--events", "2000", "--seed", "7", "--duplicates", "5", "--broken", "2")
    first = document("run", path, store=store)
    curated, duplicate, filtered, dead = counts(first)
    assert (first["receipts"], first["events"], duplicate, dead) == (1, 2000, 100, 40)
    assert filtered > 0
    assert {"conflict", "invalid", "malformed", "unknown-type"} <= set(first["dead_letters"])
    again = document("run", path, store=store)
    assert counts(again) == (0, curated + duplicate, filtered, dead)
    assert again["dead_letters"] == first["dead_letters"]
    succeeds("reconcile", store=store)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def made(*arguments: str) -> bytes:
        return succeeds("sample", "--events", "300", "--duplicates", "10", "--broken", "10", *arguments).stdout_bytes

    assert made("--seed", "1") == made("--seed", "1")
    assert made("--seed", "1") != made("--seed", "2")
    assert made().count(b"\n") == 300


@pytest.mark.parametrize("types", [["refund"], ["signup", "page_view"]])
def test_a_sample_of_some_types_holds_only_those(tmp_path: Path, types: list[str]) -> None:
    wanted = [text for name in types for text in ("--types", name)]
    path = sample(tmp_path / "s.ndjson", "--events", "500", "--duplicates", "50", "--broken", "0", *wanted)
    assert {json.loads(line)["eventType"] for line in path.read_bytes().splitlines()} == set(types)
    summary = document("run", path, store=tmp_path / "store")
    assert counts(summary)[1::2] == (250, 0)


@pytest.mark.parametrize(("duplicates", "broken"), [("100", "0"), ("0", "100"), ("99", "1"), ("50", "50")])
def test_shares_of_a_sample_are_exact_up_to_all_of_it(tmp_path: Path, duplicates: str, broken: str) -> None:
    path = sample(tmp_path / "s.ndjson", "--events", "100", "--duplicates", duplicates, "--broken", broken)
    summary = document("run", path, store=tmp_path / "store")
    _, duplicate, _, dead = counts(summary)
    assert (summary["events"], dead) == (100, int(broken))
    assert duplicate == min(int(duplicates), 100 - int(broken) - 1 if int(duplicates) else 0)


def test_the_empty_sample_is_empty() -> None:
    assert succeeds("sample", "--events", "0").stdout_bytes == b""


def test_shares_of_more_than_all_are_refused() -> None:
    assert "more than 100 percent" in fails(2, "sample", "--duplicates", "60", "--broken", "50")


def test_every_kind_of_file_gives_the_same_events(tmp_path: Path) -> None:
    events = [purchase(str(number)) for number in range(20)]
    content = lines(*events)
    files = {
        "a.ndjson": content, "a.jsonl": content, "a.ndjson.gz": gzip.compress(content),
        "a.json": json.dumps(events).encode(), "a.json.gz": gzip.compress(json.dumps(events).encode()),
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        assert counts(document("run", tmp_path / name, store=tmp_path / f"of {name}")) == (20, 0, 0, 0)
    (tmp_path / "notes.txt").write_text("passed over")
    together = document("run", tmp_path, store=tmp_path / "store")
    assert together["receipts"] == 5
    assert counts(together) == (20, 80, 0, 0)
    assert counts(document("run", "-", store=tmp_path / "store", stdin=content)) == (0, 20, 0, 0)


def test_a_file_without_ids_that_is_run_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(
        lines(*({**purchase("x"), "eventId": None, "eventTime": None} for _ in range(3)))
    )
    assert counts(document("run", tmp_path / "a.ndjson", store=tmp_path / "store")) == (3, 0, 0, 0)
    assert counts(document("run", tmp_path / "a.ndjson", store=tmp_path / "store")) == (0, 3, 0, 0)


def test_the_source_is_that_of_events_without_one(tmp_path: Path) -> None:
    event = purchase("1")
    del event["source"]
    for expected, arguments in (("file", []), ("till 4", ["--source", "till 4"])):
        succeeds("run", "-", *arguments, store=tmp_path / expected, stdin=lines(event))
        assert [row["source"] for row in objects("events", "purchase", store=tmp_path / expected)] == [expected]


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_a_source_of_the_catalog_maps_foreign_documents(tmp_path: Path, form: str) -> None:
    def record(number: int) -> dict[str, Any]:
        return {
            "eventID": f"e-{number}", "eventName": "Get", "eventSource": "s3.amazonaws.com", "awsRegion": "eu",
            "eventVersion": "1", "eventTime": "2026-11-23T02:00:00Z",
        }  # fmt: skip

    (tmp_path / f"a.{form}.gz").write_bytes(
        gzip.compress(
            lines({"Records": [record(1), record(2)]}, *([{"Records": [record(3), {}]}] if form == "ndjson" else []))
        )
    )
    arguments: list[str | Path] = [tmp_path / f"a.{form}.gz", "--source", "cloudtrail", "--catalog", CLOUDTRAIL]
    expected = (3, 0, 0, 1) if form == "ndjson" else (2, 0, 0, 0)
    assert counts(document("run", *arguments, store=tmp_path / "store")) == expected
    for letter in objects("dead-letters", "list", "--catalog", CLOUDTRAIL, store=tmp_path / "store"):
        assert (letter["index"], letter["line"]) == (3, 2)


def test_what_cannot_be_decoded_is_dead_lettered_and_nothing_is_lost(tmp_path: Path) -> None:
    odd = [
        b"not json", b"\xff\xfe{", b"\xef\xbb\xbf{}", b"[" * 100_000, b'{"a":' * 1000, b'{"eventType":1e999999999}',
        b"NaN", b"1" * 5000, b'"\\ud800"', b"{}", b"null", b'{"eventType":"purchase","data":{"amount":1e400}}',
        b"x" * 300_000, b'{"eventType":"purchase","eventTime":"yesterday"}', b"\x00",
    ]  # fmt: skip
    good = purchase("good")
    (tmp_path / "odd.ndjson").write_bytes(lines(*odd, good))
    for path in ("odd.ndjson", "whole.json"):
        (tmp_path / "whole.json").write_bytes(b"[1, {}, " + json.dumps(good).encode() + b"] trailing")
        summary = document("run", tmp_path / path, store=tmp_path / path[:3])
        assert counts(summary) == ((1, 0, 0, len(odd)) if path == "odd.ndjson" else (0, 0, 0, 1))
    store = tmp_path / "odd"
    assert [row["eventId"] for row in objects("events", "purchase", store=store)] == ["good"]
    letters = objects("dead-letters", "list", store=store)
    assert sorted(letter["line"] for letter in letters) == list(range(1, len(odd) + 1))
    for letter in letters:
        shown = succeeds("dead-letters", "show", letter["id"], store=store)
        assert not any(ord(c) < 32 and c != "\n" for c in shown.stdout)
    succeeds("reconcile", store=store)


def test_the_summary_for_people_has_the_same_numbers(tmp_path: Path) -> None:
    text = succeeds("run", "-", store=tmp_path / "s", stdin=lines(purchase("1"), purchase("1"), b"?")).stdout
    found = dict(line.rsplit(maxsplit=1) for line in text.splitlines())
    assert (found["events"], found["curated"], found["duplicate"], found["dead lettered"]) == ("3", "1", "1", "1")
    assert found["  malformed"] == "1"


def test_verbose_logs_one_line_a_batch_and_no_payload(tmp_path: Path) -> None:
    result = succeeds("run", "-", "--verbose", store=tmp_path / "s", stdin=lines(purchase("secret-id")))
    (line,) = result.stderr.splitlines()
    assert "event=receipt.processed" in line
    assert "curated=1" in line
    assert "secret-id" not in line
    assert succeeds("run", "-", store=tmp_path / "s", stdin=b"{}\n").stderr == ""


# ----------------------------------------------------------------------------------------------------- what goes wrong
def test_a_damaged_file_is_told_and_the_others_are_processed(tmp_path: Path) -> None:
    content = gzip.compress(lines(*(purchase(str(number)) for number in range(5000))))
    (tmp_path / "a.ndjson.gz").write_bytes(content[:-2000])
    (tmp_path / "b.ndjson").write_bytes(lines(purchase("b")))
    result = millrace("run", tmp_path, "--json", store=tmp_path / "store")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "a.ndjson.gz is cut off" in result.stderr
    curated, *others = counts(json.loads(result.stdout))
    assert curated > 3000
    assert others == [0, 0, 1]
    ids = {row["eventId"] for row in objects("events", "purchase", store=tmp_path / "store")}
    assert "b" in ids
    (tmp_path / "a.ndjson.gz").write_bytes(content)
    again = document("run", tmp_path, store=tmp_path / "store")
    assert counts(again)[:2] == (5001 - curated, curated)


def test_a_single_file_of_which_nothing_can_be_read_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(b"no gzip")
    result = millrace("run", tmp_path / "a.json.gz", store=tmp_path / "store")
    assert result.exit_code == 2
    assert "is damaged" in result.stderr
    [letter] = document("dead-letters", "list", store=tmp_path / "store")
    assert (letter["reason"], letter["violations"][0]["code"]) == ("malformed", "gzip")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("missing.json", "does not exist"), ("notes.txt", "is not a .json"), ("gone/", "does not exist")],
)
def test_a_wrong_path_is_found_before_anything_is_processed(tmp_path: Path, path: str, sentence: str) -> None:
    (tmp_path / "good.ndjson").write_bytes(lines(purchase("1")))
    (tmp_path / "notes.txt").write_bytes(b"")
    assert sentence in fails(2, "run", tmp_path / "good.ndjson", tmp_path / path, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_file_without_permission_is_found_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").touch(mode=0o000)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    assert "permission denied" in fails(2, "run", tmp_path / "a.json", store=tmp_path / "store")


def test_a_directory_without_inputs_is_told_and_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = succeeds("run", tmp_path / "empty", store=tmp_path / "store")
    assert "There is no .json" in result.stderr


def test_no_path_at_all_is_wrong_usage(tmp_path: Path) -> None:
    assert "Missing argument" in fails(2, "run", store=tmp_path / "store")
