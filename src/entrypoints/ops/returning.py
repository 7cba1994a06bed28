"""What a restored table has and the live one has not: comparing them, and putting it back."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from ...adapters.aws.items import PARTITION, SORT, record_of
from ...adapters.aws.raw import S3Raw
from ...adapters.aws.stack import stack_resources
from ...adapters.aws.store import open_aws
from ...adapters.aws.tables import Tables, key_of
from ...core.errors import StoreError, UnknownReceipt
from ...core.records import Curated
from ...core.services.archived import Archived
from ...core.services.boundary import ARCHIVE, Boundaries
from ...core.services.generations import REGISTRY
from .findings import Change, Report
from .stack import Stack
from .tables import described

SAMPLE: Final = 20
"""Receipts that are sought in the raw log, at most."""
LEAP: Final = 1000
"""How many numbers of generations are passed over where the registry is put back: some may have been given since."""

KEYS: Final[Mapping[str, Sequence[str]]] = {
    "CuratedTable": (PARTITION, SORT),
    "IdentitiesTable": ("identity",),
    "ViewsTable": ("view", "row"),
    "LedgerTable": ("shard", "receipt"),
}
"""The attributes of each table's key (deploy/stacks/storage.yaml)."""

Item = dict[str, Any]


@attrs.define
class Comparison:
    """What of a restored table the live one has.

    ``items`` are those that would be put back where they are missing; of a table of views that is a few.
    ``missing`` are neither in the live table nor in the archive, ``archived`` only there; ``other`` have the same key
    and another content, which stays; ``unreadable`` are no curated events.
    """

    table: str
    restored: str
    expected: int | None = None
    items: int = 0
    same: int = 0
    missing: int = 0
    archived: int = 0
    other: int = 0
    unreadable: int = 0
    sampled: int = 0
    unknown: list[str] = attrs.field(factory=list)

    def as_row(self) -> dict[str, Any]:
        """For a report."""
        names = ("table", "restored", "expected", "items", "same", "missing", "archived", "other", "unreadable")
        return {**{name: getattr(self, name) for name in names}, "receipts sampled": self.sampled}

    @property
    def wrong(self) -> list[str]:
        """What somebody should see to."""
        found = []
        if self.missing:
            again = f"millrace ops restore {self.table} --copy {self.restored} --swap"
            found.append(f"{self.table} lacks {self.missing:,} items that {self.restored} has; {again} puts them back")
        if self.unreadable:
            found.append(f"{self.restored} has {self.unreadable:,} items that are no curated events; they stay there")
        if self.unknown:
            found.append(f"Receipts of items of {self.restored} are not in the raw log, the first is {self.unknown[0]}")
        return found


def report_of(comparisons: Sequence[Comparison]) -> Report:
    """Comparisons as a table."""
    columns = (
        *("table", "restored", "expected", "items", "same", "missing", "archived", "other", "unreadable"),
        "receipts sampled",
    )
    wrong = [sentence for each in comparisons for sentence in each.wrong]
    return Report("Restored tables", columns, [each.as_row() for each in comparisons], wrong)


class Returning:
    """Compares one restored table with the live one, and puts back what is missing. A copy is read page by page."""

    def __init__(self, stack: Stack, table: str, restored: str) -> None:
        """Raises ``StoreError`` where the restored table is not there, or has another key."""
        self._stack, self._table, self._restored = stack, table, restored
        self._role = next(output for output in KEYS if stack.outputs[output] == table)
        self._names = KEYS[self._role]
        found = described(stack, restored)
        if found is None:
            raise StoreError(f"There is no table {restored}")
        if {each["AttributeName"] for each in found["KeySchema"]} != set(self._names):
            raise StoreError(f"{restored} was not restored from {table}: its key is another one")

    def compare(self, expected: int | None = None) -> Comparison:
        """``expected``: how many items the origin had, as DynamoDB counted them some hours before, or earlier."""
        found = Comparison(self._table, self._restored, expected)
        for _ in self._missing(found):
            pass
        return found

    def change(self, found: Comparison) -> Change:
        """Put back what a comparison found missing."""
        of = f"{self._table}, items of {self._restored}"
        return Change(of, f"{found.missing:,} missing", "0 missing", self.put_back)

    def put_back(self) -> None:
        """Write what is missing where its key is free; again changes nothing."""
        tables = Tables(self._stack.account.clients)
        try:
            for items in self._missing(Comparison(self._table, self._restored)):
                tables.add(self._table, self._names, [self._as_returned(item) for item in items])
        finally:
            tables.close()

    def _missing(self, found: Comparison) -> Iterator[list[Item]]:
        """What is missing, page by page, counted into ``found``."""
        clients = self._stack.account.clients
        tables = Tables(clients)
        whole = self._table == self._restored  # it was gone, and is the restored one itself
        with open_aws(stack_resources(clients, self._stack.name), clients) as stores:
            archived, boundary = Archived(stores), Boundaries(stores.views).read()
            before = None if boundary is None else boundary.before
            sample = _Sample(S3Raw(clients, self._stack.outputs["RawBucket"]), found)
            try:
                for page in tables.pages(self._restored):
                    items = [item for item in page if self._is_wanted(item)]
                    found.items += len(items)
                    held = {} if whole else tables.found(self._table, self._names, items)
                    lost: list[Item] = []
                    for item in items:
                        live = item if whole else held.get(key_of(self._names, item))
                        if live is None:
                            lost.append(item)
                        else:
                            found.same += _plain(live) == _plain(item)
                            found.other += _plain(live) != _plain(item)
                    if self._role == "CuratedTable":
                        lost = _unarchived(lost, archived, before, found)
                        sample.look(items)
                    found.missing += len(lost)
                    if lost:
                        yield lost
            finally:
                tables.close()

    def _is_wanted(self, item: Item) -> bool:
        return self._role != "ViewsTable" or item["view"]["S"] in (ARCHIVE, REGISTRY)

    def _as_returned(self, item: Item) -> Item:
        if self._role == "CuratedTable":
            return {**item, "restored": {"BOOL": True}}
        if self._role == "ViewsTable" and item["view"]["S"] == REGISTRY:
            last, views = msgspec.json.decode(item["states"]["S"])
            return {**item, "states": {"S": msgspec.json.encode([last + LEAP, views]).decode()}}
        return item


class _Sample:
    """Looks up some receipts that curated items name."""

    def __init__(self, raw: S3Raw, found: Comparison) -> None:
        self._raw, self._found = raw, found
        self._seen: set[str] = set()

    def look(self, items: Sequence[Item]) -> None:
        for item in items:
            receipt = item.get("receipt", {}).get("S")
            if receipt is None or receipt in self._seen or len(self._seen) >= SAMPLE:
                continue
            self._seen.add(receipt)
            self._found.sampled += 1
            try:
                self._raw.read(receipt)
            except UnknownReceipt:
                self._found.unknown.append(receipt)


def _plain(item: Item) -> Item:
    """An item without the mark that it was put back."""
    return {name: value for name, value in item.items() if name != "restored"}


def _unarchived(items: Sequence[Item], archived: Archived, before: int | None, found: Comparison) -> list[Item]:
    """Those that are curated events and not in the archive, where older ones than ``before`` may be."""
    read: list[tuple[Item, Curated]] = []
    for item in items:
        try:
            read.append((item, record_of(item)))
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError):
            found.unreadable += 1
    behind = [record for _, record in read if before is not None and record.time < before]
    kept = {id(record) for record, held in zip(behind, archived.find(behind), strict=True) if held} if behind else set()
    found.archived += len(kept)
    return [item for item, record in read if id(record) not in kept]
