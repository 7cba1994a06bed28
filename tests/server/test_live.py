"""The live numbers: what is processed, second by second, without a cost for who accepts."""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from millrace.entrypoints.server.handover import Waiting
from millrace.entrypoints.server.pulses import BEAT_SECONDS, percentiles
from tests.processes import PATIENCE_SECONDS

from .process import Server, purchase, serving


def pulses(server: Server, path: str = "/console/live") -> Iterator[tuple[str, Any]]:
    """The events of a stream, for as long as they are asked for."""
    with httpx.stream("GET", f"{server.url}{path}", timeout=PATIENCE_SECONDS, trust_env=False) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def test_what_is_processed_is_told_within_seconds(tmp_path: Path) -> None:
    for store in ("memory:", f"file:{tmp_path / 'store'}"):
        with serving(tmp_path, store=store) as server:
            stream = pulses(server, "/console/live?type=purchase&where=currency=EUR")
            assert next(stream)[0] == "history"
            events = [purchase("1"), purchase("2", currency="USD"), purchase("3", -1), purchase("1")]
            signup = {"eventType": "signup", "customer_id": "c", "plan": "free"}
            assert server.call("POST", "/ingest", [*events, signup]).status_code == 202
            types, outcomes, shown, delays = Counter[str](), Counter[str](), list[Any](), 0
            for name, pulse in islice(stream, int(PATIENCE_SECONDS / BEAT_SECONDS)):
                assert name == "pulse"
                types.update(pulse["types"])
                outcomes.update(pulse["outcomes"])
                shown += pulse["events"]
                delays += pulse["latency"]["count"] if pulse["latency"] else 0
                if outcomes.total() >= 5:
                    break
            assert types == {"purchase": 2, "signup": 1}
            assert outcomes == {"curated": 3, "duplicate": 1, "filtered": 0, "dead_lettered": 1}
            assert ([row["eventId"] for row in shown], delays) == (["1"], 3)
            again = pulses(server)
            assert sum(sum(pulse["types"].values()) for pulse in next(again)[1]) == 3
            assert server.stop() == 0, "nobody who watches keeps a server from ending"
            assert "Traceback" not in server.log.read_text()


@given(st.dictionaries(st.integers(0, 10**6), st.integers(1, 50), max_size=30))
def test_percentiles_are_those_of_the_sorted_numbers(counts: dict[int, int]) -> None:
    found = percentiles(Counter(counts))
    if not counts:
        assert found is None
        return
    every = sorted(Counter(counts).elements())
    assert found is not None
    assert found["count"] == len(every)
    for name, percent in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)):
        assert found[name] == every[-(-len(every) * percent // 100) - 1]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9), st.booleans()), max_size=20))
def test_what_waits_is_what_was_added_and_not_done(steps: list[tuple[str, int, bool]]) -> None:
    waiting, model = Waiting(), dict[str, int]()
    for receipt, size, done in steps:
        if done:
            waiting.done([receipt])
            model.pop(receipt, None)
        else:
            waiting.add({receipt: size})
            model[receipt] = size
        assert (waiting.count, waiting.bytes, {*waiting.all()}) == (len(model), sum(model.values()), {*model})
