import os
from pathlib import Path

import pytest

from millrace.entrypoints.lambdas.initialization import process_milliseconds

TICKS = os.sysconf("SC_CLK_TCK")
NAMES = ["bootstrap", "python3.13 (a)", "a) R 1 (b"]


@pytest.mark.parametrize("name", NAMES)
def test_the_age_is_that_of_the_process_whatever_its_name(tmp_path: Path, name: str) -> None:
    fields = " ".join(str(number) for number in range(4, 22))
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text(f"17 ({name}) S {fields} {100 * TICKS} 23 24\n")
    (tmp_path / "uptime").write_text("102.34 400.00\n")
    assert process_milliseconds(tmp_path) == 2340


def test_clocks_that_disagree_make_no_age_below_zero(tmp_path: Path) -> None:
    fields = " ".join(str(number) for number in range(4, 22))
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "stat").write_text(f"17 (x) S {fields} {100 * TICKS} 23\n")
    (tmp_path / "uptime").write_text("99.99 400.00\n")
    assert process_milliseconds(tmp_path) == 0


def test_without_proc_there_is_no_age(tmp_path: Path) -> None:
    assert process_milliseconds(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc")
def test_this_process_has_an_age_that_grows() -> None:
    first, second = process_milliseconds(), process_milliseconds()
    assert first is not None
    assert second is not None
    assert 0 < first <= second
