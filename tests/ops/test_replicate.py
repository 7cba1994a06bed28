"""The raw log in a second bucket: what is missing is copied, what is there is compared, nothing is overwritten."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.raw import S3Raw
from millrace.adapters.system import SystemClock
from millrace.core.ports import RawStore
from millrace.core.records import RawObject
from millrace.entrypoints.ops import replication
from millrace.entrypoints.ops.pairs import paired
from millrace.entrypoints.ops.replication import replicate
from tests.contracts.builders import NOON, raw_object

from .standing import Stand, snapshot, standing

COUNT = 40


def raws() -> Iterator[RawObject]:
    """Receipts of forty minutes, spread over all prefixes."""
    for number in range(COUNT):
        yield raw_object(NOON + number * 60_000_000, number, b"%d" % number, source="shop", origin=f"file-{number}")


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Stand, Callable[[], None]]]:
    with standing("production") as [made]:
        store: RawStore = made.platform.stores.raw
        for raw in raws():
            store.append(raw)
        for name in ("backup", "other"):
            made.bucket(name)
        yield made, snapshot()


@pytest.fixture
def stand(filled: tuple[Stand, Callable[[], None]]) -> Stand:
    """A stack whose raw log has forty receipts, and empty buckets "backup" and "other"."""
    made, reset = filled
    reset()
    return made


def row(told: Any) -> Any:
    [found] = told["rows"]
    return found


# ------------------------------------------------------------------------------------------------------------- pairs


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_pairs_are_the_union_in_order_each_with_the_side_that_has_it(ones: set[int], others: set[int]) -> None:
    found = [*paired(iter(sorted(ones)), iter(sorted(others)), lambda item: item)]
    assert found == [
        (each if each in ones else None, each if each in others else None) for each in sorted(ones | others)
    ]


# ------------------------------------------------------------------------------------------------------------ copying


def test_the_raw_log_is_copied_with_its_metadata_and_verified(stand: Stand) -> None:
    told = row(stand.told("replicate", "--to", "backup", "--yes"))
    assert (told["objects"], told["copied"], told["same"]) == (COUNT, COUNT, COUNT)
    ours, theirs = stand.platform.stores.raw, S3Raw(stand.clients, "backup")
    listed = theirs.list(since=0, until=10**18, after=None, limit=1000)
    assert [theirs.read(receipt) for receipt in listed] == [
        ours.read(receipt) for receipt in ours.list(since=0, until=10**18, after=None, limit=1000)
    ]


def test_a_copy_that_was_interrupted_goes_on_and_one_that_is_whole_is_only_compared(stand: Stand) -> None:
    stand.ops("replicate", "--to", "backup", "--yes")
    for key in stand.objects("backup")[:5]:
        stand.client("s3").delete_object(Bucket="backup", Key=key)
    assert row(stand.told("replicate", "--to", "backup", "--yes"))["copied"] == 5
    told = row(stand.told("replicate", "--to", "backup", "--yes"))
    assert (told["copied"], told["same"]) == (0, COUNT)


def test_listings_of_many_pages_are_compared_whole(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = stand.stack.account.pages
    monkeypatch.setattr(
        type(stand.stack.account),
        "pages",
        lambda self, *place, **asked: pages(*place, **asked, PaginationConfig={"PageSize": 2}),
    )
    monkeypatch.setattr(replication, "AT_ONCE", 3)
    found = replicate(stand.stack, stand["RawBucket"], "backup", copy=True)
    assert (found.copied, found.same, found.wrong) == (COUNT, COUNT, [])


def test_other_bytes_under_the_same_key_are_told_and_left_alone(stand: Stand) -> None:
    stand.ops("replicate", "--to", "backup", "--yes")
    first, second = stand.objects("backup")[:2]
    body = stand.client("s3").get_object(Bucket="backup", Key=second)["Body"].read()
    stand.client("s3").put_object(Bucket="backup", Key=first, Body=b"other")
    stand.client("s3").put_object(Bucket="backup", Key=second, Body=bytes(len(body)))  # of the same size
    told = stand.told("replicate", "--to", "backup", "--yes", code=1)
    assert row(told)["different"] == 2
    assert first in told["wrong"][0]
    assert stand.client("s3").get_object(Bucket="backup", Key=first)["Body"].read() == b"other"


def test_equal_bytes_with_another_etag_are_the_same(stand: Stand) -> None:
    """As where the second bucket has another encryption, or the object was uploaded in parts."""
    stand.ops("replicate", "--to", "backup", "--yes")
    key, s3 = stand.objects("backup")[0], stand.client("s3")
    body = s3.get_object(Bucket="backup", Key=key)["Body"].read()
    upload = s3.create_multipart_upload(Bucket="backup", Key=key)["UploadId"]
    part = s3.upload_part(Bucket="backup", Key=key, UploadId=upload, PartNumber=1, Body=body)["ETag"]
    s3.complete_multipart_upload(
        Bucket="backup", Key=key, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    assert s3.head_object(Bucket="backup", Key=key)["ETag"].endswith('-1"')
    assert row(stand.told("replicate", "--to", "backup", "--yes"))["same"] == COUNT


def test_a_span_is_a_span_of_receipts(stand: Stand) -> None:
    span = ("--since", "2026-01-09T12:10:00Z", "--until", "2026-01-09T12:20:00Z")
    told = row(stand.told("replicate", "--to", "backup", "--yes", *span))
    assert (told["objects"], told["copied"]) == (10, 10)
    listed = [key.rpartition("/")[2] for key in stand.objects("backup")]
    assert {int(key.replace("-", "")[:12], 16) * 1000 for key in listed} == {
        NOON + minute * 60_000_000 for minute in range(10, 20)
    }


def test_what_the_raw_log_lacks_is_copied_back_and_what_it_has_stays(stand: Stand) -> None:
    stand.ops("replicate", "--to", "backup", "--yes")
    s3, bucket = stand.client("s3"), stand["RawBucket"]
    for key in stand.objects(bucket, "raw/")[:7]:
        s3.delete_object(Bucket=bucket, Key=key)
    assert row(stand.told("replicate", "--from", "backup", "--dry-run", code=1))["missing"] == 7
    assert row(stand.told("replicate", "--from", "backup", "--yes"))["copied"] == 7
    assert len(stand.objects(bucket, "raw/")) == COUNT
    assert len(stand.platform.stores.raw.list(since=0, until=10**18, after=None, limit=100)) == COUNT


def test_two_at_once_copy_the_same(stand: Stand) -> None:
    """The second one finds each object there that it was about to copy."""
    listed = replication._listed
    once = [replicate(stand.stack, stand["RawBucket"], "backup", copy=True)]

    def stale(stack: Any, bucket: str, *span: str) -> Iterator[Any]:
        return iter(()) if bucket == "backup" else listed(stack, bucket, *span)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(replication, "_listed", stale)
        once.append(replicate(stand.stack, stand["RawBucket"], "backup", copy=True))
    assert [found.same for found in once] == [COUNT, COUNT]


# -------------------------------------------------------------------------------------------------------- replication


def test_where_s3_replicates_it_is_only_verified_unless_asked_otherwise(stand: Stand) -> None:
    replicated(stand, "backup")
    told = row(stand.told("replicate"))
    # What is younger than replication may take is no cause for alarm.
    assert (told["young"], told["missing"], told["copied"]) == (COUNT, 0, 0)
    assert stand.objects("backup") == []
    assert row(stand.told("replicate", "--fill", "--yes"))["copied"] == COUNT


def test_what_replication_should_have_brought_by_now_is_missing(stand: Stand) -> None:
    replicated(stand, "backup")
    later = attrs.evolve(stand.stack, clock=Later())
    found = replicate(later, stand["RawBucket"], "backup", copy=False, replicates=True)
    assert (found.young, found.missing) == (0, COUNT)
    assert found.wrong == [f"backup lacks {COUNT} of {COUNT} objects of {stand['RawBucket']}"]


class Later:
    """A clock that is an hour ahead."""

    def now(self) -> int:
        return SystemClock().now() + 3_600_000_000


def replicated(stand: Stand, bucket: str) -> None:
    s3 = stand.client("s3")
    for name in (bucket, stand["RawBucket"]):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "ID": "backup",
        "Status": "Enabled",
        "Priority": 0,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{bucket}"},
    }
    role = "arn:aws:iam::123456789012:role/replication"
    configuration = {"Role": role, "Rules": [rule]}
    s3.put_bucket_replication(Bucket=stand["RawBucket"], ReplicationConfiguration=configuration)


def test_an_empty_raw_log_is_as_well_copied(stand: Stand) -> None:
    found = replicate(stand.stack, "other", "backup", copy=True)
    assert (found.objects, found.wrong) == (0, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a bucket"),
        (("--to", "backup", "--from", "other"), "exclude each other"),
        (("--to", "there-is-none", "--yes"), "bucket does not exist"),
    ],
    ids=["nowhere", "both", "no-bucket"],
)
def test_what_cannot_be_gets_one_sentence(stand: Stand, arguments: tuple[str, ...], said: str) -> None:
    result = stand.ops("replicate", *arguments, code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
