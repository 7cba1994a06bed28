"""The contract of ``Files``."""

from millrace.core.ports import Stores


def test_a_file_is_read_as_it_was_written(stores: Stores) -> None:
    stores.job_files.write("j", "a/1.json", b"\x00{}\xff")
    assert stores.job_files.read("j", "a/1.json") == b"\x00{}\xff"


def test_a_file_that_is_not_there_reads_as_none(stores: Stores) -> None:
    stores.job_files.write("j", "a/1.json", b"1")
    assert stores.job_files.read("j", "a/2.json") is None
    assert stores.job_files.read("k", "a/1.json") is None


def test_writing_again_replaces(stores: Stores) -> None:
    stores.job_files.write("j", "plan", b"1")
    stores.job_files.write("j", "plan", b"")
    assert stores.job_files.read("j", "plan") == b""


def test_names_are_listed_in_order_by_prefix_and_job(stores: Stores) -> None:
    for name in ("b/2", "b/1", "a", "b/10", "c"):
        stores.job_files.write("j", name, b"")
    stores.job_files.write("jj", "b/3", b"")
    assert list(stores.job_files.names("j", "b/")) == ["b/1", "b/10", "b/2"]
    assert list(stores.job_files.names("j", "")) == ["a", "b/1", "b/10", "b/2", "c"]
    assert list(stores.job_files.names("none", "")) == []
