"""Situations: stores, and the commands that are given for them, to be cut off in the middle."""

import gzip
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from millrace.entrypoints.catalogs import load_catalog

from .cli import document, lines, millrace, objects, purchase, succeeds

RETAIL = "millrace.core.catalogs.retail:catalog"
CATALOG = """
from datetime import timedelta
from decimal import Decimal
import attrs
from millrace import Catalog, Count, Sum

catalog = Catalog("shop")

@catalog.event("purchase")
@attrs.frozen
class Purchase:
    order_id: str
    amount: Decimal

@catalog.rule(Purchase)
def amount_is_plausible(event: Purchase) -> bool:
    return LEAST <= event.amount < MOST

@catalog.transform(Purchase)
def curate(event: Purchase) -> list[dict]:
    return [{"order": event.order_id, "amount": event.amount * TIMES, "half": half} for half in range(PARTS)]

catalog.view("revenue", over=Purchase, every=timedelta(hours=1), measures={"halves": Count(), "sum": Sum("amount")})
"""
UNLIKE = ("curatedAt", "receipt", "index", "attempts")
"""What may differ between two stores that were given the same: when it came in, in which receipt, how often tried."""
VIOLATIONS = "violations"
"""Of conflicts they name receipts, which have other ids in another store that took the same files in."""


def shop(path: Path, *, least: int = 0, most: int = 10**6, factor: int = 1, parts: int = 1) -> str:
    """A catalog as a file."""
    chosen = {"LEAST": least, "MOST": most, "TIMES": factor, "PARTS": parts}
    text = CATALOG
    for name, value in chosen.items():
        text = text.replace(name, str(value))
    path.write_text(text)
    return str(path)


@attrs.frozen
class Situation:
    """A folder with a store, ``store``, and the command that is to be given for it; ``unlike`` may end otherwise."""

    folder: Path
    command: Callable[[Path], tuple[str, ...]]
    catalog: str = RETAIL
    unlike: tuple[str, ...] = UNLIKE

    def copied(self, to: Path) -> "Situation":
        """The same elsewhere."""
        shutil.copytree(self.folder, to)
        return attrs.evolve(self, folder=to)

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def arguments(self) -> list[str]:
        """The whole command."""
        return [*self.command(self.folder), "--store", f"file:{self.store}", "--catalog", self.catalog]

    def holds(self) -> bool:
        """Whether every event is accounted for."""
        account = millrace("reconcile", "--json", "--catalog", self.catalog, store=self.store)
        return bool(json.loads(account.stdout)["holds"])

    def state(self) -> dict[str, Any]:
        """All that commands show of the store but for ``unlike``."""
        return state_of(self.store, self.catalog, self.unlike)


def state_of(store: Path, catalog: str = RETAIL, unlike: Sequence[str] = UNLIKE) -> dict[str, Any]:
    """All that commands show of a store: events, stored and archived, dead letters, views; without some keys."""
    chosen, declared = ("--catalog", catalog), load_catalog(catalog)
    found: dict[str, Any] = {}
    for name in declared.types:
        for archived in ((), ("--archived",)):
            found[f"{name} {archived}"] = objects("events", name, *archived, *chosen, store=store)
    found["letters"] = objects("dead-letters", "list", *chosen, store=store)
    state: dict[str, Any] = {
        what: [{k: v for k, v in row.items() if k not in unlike} for row in rows] for what, rows in found.items()
    }
    for name in declared.views:
        state[f"view {name}"] = document("view", name, *chosen, store=store)
    return state


def inputs(folder: Path, events: int = 1200, files: int = 24) -> Path:
    """Gzipped sample events of 2025, with duplicates and broken ones, in files that overlap."""
    folder.mkdir(parents=True)
    arguments = ("--seed", 5, "--start", "2025-01-01", "--days", 3, "--duplicates", 5, "--broken", 3)
    made = succeeds("sample", "--events", events, *arguments).stdout_bytes.splitlines(keepends=True)
    size = events // files
    for number in range(files):
        part = b"".join(made[max(number * size - 5, 0) : number * size + size])
        (folder / f"{number:02}.ndjson.gz").write_bytes(gzip.compress(part, mtime=0))
    return folder


def purchases(folder: Path, files: int = 12, each: int = 25) -> Path:
    """Purchases whose amounts are 0, 1, 2…, some of them twice."""
    folder.mkdir(parents=True)
    for number in range(files):
        numbers = range(max(number * each - 3, 0), number * each + each)
        events = [purchase(f"{n}", f"{n}", eventTime=f"2025-01-{1 + n // 40:02}T02:30:00Z") for n in numbers]
        (folder / f"{number:02}.ndjson").write_bytes(lines(*events))
    return folder


def files_into_nothing(folder: Path) -> Situation:
    """Files are to be taken into a store that does not exist."""
    inputs(folder / "inputs")
    return Situation(folder, lambda _: ("backfill", str(folder / "inputs")), unlike=(*UNLIKE, VIOLATIONS))


def another_store(folder: Path) -> Situation:
    """Receipts of another store are to be taken into an empty one."""
    succeeds("run", inputs(folder / "inputs"), store=folder / "other")
    return Situation(folder, lambda it: ("backfill", f"file:{it / 'other'}"))


def own_log(folder: Path) -> Situation:
    """Of the store everything but the raw log is gone; a job is to process it."""
    succeeds("run", inputs(folder / "inputs"), store=folder / "whole")
    shutil.move(folder / "whole" / "raw", folder / "store" / "raw")
    shutil.rmtree(folder / "whole")
    return Situation(folder, lambda it: ("backfill", f"file:{it / 'store'}", "--shard-size", "3"))


def views(folder: Path) -> Situation:
    """All views are to be rebuilt."""
    succeeds("run", inputs(folder / "inputs"), store=folder / "store")
    return Situation(folder, lambda it: ("rebuild", "--all"))


def old_events(folder: Path) -> Situation:
    """Everything is old enough to be archived."""
    succeeds("run", inputs(folder / "inputs"), store=folder / "store")
    return Situation(folder, lambda it: ("archive", "--older-than", "90"))


def archived_events(folder: Path) -> Situation:
    """Everything is archived, and to be restored."""
    old = old_events(folder)
    succeeds(*old.arguments)
    return Situation(folder, lambda _: ("restore",))


def loosened_rule(folder: Path) -> Situation:
    """Half of the purchases were refused by a rule that lets all pass by now."""
    found = purchases(folder / "inputs")
    succeeds("run", found, "--catalog", shop(folder / "tight.py", most=150), store=folder / "store")
    return Situation(folder, lambda it: ("dead-letters", "redrive"), shop(folder / "loose.py"))


def changed_catalog(folder: Path) -> Situation:
    """Of the purchases some are to be lost, some new, all others changed, with more records each."""
    found = purchases(folder / "inputs")
    succeeds("run", found, "--catalog", shop(folder / "old.py", most=250), store=folder / "store")
    catalog = shop(folder / "new.py", least=30, factor=2, parts=2)
    return Situation(folder, lambda it: ("backfill", f"file:{it / 'store'}", "--replace", "--lose", "--yes"), catalog)


SITUATIONS: dict[str, Callable[[Path], Situation]] = {
    "backfill of files": files_into_nothing,
    "backfill of another store": another_store,
    "backfill of the own log": own_log,
    "rebuild": views,
    "archive": old_events,
    "restore": archived_events,
    "redrive": loosened_rule,
    "replace": changed_catalog,
}
