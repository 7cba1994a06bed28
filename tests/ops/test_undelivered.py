"""Claims about ``millrace ops undelivered``: what is shown, what is cleared and when, and what stays."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.sweep import Sweep
from millrace.entrypoints.ops.undelivered import Kind, clearing, kind_of, undelivered

from .standing import Stand

JOB = json.dumps({"kind": "job-failure", "execution": "arn:nightly", "input": {}})
FORGOTTEN = json.dumps({"DDBStreamBatchInfo": {"shardId": "shardId-1", "batchSize": 7}})
TIMER = json.dumps({"step": "sweep"})


@pytest.fixture
def queues(cloud: Stand) -> Iterator[Stand]:
    """The stack with dead letters, and nothing else in its dead-letter queues."""
    with patch.dict(Sweep.__init__.__kwdefaults__, wait_seconds=0, patience=0.0):
        cloud.ingest(40)
        yield cloud
        for output in ("DlqUrl", "ChangesDlqUrl"):
            with Sweep(cloud.clients, cloud[output], output).hold() as held:
                held.delete(held.messages)


def send(cloud: Stand, output: str, body: str, **attributes: str) -> None:
    told = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
    cloud.client("sqs").send_message(QueueUrl=cloud[output], MessageBody=body, MessageAttributes=told)


def fill(cloud: Stand) -> None:
    """A message of each kind that can be cleared."""
    send(cloud, "DlqUrl", JOB, kind="job-failure")
    send(cloud, "DlqUrl", "no receipt")
    send(cloud, "ChangesDlqUrl", FORGOTTEN)
    send(cloud, "ChangesDlqUrl", TIMER)


def letters(cloud: Stand) -> int:
    return len(cloud.platform.stores.dead_letters.browse(after=None, limit=1000))


def test_an_empty_account_has_no_stack(nothing: Callable[..., Result]) -> None:
    assert "there is no stack millrace" in nothing("undelivered").output


def test_dead_letters_alone_are_not_shown(queues: Stand) -> None:
    assert letters(queues) > 0
    assert queues.told("undelivered") == {"title": "Undelivered", "rows": [], "wrong": []}
    assert "Nothing." in queues.ops("undelivered").output


def test_each_message_is_shown_with_what_it_tells_of_and_stays(queues: Stand) -> None:
    fill(queues)
    for _ in range(2):
        told = queues.told("undelivered", code=1)
        assert sorted((row["queue"], row["kind"]) for row in told["rows"]) == [
            ("changes-dlq", Kind.CHANGES),
            ("changes-dlq", Kind.TIMER),
            ("processing-dlq", Kind.JOB),
            ("processing-dlq", Kind.OTHER),
        ]
    assert "job failed 1, changes forgotten 1, sweep not called 1, unknown 1" in told["wrong"][0]


def test_what_is_cleared_is_in_the_file_and_dead_letters_stay(queues: Stand, tmp_path: Path) -> None:
    fill(queues)
    before, file = letters(queues), tmp_path / "seen-to.ndjson"
    queues.ops("undelivered", "--clear", str(file), "--dry-run")
    assert not file.exists()
    queues.ops("undelivered", "--clear", str(file), "--yes")
    kept = [json.loads(line) for line in file.read_text().splitlines()]
    assert {each["says"] for each in kept} == {JOB, "no receipt", FORGOTTEN, TIMER}
    assert [each["attributes"] for each in kept if each["says"] == JOB] == [{"kind": "job-failure"}]
    queues.ops("undelivered")
    assert letters(queues) == before


def test_a_file_that_exists_is_not_written_over(queues: Stand, tmp_path: Path) -> None:
    fill(queues)
    file = tmp_path / "seen-to.ndjson"
    file.write_text("precious")
    assert "exists" in queues.ops("undelivered", "--clear", str(file), "--yes", code=2).output
    assert file.read_text() == "precious"
    queues.ops("undelivered", code=1)


def test_a_receipt_that_was_given_up_is_shown_and_not_cleared(queues: Stand, tmp_path: Path) -> None:
    queues.platform.stores.queue.send("019ab2c0-5c1e-7d3a-8f00-0123456789ab")
    sqs = queues.client("sqs")
    [message] = sqs.receive_message(QueueUrl=queues["QueueUrl"])["Messages"]
    send(queues, "DlqUrl", message["Body"])  # as SQS moves it
    sqs.delete_message(QueueUrl=queues["QueueUrl"], ReceiptHandle=message["ReceiptHandle"])
    told = queues.told("undelivered", code=1)
    assert [row["kind"] for row in told["rows"]] == [Kind.RECEIPT]
    assert "dead-letters redrive" in told["wrong"][1]
    assert "nothing to change" in queues.ops("undelivered", "--clear", str(tmp_path / "f"), "--yes").output
    assert len(queues.told("undelivered", code=1)["rows"]) == 1


def test_two_who_clear_at_once_keep_each_message_once_and_what_came_meanwhile_stays(
    queues: Stand, tmp_path: Path
) -> None:
    fill(queues)
    found = undelivered(queues.stack)
    first, second = ([*clearing(queues.stack, found, tmp_path / name)] for name in ("one", "two"))
    send(queues, "DlqUrl", "came meanwhile")
    for change in (*first, *second):
        change.apply()
    kept = [line for name in ("one", "two") for line in _lines(tmp_path / name)]
    assert sorted(json.loads(line)["says"] for line in kept) == sorted(message.body for message in found)
    assert [message.body for message in undelivered(queues.stack)] == ["came meanwhile"]


@given(st.text(max_size=40) | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_any_other_body_is_of_a_kind_that_is_not_known(body: str) -> None:
    assert kind_of({"Body": body, "MessageAttributes": {}}) is Kind.OTHER


def test_dry_run_alone_makes_no_sense(cloud: Stand) -> None:
    assert "--clear" in cloud.ops("undelivered", "--yes", code=2).output


def _lines(path: Path) -> list[Any]:
    return path.read_text().splitlines() if path.exists() else []
