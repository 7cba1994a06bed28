"""Claims about the files of jobs and of the archive in S3: one call each, listings in pages, faults."""

import re
from collections.abc import Callable

import pytest

from millrace.adapters.aws.files import S3Files
from millrace.core.errors import StoreError, TransientError
from millrace.core.services.archived import FOLDER, name_of

from ..contracts.builders import curated
from .calls import Fault, keys_at_most, lost, throttled, timed_out, unavailable
from .opened import Account

FAULTS = [throttled, unavailable, lost, timed_out]


def test_a_file_is_one_object_where_the_state_machine_looks_for_it(account: Account) -> None:
    account.job_files().write("nightly", "manifest.json", b"[]")
    assert account.calls.counts() == {"PutObject": 1}
    found = account.clients.get("s3").get_object(Bucket=account.analysis_bucket, Key="jobs/nightly/manifest.json")
    assert found["Body"].read() == b"[]"


def test_a_file_of_the_archive_is_where_the_tables_of_the_lake_look_for_it(account: Account) -> None:
    record = curated("a", type="page_view")
    S3Files(account.clients, account.analysis_bucket, "archive").write(FOLDER, name_of(record), b"lines")
    [found] = account.clients.get("s3").list_objects_v2(Bucket=account.analysis_bucket)["Contents"]
    assert re.fullmatch(r"archive/curated/day=2026-01-09/type=page_view/\d{38}\.ndjson\.gz", found["Key"])


def test_more_names_than_one_page_holds_are_listed_in_order(account: Account) -> None:
    names = [f"loaded/{number:06}.json" for number in range(5)]
    for name in reversed(names):
        account.job_files().write("j", name, b"")
    account.calls.clear()
    account.calls.always("ListObjectsV2", keys_at_most(2))
    assert account.job_files().names("j", "loaded/") == names
    assert account.calls.counts() == {"ListObjectsV2": 3}


def test_names_may_hold_what_addresses_cannot(account: Account) -> None:
    names = ["a b", "a+b", "a/é.json", "a/😀", "a/\uffff", "a%2Fb"]
    for name in names:
        account.job_files().write("j", name, name.encode())
    assert account.job_files().names("j", "a") == sorted(names)
    assert [account.job_files().read("j", name) for name in names] == [name.encode() for name in names]


ATTEMPTS: dict[str, Callable[[S3Files], object]] = {
    "PutObject": lambda files: files.write("j", "plan.json", b"2"),
    "GetObject": lambda files: files.read("j", "plan.json"),
    "ListObjectsV2": lambda files: files.names("j", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ATTEMPTS)
def test_what_failed_for_the_moment_may_be_done_again(account: Account, operation: str, fault: Fault) -> None:
    files = account.job_files()
    files.write("j", "plan.json", b"1")
    account.calls.next(operation, fault)
    with pytest.raises(TransientError, match=r"^the jobs in bucket millrace-analysis failed"):
        ATTEMPTS[operation](files)
    files.write("j", "plan.json", b"2")
    assert (files.read("j", "plan.json"), files.names("j", "")) == (b"2", ["plan.json"])


def test_a_bucket_that_is_gone_is_no_file_that_is_not_there(account: Account) -> None:
    account.clients.get("s3").delete_bucket(Bucket=account.analysis_bucket)
    with pytest.raises(StoreError, match="the bucket does not exist"):
        account.job_files().read("j", "plan.json")
    with pytest.raises(StoreError, match="the bucket does not exist"):
        account.job_files().names("j", "")
