"""Verification: probes that are posted to an API, and how soon they are curated.

Two spans are told apart. From received-at to curated-at is what the platform promises; both instants are its own, in
the receipt and in the curated event. From the request until a query shows the event is what a client sees.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Protocol

import attrs
import msgspec

from ...core.catalog.probes import PROBE
from ...core.errors import StoreError, TransientError
from ...core.ports import Clock
from ...core.times import format_time, parse_time
from .endpoint import Reply
from .findings import Report

SOURCE: Final = "millrace ops verify"
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.0

_UNTIL: Final = 1_000
"""Microseconds of event time that are asked for."""
_REFUSALS: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_PASSING: Final = 500


class Api(Protocol):
    """What requests are made to; see ``Endpoint``."""

    @property
    def url(self) -> str: ...

    def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply: ...


@attrs.frozen
class Probed:
    """What became of one probe. Milliseconds; ``curated`` and ``seen`` are None where it was not seen in time."""

    id: str
    receipt: str
    answered: int
    curated: int | None = None
    seen: int | None = None

    def row(self) -> dict[str, Any]:
        """For a report."""
        return {
            "probe": self.id,
            "receipt": self.receipt,
            "answered_ms": self.answered,
            "curated_ms": self.curated,
            "seen_ms": self.seen,
        }


def verify(
    api: Api,
    clock: Clock,
    new_id: Callable[[], str],
    *,
    probes: int,
    within: int,
    patience: float,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Report]:
    """Post probes one after the other until one is curated ``within`` so many milliseconds, at most ``probes``.

    The first after a deployment finds functions that have to start. Each is waited for up to ``patience`` seconds.
    Raises ``StoreError`` where the API refuses, or knows no probes; ``TransientError`` where it does not answer.
    """
    health = _health(api)
    require_probes(api)
    done: list[Probed] = []
    while len(done) < probes and not any(_is_quick(each, within) for each in done):
        done.append(_probe(api, clock, new_id(), patience, sleep))
        if done[-1].seen is None:
            break
    return [health, judged(done, within, patience)]


def judged(done: Sequence[Probed], within: int, patience: float) -> Report:
    """Wrong is a probe that was not seen, and that none was curated in time."""
    wrong = [
        f"The probe {each.id} was not curated within {patience:g} s; its receipt is {each.receipt}. "
        f"Look at: millrace ops health, millrace dead-letters summary"
        for each in done
        if each.seen is None
    ]
    if not wrong and not any(_is_quick(each, within) for each in done):
        times = [each.curated for each in done if each.curated is not None]
        many = f"the quickest of {len(times)} probes" if len(times) > 1 else "the probe"
        wrong = [f"Curating takes too long: {many} took {min(times)} ms, less than {within} ms are allowed"]
    columns = ("probe", "receipt", "answered_ms", "curated_ms", "seen_ms")
    return Report("Probes", columns, [each.row() for each in done], wrong)


def require_probes(api: Api) -> None:
    """Raises ``StoreError`` where what runs there knows no probes: one would only become a dead letter."""
    reply = api.ask("GET", f"/catalog/{PROBE}")
    if reply.status == HTTPStatus.NOT_FOUND:
        raise StoreError(f"What runs at {api.url} knows no probes: it is no Millrace, or an older one; deploy it")
    _require(api, reply, HTTPStatus.OK)


def received_at(receipt: str) -> int:
    """The instant in a receipt's id: a UUIDv7 with 12 bits of the millisecond's fraction (``RandomReceiptIds``)."""
    digits = receipt.replace("-", "")
    return int(digits[:12], 16) * 1000 + int(digits[13:16], 16) * 1000 // 4096


def _health(api: Api) -> Report:
    reply = api.ask("GET", "/health")
    if reply.status not in (HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE):
        _require(api, reply, HTTPStatus.OK)
    states = _decoded(api, reply).get("dependencies", {})
    wrong = [f"The API says that {name} is {state}" for name, state in states.items() if state != "ok"]
    if not wrong and reply.status != HTTPStatus.OK:
        wrong = [f"The API says that it is not well: {reply.detail}"]
    rows = [{"dependency": name, "state": state} for name, state in states.items()]
    return Report("Health", ("dependency", "state"), rows, wrong)


def _probe(api: Api, clock: Clock, probe: str, patience: float, sleep: Callable[[float], None]) -> Probed:
    begun = clock.now()
    event = {"eventType": PROBE, "eventId": probe, "eventTime": format_time(begun), "source": SOURCE}
    reply = api.ask("POST", "/ingest", body=msgspec.json.encode(event))
    answered = _milliseconds(begun, clock)
    _require(api, reply, HTTPStatus.ACCEPTED)
    receipt = str(_decoded(api, reply).get("receipt"))
    query = {"since": format_time(begun), "until": format_time(begun + _UNTIL), "limit": "100"}
    pause = FIRST_PAUSE
    while True:
        row = _found(api, query, probe)
        if row is not None:
            curated = max(parse_time(row["curatedAt"]) - received_at(row["receipt"]), 0) // 1000
            return Probed(probe, receipt, answered, curated, _milliseconds(begun, clock))
        if clock.now() - begun >= patience * 1_000_000:
            return Probed(probe, receipt, answered)
        sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _found(api: Api, query: Mapping[str, str], probe: str) -> Mapping[str, Any] | None:
    reply = api.ask("GET", f"/events/{PROBE}", query=query)
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= _PASSING:
        return None  # for the moment; the waiting ends
    _require(api, reply, HTTPStatus.OK)
    rows = _decoded(api, reply, list)
    return next((row for row in rows if row["eventId"] == probe and row["source"] == SOURCE), None)


def _require(api: Api, reply: Reply, status: HTTPStatus) -> None:
    if reply.status == status:
        return
    if reply.status in _REFUSALS:
        raise StoreError(
            f"{api.url} refuses the request ({reply.status}: {reply.detail}); it wants a key (--key, or "
            "MILLRACE_API_KEY), or signed requests (--iam), of somebody who may call it"
        )
    sentence = f"{api.url} answered {reply.status}: {reply.detail}"
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= _PASSING:
        raise TransientError(sentence)
    raise StoreError(sentence)


def _decoded(api: Api, reply: Reply, kind: Any = dict) -> Any:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{api.url} does not answer as Millrace does: {reply.detail}") from error


def _milliseconds(begun: int, clock: Clock) -> int:
    return max(clock.now() - begun, 0) // 1000


def _is_quick(probed: Probed, within: int) -> bool:
    return probed.curated is not None and probed.curated < within
