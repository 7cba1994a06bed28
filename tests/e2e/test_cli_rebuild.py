"""``millrace rebuild``: what it builds, what it says, and that live events go on counting afterwards."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from millrace.core.errors import TransientError
from millrace.core.services.rebuild import STACK_MARGIN
from millrace.entrypoints.cli import rebuild as command
from tests.e2e.cli import document, fails, lines, purchase, succeeds

CATALOG = """
from datetime import timedelta
from decimal import Decimal
import attrs
from millrace import Catalog, Count, Sum

catalog = Catalog("shop")

@catalog.event("purchase")
@attrs.frozen
class Purchase:
    amount: Decimal

catalog.view("many", over=Purchase, every=timedelta(hours=1), measures={"many": Count()})
"""
ADDED = """catalog.view("sums", over=Purchase, every=timedelta(days=1), measures={"amount": Sum("amount")})\n"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    succeeds("run", "-", store=path, stdin=lines(*(purchase(f"e-{n}") for n in range(30))))
    return path


def generations(store: Path) -> set[str]:
    """The generations of the view revenue of which the store has rows or cursors; the first has no number."""
    with closing(sqlite3.connect(store / "store.sqlite")) as connection:
        names = connection.execute("SELECT view FROM view_rows UNION SELECT view FROM cursors").fetchall()
    return {name.rpartition(")")[2].removeprefix("@") for (name,) in names if name.startswith("revenue(")}


def revenue(store: Path) -> Any:
    return document("view", "revenue", store=store)


def test_a_rebuilt_view_is_the_same_and_goes_on_counting(store: Path) -> None:
    before = revenue(store)
    report = document("rebuild", "revenue", store=store)
    assert report["views"] == [{"view": "revenue", "generation": 1}]
    assert (report["events"], report["dropped"]) == (30, 0)
    assert revenue(store) == before
    succeeds("run", "-", store=store, stdin=lines(*(purchase(f"e-{n}") for n in range(25, 35))))
    assert [row["orders"] for row in revenue(store)] == [35]
    assert document("rebuild", "revenue", "--drop-old", store=store)["dropped"] == 2
    assert [row["orders"] for row in revenue(store)] == [35]
    assert generations(store) == {"2"}


def test_every_view_can_be_rebuilt_and_people_are_told_of_each(store: Path) -> None:
    told = succeeds("rebuild", "--all", store=store).stdout
    assert "revenue           generation " in told
    assert "events read       30" in told


def test_a_view_that_is_added_is_filled_by_rebuilding_it_alone(tmp_path: Path) -> None:
    store, catalog = tmp_path / "store", tmp_path / "shop.py"
    catalog.write_text(CATALOG)
    events = [purchase(f"e-{n}", data={"amount": n}) for n in range(5)]
    succeeds("run", "-", "--catalog", catalog, store=store, stdin=lines(*events))
    before = document("view", "many", "--catalog", catalog, store=store)
    catalog.write_text(CATALOG + ADDED)
    assert document("rebuild", "sums", "--catalog", catalog, store=store)["events"] == 5
    assert [row["amount"] for row in document("view", "sums", "--catalog", catalog, store=store)] == ["10"]
    assert document("view", "many", "--catalog", catalog, store=store) == before


def test_an_interrupted_rebuild_leaves_the_old_view_and_the_next_one_is_whole(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = revenue(store)

    def full(*_: object) -> None:
        raise TransientError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("millrace.core.services.rebuild.fold_rows", full)
        assert fails(1, "rebuild", "revenue", store=store) == "millrace: the disk is full; trying again may help."
    assert revenue(store) == before
    report = document("rebuild", "revenue", store=store)
    assert report["views"] == [{"view": "revenue", "generation": 2}]
    assert report["dropped"] == 1, "what the interrupted one has left"
    assert revenue(store) == before
    assert generations(store) == {"", "2"}


def test_what_was_kept_can_be_dropped_later_without_building_anything(store: Path) -> None:
    before = revenue(store)
    for _ in range(2):
        succeeds("rebuild", "--all", "--keep-old", store=store)
    assert len(generations(store)) == 3
    told = succeeds("rebuild", "revenue", "--drop-only", store=store).stdout
    assert told.split() == ["deleted", "2", "old", "generations"]
    assert len(generations(store)) == 1
    report = document("rebuild", "revenue", "--drop-only", store=store)
    assert (report["views"], report["events"], report["dropped"]) == ([], 0, 0)
    assert revenue(store) == before


def test_a_drop_that_was_interrupted_is_finished_by_dropping_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = revenue(store)

    def full(*_: object) -> int:
        raise TransientError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("millrace.adapters.local.views.LocalViews.forget", full)
        said = fails(1, "rebuild", "revenue", "--drop-old", store=store)
    assert said == "millrace: the disk is full; trying again may help."
    assert generations(store) == {"", "1"}
    assert revenue(store) == before
    assert document("rebuild", "revenue", "--drop-only", store=store)["dropped"] == 1
    assert generations(store) == {"1"}


def test_wrong_usage_is_one_sentence(store: Path) -> None:
    assert "Name the views to rebuild, or say --all" in fails(2, "rebuild", store=store)
    assert "Name the views to rebuild, or say --all" in fails(2, "rebuild", "revenue", "--all", store=store)
    assert "There is no view 'nix'" in fails(2, "rebuild", "nix", store=store)
    assert "leave out --anew" in fails(2, "rebuild", "--all", "--drop-only", "--anew", store=store)
    assert "leave out --keep-old" in fails(2, "rebuild", "--all", "--drop-only", "--keep-old", store=store)


class _Waiting:
    """A rebuild that may read in so many microseconds."""

    def __init__(self, left: int) -> None:
        self.left, self.old = left, ["old@2", "old@3"]

    def wait(self, tasks: object) -> int:
        return self.left

    def drop(self, views: object) -> list[str]:
        return ["old@1"]

    def sweep(self, views: object) -> list[str]:
        found, self.old = ([], self.old) if self.left else (self.old, [])
        return found

    def unswept(self, views: object) -> int | None:
        return self.left if self.old else None

    def sleep(self, seconds: float) -> None:
        self.left = max(self.left - round(seconds * 1_000_000), 0)


def test_waiting_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    waiting: Any = _Waiting(2 * STACK_MARGIN)
    command._wait(waiting, [], waiting.sleep)
    assert waiting.left == 0
    assert capsys.readouterr().err == (
        "millrace: Waiting 50 minutes, until all that is being inserted now is in the store; "
        "after an interruption, the same command goes on.\n"
    )


def test_dropping_waits_until_nobody_can_write_and_tells_that_once(capsys: pytest.CaptureFixture[str]) -> None:
    waiting: Any = _Waiting(STACK_MARGIN)
    assert command._drop(waiting, [], waiting.sleep) == 3
    assert waiting.left == 0
    assert capsys.readouterr().err == (
        "millrace: Waiting 25 minutes, until nobody can write to what is deleted; "
        "after an interruption, --drop-only goes on.\n"
    )
