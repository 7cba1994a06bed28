"""GET /console/live: the pulses as Server-Sent Events, with a sample of the events that were curated."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import StreamingResponse

from .pulses import SHOWN, Pulses

Fits = Callable[[dict[str, Any]], bool]


def live(pulses: Pulses, request: Request) -> StreamingResponse:
    """``history`` with the pulses of the last minutes, then a ``pulse`` every half second. ``type`` and
    ``where=FIELD=VALUE`` choose among the events that come with a pulse.
    """
    fits = _chosen(request.query_params.get("type"), request.query_params.getlist("where"))
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(_stream(pulses, fits), media_type="text/event-stream", headers=headers)


async def _stream(pulses: Pulses, fits: Fits) -> AsyncIterator[bytes]:
    watcher = pulses.watch()
    try:
        yield _event("history", pulses.past())
        while (pulse := await watcher.get()) is not None:
            yield _event("pulse", {**pulse, "events": [row for row in pulse["events"] if fits(row)][:SHOWN]})
    finally:
        pulses.leave(watcher)


def _chosen(event_type: str | None, conditions: list[str]) -> Fits:
    pairs = [condition.partition("=") for condition in conditions]

    def fits(row: dict[str, Any]) -> bool:
        if event_type not in (None, "", row["eventType"]):
            return False
        return all(_text(row.get(field)) == wanted for field, _, wanted in pairs)

    return fits


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _event(name: str, value: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"
