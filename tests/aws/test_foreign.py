"""Claims about foreign archives on S3: listings page by page, streams that go on after a broken connection."""

from typing import Any

import pytest

from millrace.adapters.aws import foreign
from millrace.adapters.aws.foreign import Archive
from millrace.core.errors import StoreError, TransientError

from .opened import REGION, Account

BUCKET = "audit"
BODY = bytes(range(256)) * 1000


@pytest.fixture
def archive(account: Account) -> Archive:
    """A bucket with objects below two prefixes."""
    s3 = account.clients.get("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("logs/b.json.gz", "logs/a.ndjson", "logs/ä b.json", "other/c.json"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=BODY)
    account.calls.clear()
    return Archive(account.clients)


def test_the_objects_below_a_prefix_are_listed_in_order(archive: Archive) -> None:
    found = [*archive.objects(f"s3://{BUCKET}/logs/")]
    assert [it.key for it in found] == ["logs/a.ndjson", "logs/b.json.gz", "logs/ä b.json"]
    assert {it.size for it in found} == {len(BODY)}
    assert found[0].url == f"s3://{BUCKET}/logs/a.ndjson"
    assert len([*archive.objects(f"s3://{BUCKET}")]) == 4


def test_a_listing_goes_on_with_the_next_page(
    archive: Archive, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = account.clients.get("s3")
    one_by_one = client.list_objects_v2
    monkeypatch.setattr(client, "list_objects_v2", lambda **asked: one_by_one(**asked, MaxKeys=1))
    assert len([*archive.objects(f"s3://{BUCKET}/logs/")]) == 3
    assert account.calls.counts() == {"ListObjectsV2": 3}


def test_a_bucket_that_is_not_there_is_told(archive: Archive) -> None:
    with pytest.raises(StoreError, match="the bucket does not exist"):
        [*archive.objects("s3://nobodys-bucket/x")]


def read(archive: Archive) -> bytes:
    [found, *_] = archive.objects(f"s3://{BUCKET}/logs/")
    pieces = []
    with archive.opened(found) as stream:
        while piece := stream.read(10_000):
            pieces.append(piece)
    return b"".join(pieces)


class Breaking:
    """The body of an answer that ends after so many bytes, with an error or silently."""

    def __init__(self, body: Any, left: int, error: Exception | None) -> None:
        self._body, self._left, self._error = body, left, error

    def read(self, size: int) -> bytes:
        if self._left <= 0:
            if self._error is not None:
                raise self._error
            return b""
        piece: bytes = self._body.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


@pytest.mark.parametrize("error", [None, "reset"])
def test_a_stream_goes_on_where_the_connection_broke(
    archive: Archive, account: Account, monkeypatch: pytest.MonkeyPatch, error: str | None
) -> None:
    from botocore.exceptions import ReadTimeoutError

    client = account.clients.get("s3")
    whole = client.get_object
    cause = None if error is None else ReadTimeoutError(endpoint_url="s3")

    def breaking(**asked: Any) -> Any:
        answer = whole(**asked)
        return {**answer, "Body": Breaking(answer["Body"], 100_000, cause)}

    monkeypatch.setattr(client, "get_object", breaking)
    assert read(archive) == BODY
    assert account.calls.counts()["GetObject"] == 3


def test_a_stream_that_never_goes_on_fails_for_now(
    archive: Archive, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = account.clients.get("s3")
    whole = client.get_object
    monkeypatch.setattr(client, "get_object", lambda **asked: {"Body": Breaking(whole(**asked)["Body"], 0, None)})
    with pytest.raises(TransientError, match="its bytes end early"):
        read(archive)
    assert account.calls.counts()["GetObject"] == foreign.TRIES


@pytest.mark.parametrize("change", ["replaced", "deleted"])
def test_an_object_that_changed_since_it_was_listed_is_not_mixed_up(
    archive: Archive, account: Account, change: str
) -> None:
    [found, *_] = archive.objects(f"s3://{BUCKET}/logs/")
    s3 = account.unrecorded.get("s3")
    if change == "replaced":
        s3.put_object(Bucket=BUCKET, Key=found.key, Body=b"other")
    else:
        s3.delete_object(Bucket=BUCKET, Key=found.key)
    with archive.opened(found) as stream, pytest.raises(StoreError, match="is another one than was listed"):
        stream.read(10)
