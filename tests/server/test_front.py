"""What the server does before a request is answered: room, time, and errors that nobody foresaw."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from millrace.adapters.memory import memory_stores, shared
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalogs.retail import catalog
from millrace.core.errors import TransientError
from millrace.core.records import RawObject
from millrace.entrypoints.http.application import Route
from millrace.entrypoints.logs import Log
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.server import front as room
from millrace.entrypoints.server import requests as reading
from millrace.entrypoints.server.admission import Admission
from millrace.entrypoints.server.front import Front
from millrace.entrypoints.server.in_process import Elsewhere
from millrace.entrypoints.server.keys import Keys
from millrace.entrypoints.server.site import ServedSite

from .process import purchase

JSON = {"content-type": "application/json"}
Ask = Callable[[httpx.AsyncClient], Awaitable[Any]]


def site() -> ServedSite:
    stores = shared(memory_stores())
    platform = Platform.assemble(catalog, stores, SystemClock(), RandomReceiptIds())
    return ServedSite.over(catalog, stores, SystemClock(), Elsewhere(stores.queue, platform))


def asked(ask: Ask, served: ServedSite | None = None, **settings: Any) -> Any:
    """What comes of asking a server over ``served``."""

    async def run() -> Any:
        front = Front(served or site(), Admission(Keys("")), Log(verbose=False), **settings)
        try:
            transport = httpx.ASGITransport(front, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await ask(client)
        finally:
            front.close()

    return asyncio.run(run())


def test_where_too_much_waits_nothing_more_is_accepted_and_queries_are_answered() -> None:
    served = site()
    served.handover.waiting.add({f"r{n}": 0 for n in range(100_000)})

    async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post("/ingest", json=purchase("1")), await client.get("/events/purchase")]

    refused, answered = asked(ask, served)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["type"] == "urn:millrace:problem:backlog"
    assert answered.status_code == 200
    assert [*served.stores.raw.list(since=0, until=2**60, after=None, limit=9)] == []
    served.handover.waiting.done([f"r{n}" for n in range(10)])
    assert asked(ask, served)[0].status_code == 202


def test_bytes_that_wait_count_too() -> None:
    served = site()
    served.handover.waiting.add({"r": 3 * 2**30})
    assert asked(lambda client: client.post("/ingest", json=purchase("1")), served).status_code == 503


def test_more_requests_at_once_than_there_is_room_for_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_AT_ONCE", 3)

    async def slow() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(0.3)
        yield b"]"

    async def ask(client: httpx.AsyncClient) -> list[int]:
        answers = await asyncio.gather(*(client.post("/ingest", content=slow(), headers=JSON) for _ in range(8)))
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 429)
        last = await client.post("/ingest", content=b"[]", headers=JSON)
        return [answer.status_code for answer in (*answers, last)]

    assert sorted(asked(ask)[:-1]) == [202] * 3 + [429] * 5


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE_SECONDS", 0.1)

    async def stuck() -> AsyncIterator[bytes]:
        yield b'[{"eventType":'
        await asyncio.sleep(5)
        yield b"1}]"

    answer = asked(lambda client: client.post("/ingest", content=stuck(), headers=JSON))
    assert (answer.status_code, answer.headers["connection"]) == (408, "close")
    assert answer.json()["type"] == "urn:millrace:problem:slow"


def test_what_nobody_foresaw_is_told_to_the_log_only(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("secret data")

    route = Route("GET", "/broken", lambda: broken)
    answer = asked(lambda client: client.get("/broken"), routes=[route])
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert "broken" in told
    assert "secret" not in told + answer.text


def test_a_receipt_that_cannot_be_kept_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    served = site()
    append = served.stores.raw.append

    def fails_for_some(raw: RawObject) -> None:
        if b"unlucky" in raw.body:
            raise TransientError("the disk is full")
        append(raw)

    def all_or_none(raws: list[RawObject]) -> None:
        for raw in raws:
            fails_for_some(raw)

    monkeypatch.setattr(served.stores.raw, "append_all", all_or_none)

    async def ask(client: httpx.AsyncClient) -> list[int]:
        names = ["1", "unlucky", "2", "3", "unlucky-too", "4"]
        answers = await asyncio.gather(*(client.post("/ingest", json=purchase(name)) for name in names))
        assert "disk" not in answers[1].text
        return [answer.status_code for answer in answers]

    assert asked(ask, served) == [202, 503, 202, 202, 503, 202]
    assert len(served.stores.raw.list(since=0, until=2**60, after=None, limit=9)) == 4
