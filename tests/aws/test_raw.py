"""Claims about the raw log in S3: the one conditional write of a receipt, what lies in the object, and listings."""

import gzip
import json
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.adapters.aws.raw import MOST_METADATA, _opened, _stored
from millrace.core.errors import PermanentError, ReceiptConflict, StoreError, TransientError, UnknownReceipt
from millrace.core.records import RawObject, Receipt
from tests.contracts.builders import NOON, raw_object, receipt_id

from .calls import Call, Fault, error, keys_at_most, lost, throttled, timed_out, unavailable
from .opened import Account

FAULTS = [throttled, unavailable, lost, timed_out, error("InternalError", 500), error("RequestTimeout")]
EVER: dict[str, Any] = {"since": 0, "until": NOON * 2, "after": None}


def asked(call: Call, name: str) -> str:
    """A parameter in a request's address."""
    return parse_qs(urlsplit(call.url).query)[name][0]


def key(call: Call) -> str:
    return unquote(urlsplit(call.url).path).lstrip("/").removeprefix("millrace-raw/")


# ------------------------------------------------------------------------------------------------------------- writing


def test_a_receipt_is_one_write_on_the_condition_that_nothing_is_there(account: Account) -> None:
    raw = raw_object(body=b"[1, 2]" * 1000)
    account.raw().append(raw)
    assert account.calls.counts() == {"PutObject": 1}
    [call] = account.calls.made
    assert call.headers["if-none-match"] == "*"
    assert key(call) == f"raw/{raw.receipt.id[-1]}/{raw.receipt.id}"
    assert json.loads(call.headers["x-amz-meta-receipt"]) == msgspec.to_builtins(raw.receipt)


def test_the_object_is_gzip_that_any_program_reads(account: Account) -> None:
    raw = raw_object(body=b"[1, 2]" * 1000)
    account.raw().append(raw)
    stored = account.clients.get("s3").get_object(Bucket=account.raw_bucket, Key=key(account.calls.made[0]))
    content = stored["Body"].read()
    assert gzip.decompress(content) == raw.body
    assert len(content) < len(raw.body) / 10
    assert stored["ContentType"] == "application/gzip"


def test_the_same_receipt_makes_the_same_object_at_any_time() -> None:
    raw = raw_object(body=b"[1, 2]")
    assert _stored(raw) == _stored(msgspec.structs.replace(raw))


def test_receipts_spread_over_sixteen_prefixes(account: Account) -> None:
    for number in range(64):
        account.raw().append(raw_object(number=number))
    assert len({key(call)[:6] for call in account.calls.made}) == 16


def test_what_is_there_is_compared_not_written_again(account: Account) -> None:
    raw = raw_object(body=b"first")
    account.raw().append(raw)
    account.raw().append(raw)
    with pytest.raises(ReceiptConflict):
        account.raw().append(RawObject(raw.receipt, b"second"))
    with pytest.raises(ReceiptConflict):
        account.raw().append(raw_object(body=b"first", source="somebody else"))
    assert account.calls.counts() == {"PutObject": 4, "GetObject": 3}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_that_failed_for_the_moment_may_be_made_again(account: Account, fault: Fault) -> None:
    raw = raw_object()
    account.calls.next("PutObject", fault)
    with pytest.raises(TransientError):
        account.raw().append(raw)
    account.raw().append(raw)
    assert account.raw().read(raw.receipt.id) == raw


@pytest.mark.parametrize("fault", FAULTS)
def test_the_client_itself_tries_a_write_again_and_finds_its_own(trying: Account, fault: Fault) -> None:
    raw = raw_object()
    trying.calls.next("PutObject", fault)
    trying.raw().append(raw)
    assert trying.raw().read(raw.receipt.id) == raw


def test_a_write_whose_earlier_try_is_still_under_way_is_sent_again(account: Account) -> None:
    raw = raw_object()
    conflict = error("ConditionalRequestConflict", 409)
    account.calls.next("PutObject", conflict, conflict)
    account.raw().append(raw)
    assert account.raw().read(raw.receipt.id) == raw
    account.calls.always("PutObject", conflict)
    with pytest.raises(TransientError, match="ConditionalRequestConflict"):
        account.raw().append(raw_object(number=2))


def test_a_conflict_that_cannot_be_looked_at_is_none_yet(account: Account) -> None:
    raw = raw_object()
    account.raw().append(raw)
    account.calls.next("GetObject", throttled)
    with pytest.raises(TransientError):
        account.raw().append(RawObject(raw.receipt, b"other"))


def test_a_log_that_is_closed_to_us_says_so(account: Account) -> None:
    account.calls.always("*", error("AccessDenied", 403))
    for attempt in (
        lambda: account.raw().append(raw_object()),
        lambda: account.raw().read(receipt_id()),
        lambda: account.raw().list(limit=1, **EVER),
    ):
        with pytest.raises(StoreError, match="permission is denied"):
            attempt()


# ------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("fault", FAULTS)
def test_a_read_that_failed_for_the_moment_may_be_made_again(account: Account, fault: Fault) -> None:
    raw = raw_object()
    account.raw().append(raw)
    account.calls.next("GetObject", fault)
    with pytest.raises(TransientError):
        account.raw().read(raw.receipt.id)
    assert account.raw().read(raw.receipt.id) == raw


@pytest.mark.parametrize("receipt", ["", "x", receipt_id().upper(), "../" + receipt_id(), receipt_id() + "\n"])
def test_what_is_no_receipt_id_is_unknown_without_a_call(account: Account, receipt: str) -> None:
    with pytest.raises(UnknownReceipt):
        account.raw().read(receipt)
    assert account.calls.made == []


def test_a_bucket_that_is_gone_is_not_a_receipt_that_is_unknown(account: Account) -> None:
    account.clients.get("s3").delete_bucket(Bucket=account.raw_bucket)
    with pytest.raises(StoreError, match="the bucket does not exist"):
        account.raw().read(receipt_id())


@pytest.mark.parametrize("damage", ["nothing", "cut", "longer", "text", "no metadata", "other metadata"])
def test_an_object_that_is_damaged_is_an_unusable_store_and_names_its_key(account: Account, damage: str) -> None:
    raw = raw_object(body=b"[1, 2]" * 100)
    body, metadata = _stored(raw)
    content = {"nothing": b"", "cut": body[:-3], "longer": body + b"!", "text": b"[1, 2]"}.get(damage, body)
    about = {"no metadata": {}, "other metadata": {"receipt": "[]"}}.get(damage, metadata)
    path = f"raw/{raw.receipt.id[-1]}/{raw.receipt.id}"
    account.clients.get("s3").put_object(Bucket=account.raw_bucket, Key=path, Body=content, Metadata=about)
    with pytest.raises(StoreError, match=f"is damaged: {path}"):
        account.raw().read(raw.receipt.id)


# ------------------------------------------------------------------------------------------------------------ metadata

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=TEXTS, headers=st.dictionaries(TEXTS, TEXTS, max_size=3), body=st.binary(max_size=50))
def test_any_receipt_fits_the_headers_of_an_object(source: str, headers: dict[str, str], body: bytes) -> None:
    raw = raw_object(body=body, source=source, headers=headers)
    stored, metadata = _stored(raw)
    header = metadata["receipt"]
    assert header.isascii()
    assert header.isprintable()
    assert "  " not in header
    assert "=?" not in header
    assert len(header) <= MOST_METADATA
    assert _opened(stored, metadata) == raw


@pytest.mark.parametrize("source", ["=?utf-8?b?AAAA?=", " a  b   ", "\x7f\x00\n", "é" * 10, "x" * 3000, "é" * 3000])
def test_any_receipt_comes_back_through_s3(account: Account, source: str) -> None:
    raw = raw_object(body=b"{}", source=source)
    account.raw().append(raw)
    assert account.raw().read(raw.receipt.id) == raw


def test_a_receipt_too_large_for_the_metadata_is_in_the_object_before_its_bytes(account: Account) -> None:
    raw = raw_object(body=b"{}", headers={"ce-subject": "x" * 3000})
    account.raw().append(raw)
    [put] = account.calls.made
    assert put.headers["x-amz-meta-receipt"] == "in-body"
    stored, _ = _stored(raw)
    assert gzip.decompress(stored) == msgspec.json.encode(raw.receipt) + b"{}"


def test_a_receipt_that_is_no_unicode_is_refused(account: Account) -> None:
    with pytest.raises(PermanentError, match="no Unicode"):
        account.raw().append(RawObject(Receipt(id=receipt_id(), received_at=NOON, source="\ud800"), b""))
    assert account.calls.made == []


# ------------------------------------------------------------------------------------------------------------- listing


def filled(account: Account, count: int) -> list[str]:
    """The ids of as many receipts, a second apart, all over the prefixes."""
    ids = []
    for number in range(count):
        raw = raw_object(NOON + number * 1_000_000, number * 7)
        account.raw().append(raw)
        ids.append(raw.receipt.id)
    account.calls.clear()
    return ids


def test_a_listing_asks_each_prefix_once_for_its_share(account: Account) -> None:
    ids = filled(account, 40)
    assert account.raw().list(limit=1000, **EVER) == ids
    assert account.calls.counts() == {"ListObjectsV2": 16}
    assert {asked(call, "prefix") for call in account.calls.made} == {f"raw/{digit:x}/" for digit in range(16)}
    assert {int(asked(call, "max-keys")) for call in account.calls.made} < set(range(63, 101))


def test_a_prefix_that_holds_more_than_its_share_is_read_on(account: Account) -> None:
    ids = [receipt_id(NOON + number * 1000, 16) for number in range(30)]
    for number in range(30):
        account.raw().append(raw_object(NOON + number * 1000, 16))
    assert account.raw().list(limit=20, **EVER) == ids[:20]
    assert account.raw().list(limit=100, **EVER) == ids


def test_a_page_may_be_shorter_than_what_was_asked_for(account: Account) -> None:
    ids = filled(account, 40)
    account.calls.always("ListObjectsV2", keys_at_most(1))
    assert account.raw().list(limit=1000, **EVER) == ids
    assert account.calls.counts()["ListObjectsV2"] >= len(ids)


@pytest.mark.parametrize("fault", [throttled, unavailable, lost, timed_out])
def test_a_listing_that_failed_for_the_moment_may_be_made_again(account: Account, fault: Fault) -> None:
    ids = filled(account, 3)
    account.calls.next("ListObjectsV2", None, None, fault)
    with pytest.raises(TransientError):
        account.raw().list(limit=9, **EVER)
    assert account.raw().list(limit=9, **EVER) == ids


def test_what_others_put_into_the_bucket_is_not_listed(account: Account) -> None:
    [receipt] = filled(account, 1)
    for path in ("raw/0/", "raw/0/notes.txt", f"raw/1/{receipt}", f"raw/0/{receipt}.gz", "other", "raw/x/y"):
        account.clients.get("s3").put_object(Bucket=account.raw_bucket, Key=path, Body=b"")
    assert account.raw().list(limit=99, **EVER) == [receipt]


@pytest.mark.parametrize("after", ["é", "\x00", "\ud800", "a" * 2000, receipt_id() + "x", "~" * 40])
def test_after_may_be_any_text(account: Account, after: str) -> None:
    ids = filled(account, 4)
    expected = [receipt for receipt in ids if receipt > after]
    assert account.raw().list(since=0, until=NOON * 2, after=after, limit=9) == expected
