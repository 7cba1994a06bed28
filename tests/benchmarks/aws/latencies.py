"""The way of events through the functions, in real time, with the latencies of AWS put into every SDK call.

The handlers run as they are. ingestion-lambda runs in threads of this process, one for each request under way;
transformation-lambda in processes of its own, each like an instance of Lambda, with a thread pool of its own. Between
them is a queue of this machine: what is sent can be received once the send is answered, up to ten messages at a time,
as the event source mapping of the template does, and receiving takes as long as a call of SQS. All instances are warm.
"""

import json
import math
import multiprocessing
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, NamedTuple

from millrace.entrypoints.lambdas import ingestion, transformation
from tests.lambdas.arriving import Context, api_event, sqs_event, sqs_record

from .account import TABLE, Account, Call, bodies, functions, receipts

MEDIANS = {"s3": 0.040, "sqs": 0.015, "dynamodb": 0.008}
TAIL = math.log(5) / 2.326
"""σ of the log-normal distributions: one call in a hundred takes more than five times the median, whatever it takes."""

INSTANCES = 10
"""Instances of transformation-lambda: the parallelism of the drain."""
REQUESTS_AT_ONCE = 100
"""Instances of ingestion-lambda: its reserved concurrency in the template."""
BATCH = 10
PATIENCE = 120.0

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])


class Percentiles(NamedTuple):
    """Of times in milliseconds."""

    p50: float
    p95: float
    p99: float
    most: float


def request_to_write(*, per_second: int, seconds: int) -> Percentiles:
    """From a request to the curated write of its one event, at so many requests a second, arriving at random.

    The time begins when the request is due: what it waits for is counted.
    """
    documents = bodies(per_second * seconds, 1)
    draw = random.Random(1)
    offsets = [*accumulate(draw.expovariate(per_second) for _ in documents)]
    with _transforming() as (messages, written), ThreadPoolExecutor(REQUESTS_AT_ONCE) as instances:
        with functions(Account(delays(0), _sent_to(messages.put)).services()):
            began = time.monotonic() + 0.1
            answers = []
            for offset, body in zip(offsets, documents, strict=True):
                time.sleep(max(0.0, began + offset - time.monotonic()))
                answers.append(instances.submit(ingestion.handler, api_event(body=body), Context()))
            assert all(answer.result()["statusCode"] == 202 for answer in answers)
        found = written(len(documents))
    ids = [json.loads(body)[0]["eventId"] for body in documents]
    return percentiles(found[event] - began - offset for event, offset in zip(ids, offsets, strict=True))


def drain(*, events: int, size: int) -> tuple[Percentiles, float]:
    """From the beginning of the drain to the curated write of each event, of a burst in messages of ``size`` events;
    and events per second.
    """
    waiting: list[str] = []
    with functions(Account(told=_sent_to(waiting.append)).services()):
        for body in bodies(events // size, size):
            assert ingestion.handler(api_event(body=body), Context())["statusCode"] == 202
    with _transforming() as (messages, written):
        began = time.monotonic()
        for message in waiting:
            messages.put(message)
        found = written(events)
    return percentiles(at - began for at in found.values()), events / (max(found.values()) - began)


def delays(seed: int) -> Callable[[str], float]:
    """How long calls of a service take."""
    draw = random.Random(seed)
    return lambda service: MEDIANS[service] * math.exp(draw.gauss(0, TAIL))


def percentiles(seconds: Iterable[float]) -> Percentiles:
    """Those of durations."""
    ordered = sorted(second * 1000 for second in seconds)
    return Percentiles(*(ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95, 0.99, 1.0)))


@contextmanager
def _transforming() -> Iterator[tuple[Any, Callable[[int], Mapping[str, float]]]]:
    """The queue that instances of transformation-lambda work off; and how to end them and learn when which event was
    written, of so many.
    """
    messages, results, receiving = _processes.Queue(), _processes.Queue(), _processes.Lock()
    ready = _processes.Barrier(INSTANCES + 1)
    [raw] = receipts(bodies(1, 1))
    first = sqs_record(raw.receipt.id, raw)["body"]
    instances = [
        _processes.Process(target=_instance, args=(number, messages, receiving, ready, results, first), daemon=True)
        for number in range(1, INSTANCES + 1)
    ]
    for instance in instances:
        instance.start()
    ready.wait(PATIENCE)

    def written(events: int) -> Mapping[str, float]:
        for _ in instances:
            messages.put(None)
        found: dict[str, float] = {}
        for _ in instances:
            found |= results.get(timeout=PATIENCE)
        assert len(found) == events, "not every event was written"
        return found

    try:
        yield messages, written
        for instance in instances:
            instance.join(PATIENCE)
    finally:
        for instance in instances:
            instance.kill()


def _sent_to(queue: Callable[[str], None]) -> Callable[[Call], None]:
    def told(call: Call) -> None:
        if call.operation == "SendMessage":
            queue(json.loads(call.body)["MessageBody"])

    return told


def _instance(number: int, messages: Any, receiving: Any, ready: Any, results: Any, first: str) -> None:
    """One instance of transformation-lambda, until it receives None. ``first`` is a message to warm it up with."""
    delay = delays(number)
    account = Account(delay)
    with functions(account.services()):
        _invoke([first])
        account.calls.clear()
        ready.wait(PATIENCE)
        more = True
        while more:
            with receiving:
                batch = [messages.get()]
                while len(batch) < BATCH and batch[-1] is not None and not messages.empty():
                    batch.append(messages.get())
            if batch[-1] is None:
                batch.pop()
                more = False
            if batch:
                time.sleep(delay("sqs"))
                _invoke(batch)
    puts = [(json.loads(call.body), call.answered) for call in account.calls if call.operation == "PutItem"]
    results.put({body["Item"]["eventId"]["S"]: at for body, at in puts if body["TableName"] == TABLE})


def _invoke(batch: Sequence[str]) -> None:
    records = [sqs_record(json.loads(message)["receipt"], body=message) for message in batch]
    assert transformation.handler(sqs_event(*records), Context()) == {"batchItemFailures": []}
