"""The contract of ``Files``, for those of jobs and those of the archive."""

import pytest

from millrace.core.ports import Files, Stores


@pytest.fixture(params=["job_files", "archive"])
def files(stores: Stores, request: pytest.FixtureRequest) -> Files:
    found: Files = getattr(stores, request.param)
    return found


def test_a_file_is_read_as_it_was_written(files: Files) -> None:
    files.write("j", "a/1.json", b"\x00{}\xff")
    assert files.read("j", "a/1.json") == b"\x00{}\xff"


def test_a_file_that_is_not_there_reads_as_none(files: Files) -> None:
    files.write("j", "a/1.json", b"1")
    assert files.read("j", "a/2.json") is None
    assert files.read("k", "a/1.json") is None


def test_writing_again_replaces(files: Files) -> None:
    files.write("j", "plan", b"1")
    files.write("j", "plan", b"")
    assert files.read("j", "plan") == b""


def test_names_are_listed_in_order_by_prefix_and_job(files: Files) -> None:
    for name in ("b/2", "b/1", "a", "b/10", "c"):
        files.write("j", name, b"")
    files.write("jj", "b/3", b"")
    assert list(files.names("j", "b/")) == ["b/1", "b/10", "b/2"]
    assert list(files.names("j", "")) == ["a", "b/1", "b/10", "b/2", "c"]
    assert list(files.names("none", "")) == []


def test_what_jobs_keep_and_what_is_archived_lie_apart(stores: Stores) -> None:
    stores.job_files.write("f", "a", b"1")
    assert stores.archive.read("f", "a") is None
    stores.archive.write("f", "a", b"2")
    assert (stores.job_files.read("f", "a"), stores.archive.read("f", "a")) == (b"1", b"2")


def test_names_may_have_many_levels_and_be_encoded(files: Files) -> None:
    names = [f"day=2026-0{n}-01/type=a%2Fb/0{n}.ndjson.gz" for n in range(1, 4)]
    for name in reversed(names):
        files.write("curated", name, name.encode())
    assert list(files.names("curated", "day=")) == names
    assert list(files.names("curated", "day=2026-02-01/type=a%2Fb/")) == names[1:2]
    assert [files.read("curated", name) for name in names] == [name.encode() for name in names]
