"""The contract of ``Queue``."""

from pathlib import Path
from typing import Any

import pytest

from millrace.core.ports import Stores
from millrace.core.records import Message

from .builders import raw_object
from .places import in_a_folder, in_memory


def drain(stores: Stores) -> list[str]:
    """Receive and acknowledge until nothing is visible."""
    found = []
    while messages := stores.queue.receive(3):
        found += [message.receipt for message in messages]
        stores.queue.acknowledge(messages)
    return found


def test_every_receipt_that_was_sent_is_received(stores: Stores) -> None:
    for n in range(7):
        stores.queue.send(f"r{n}")
    assert sorted(set(drain(stores))) == [f"r{n}" for n in range(7)]
    assert list(stores.queue.receive(9)) == []


def test_a_message_may_carry_the_raw_object(stores: Stores) -> None:
    raw = raw_object(body=b"[]")
    stores.queue.send(raw.receipt.id, raw)
    [message] = stores.queue.receive(9)
    assert message.receipt == raw.receipt.id
    assert message.raw in (None, raw)


def test_no_more_are_received_than_asked_for(stores: Stores) -> None:
    for n in range(5):
        stores.queue.send(f"r{n}")
    assert 1 <= len(stores.queue.receive(2)) <= 2


def test_a_received_message_is_hidden_from_others(stores: Stores) -> None:
    stores.queue.send("r")
    assert [message.receipt for message in stores.queue.receive(9)] == ["r"]
    assert list(stores.queue.receive(9)) == []


def test_an_acknowledged_message_is_gone(stores: Stores) -> None:
    stores.queue.send("r")
    messages = stores.queue.receive(9)
    stores.queue.acknowledge(messages)
    stores.queue.release(messages)
    assert list(stores.queue.receive(9)) == []


def test_acknowledging_what_is_gone_is_no_error(stores: Stores) -> None:
    stores.queue.send("r")
    messages = stores.queue.receive(9)
    stores.queue.acknowledge(messages)
    stores.queue.acknowledge([*messages, *messages])
    assert list(stores.queue.receive(9)) == []


def test_an_old_token_does_not_acknowledge_a_message_sent_later(stores: Stores) -> None:
    stores.queue.send("r")
    old = stores.queue.receive(9)
    stores.queue.acknowledge(old)
    stores.queue.send("r")
    stores.queue.acknowledge(old)
    assert drain(stores) == ["r"]


def test_a_released_message_is_visible_at_once_and_counts_its_attempts(stores: Stores) -> None:
    stores.queue.send("r")
    attempts = []
    for _ in range(3):
        messages = stores.queue.receive(9)
        attempts += [message.attempt for message in messages]
        stores.queue.release(messages)
    assert attempts == [1, 2, 3]


def test_tokens_of_different_deliveries_differ(stores: Stores) -> None:
    stores.queue.send("r")
    first = stores.queue.receive(9)
    stores.queue.release(first)
    second = stores.queue.receive(9)
    assert first[0].token != second[0].token


@pytest.mark.parametrize("place", [in_memory, in_a_folder])
def test_an_old_token_acknowledges_no_later_delivery(place: Any, tmp_path: Path) -> None:
    # More than the port asks for: SQS leaves it open.
    with place(tmp_path) as opener, opener() as stores:
        stores.queue.send("r")
        first = stores.queue.receive(9)
        stores.queue.release(first)
        second = stores.queue.receive(9)
        stores.queue.acknowledge(first)
        stores.queue.release(second)
        assert drain(stores) == ["r"]


def test_sending_what_waits_already_still_delivers_it(stores: Stores) -> None:
    stores.queue.send("r")
    stores.queue.send("r")
    assert set(drain(stores)) == {"r"}


def test_what_is_sent_while_it_is_being_processed_is_delivered_again(stores: Stores) -> None:
    stores.queue.send("r")
    in_hand = stores.queue.receive(9)
    stores.queue.send("r")
    stores.queue.acknowledge(in_hand)
    assert drain(stores) == ["r"]


def test_a_message_that_keeps_failing_does_not_hold_up_the_others(stores: Stores) -> None:
    for receipt in ("poison", "good-1", "good-2"):
        stores.queue.send(receipt)
    done = set()
    for _ in range(20):
        for message in stores.queue.receive(1):
            if message.receipt == "poison":
                stores.queue.release([message])
            else:
                done.add(message.receipt)
                stores.queue.acknowledge([message])
    assert done == {"good-1", "good-2"}


def test_an_invented_token_acknowledges_and_releases_nothing(stores: Stores) -> None:
    stores.queue.send("r")
    for token in ("", "x", "1", "999.1", "é"):
        stores.queue.acknowledge([Message("r", token)])
        stores.queue.release([Message("other", token)])
    assert drain(stores) == ["r"]


def test_nothing_to_do_is_no_error(stores: Stores) -> None:
    stores.queue.acknowledge([])
    stores.queue.release([])
    assert list(stores.queue.receive(0)) == []
