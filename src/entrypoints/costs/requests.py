"""What the code asks of AWS on an event's way, as numbers; tests count the same on the functions themselves."""

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Way:
    """How much of everything there was, or is in a second.

    ``receipts`` were processed, ``events`` of them; ``identities`` are the events among them that their id alone
    identifies, or whose time is missing. ``folds`` are batches of changes, ``views`` how many views each goes into,
    ``rows`` how many rows of each view.
    """

    requests: float = 0
    receipts: float = 0
    events: float = 0
    identities: float = 0
    folds: float = 0
    views: float = 0
    rows: float = 0


@attrs.frozen(kw_only=True)
class Asked:
    """How often a function asks for an operation."""

    operation: str
    table: str = ""
    each_request: float = 0
    each_receipt: float = 0
    each_event: float = 0
    each_identity: float = 0
    each_fold: float = 0
    each_view: float = 0
    """Of a batch of changes."""

    each_row: float = 0
    """Of a view, of a batch of changes."""

    def of(self, way: Way) -> float:
        """How often on that way."""
        return (
            self.each_request * way.requests
            + self.each_receipt * way.receipts
            + self.each_event * way.events
            + self.each_identity * way.identities
            + way.folds * (self.each_fold + way.views * (self.each_view + way.rows * self.each_row))
        )


INGESTION: Final = (
    Asked(operation="PutObject", each_request=1),
    Asked(operation="SendMessage", each_request=1),
)
TRANSFORMATION: Final = (
    Asked(operation="PutItem", table="curated", each_event=1),
    Asked(operation="PutItem", table="identities", each_identity=1),
    Asked(operation="PutItem", table="ledger", each_receipt=1),
)
"""Not counted is the archive's boundary, which each process reads once in five minutes."""

ANALYTICS: Final = (
    Asked(operation="BatchGetItem", table="views", each_fold=1, each_view=1),
    Asked(operation="PutItem", table="views", each_row=1),
)
"""Of a batch of changes: the registry of generations, then the rows of each view, up to 100 at once, and each row
again. Lambda reads the stream, which costs nothing.
"""

LAMBDA_AND_SQS: Final = (
    Asked(operation="ReceiveMessage", each_receipt=1),
    Asked(operation="DeleteMessage", each_receipt=1),
)
"""What Lambda asks for on behalf of transformation-lambda where each message comes alone; in tens, a tenth of it."""


def counted(asked: tuple[Asked, ...], way: Way) -> Mapping[str, float]:
    """How often each operation is asked for."""
    found: dict[str, float] = {}
    for each in asked:
        found[each.operation] = found.get(each.operation, 0) + each.of(way)
    return {operation: number for operation, number in found.items() if number}
