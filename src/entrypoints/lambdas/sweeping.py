"""The sweep: the scheduled proof that no receipt is lost, which sends again those that are."""

from collections.abc import Mapping
from typing import Any, Final

from ..instants import instant
from .arrivals import UnexpectedEvent
from .function import Invocation
from .measures import Measure

SINCE: Final = "3h"
UNTIL: Final = "45m"
"""Younger receipts may well be under way still: a message whose first try was deferred comes again when its visibility
time-out is over, half an hour later.
"""


def sweep(event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """Account for the receipts of a time range (``since``, ``until`` of the event, by default 3h to 45m ago), and send
    those again that have no ledger entry or one that does not add up.
    """
    services, now = invocation.services, invocation.services.clock.now()
    try:
        since, until = (instant(str(event.get(name, text)), now) for name, text in (("since", SINCE), ("until", UNTIL)))
    except ValueError:
        raise UnexpectedEvent("since or until of the sweep is no time: give RFC 3339, a date or a time ago.") from None
    account = services.reconcile.run(since=since, until=until, repair=True)
    found = {
        "receipts": account.receipts,
        "events": account.events,
        "missing": len(account.missing),
        "unbalanced": len(account.unbalanced),
        "resent": account.resent,
    }
    invocation.metrics.count(Measure.RECONCILED, account.receipts)
    invocation.metrics.count(Measure.MISSING, len(account.missing))
    invocation.metrics.count(Measure.UNBALANCED, len(account.unbalanced))
    invocation.metrics.count(Measure.RESENT, account.resent)
    log = invocation.log.info if account.holds else invocation.log.warning
    log("receipts.reconciled", holds=account.holds, milliseconds=invocation.milliseconds(), **found)
    return {"holds": account.holds, **found}
