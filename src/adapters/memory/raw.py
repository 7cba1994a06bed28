"""The raw log in a dictionary."""

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import islice

from ...core.errors import ReceiptConflict, UnknownReceipt
from ...core.records import RawObject


class MemoryRaw:
    """Receipts by id, and their ids in order."""

    def __init__(self) -> None:
        self._objects: dict[str, RawObject] = {}
        self._ids: list[str] = []

    def append(self, raw: RawObject) -> None:
        receipt = raw.receipt.id
        first = self._objects.get(receipt)
        if first is None:
            self._objects[receipt] = raw
            insort(self._ids, receipt)
        elif first != raw:
            raise ReceiptConflict(f"receipt {receipt} is taken by other bytes")

    def append_all(self, raws: Sequence[RawObject]) -> None:
        for raw in raws:
            self.append(raw)

    def read(self, receipt: str) -> RawObject:
        try:
            return self._objects[receipt]
        except KeyError:
            raise UnknownReceipt(f"there is no receipt {receipt}") from None

    def list(self, *, since: int, until: int, after: str | None, limit: int) -> Sequence[str]:
        if since >= until:
            return []
        start = 0 if after is None else bisect_right(self._ids, after)
        found: list[str] = []
        for receipt in islice(self._ids, start, None):
            if len(found) >= limit:
                break
            millisecond = self._objects[receipt].receipt.received_at // 1000
            if since // 1000 <= millisecond and millisecond * 1000 < until:
                found.append(receipt)
        return found
