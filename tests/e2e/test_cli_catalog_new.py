"""``millrace catalog new``: what it writes works at once, is clean, and nothing is ever overwritten."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .cli import document, fails, succeeds

FILES = ["shop.ndjson", "shop.py", "test_shop.py"]
PROGRAMS = {
    "millrace": [sys.executable, "-c", "from millrace.entrypoints.cli import main; main()"],
    "pytest": [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
}


def run(folder: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MILLRACE"))}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"$ {shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new catalog in it."""
    folder = tmp_path_factory.mktemp("new")
    succeeds("catalog", "new", "shop", "--directory", folder)
    return folder


def test_every_step_that_it_prints_works_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "a new folder"
    printed = succeeds("catalog", "new", "shop", "--directory", folder).stdout
    assert sorted(path.name for path in folder.iterdir()) == FILES
    steps = [shlex.split(line) for line in printed.splitlines() if line.startswith("  ")]
    assert steps.pop(0) == ["cd", str(folder)]
    assert [step[0] for step in steps] == ["millrace", "millrace", "millrace", "millrace", "pytest"]
    outputs = [run(folder, *PROGRAMS[program], *arguments) for program, *arguments in steps]
    assert re.search(r"All \d+ examples hold\.$", outputs[0].strip())
    assert re.search(r"^curated +5$", outputs[1], re.MULTILINE)
    assert re.search(r"^dead lettered +1$", outputs[1], re.MULTILINE)
    assert re.search(r"^2026-11-23T08:00:00Z  EUR +2 +1325 +1250$", outputs[2], re.MULTILINE)
    assert "/data/amount is not greater than 0" in outputs[3]
    assert "3 passed" in outputs[4]


def test_in_the_current_directory_there_is_no_step_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed = succeeds("catalog", "new", "greenhouse").stdout
    assert "cd " not in printed
    assert (tmp_path / "greenhouse.py").read_text().startswith('"""The catalog greenhouse:')


def test_the_sample_has_an_old_version_a_cloud_event_and_a_broken_one(shop: Path, tmp_path: Path) -> None:
    found = document("run", shop / "shop.ndjson", "--catalog", shop / "shop.py", store=tmp_path / "store")
    assert (found["events"], found["curated"], found["dead_letters"]) == (6, 5, {"invalid": 1})
    text = (shop / "shop.ndjson").read_text()
    assert text.count('"schemaVersion": 1') == text.count('"specversion": "1.0"') == 1


def test_what_it_writes_is_clean(shop: Path) -> None:
    ruff, alone = [sys.executable, "-m", "ruff"], ["--isolated", "--no-cache"]
    rules = "E,F,W,ARG,B,BLE,C4,DTZ,I,N,PIE,PT,RET,RUF,SIM,TRY,UP"
    run(shop, *ruff, "check", *alone, "--select", rules, ".")
    run(shop, *ruff, "format", *alone, "--check", ".")


def test_what_it_writes_and_what_it_imports_is_typed(shop: Path, tmp_path: Path) -> None:
    files = ["shop.py", "test_shop.py"]
    checked = run(shop, sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *files)
    assert "no issues found in 2 source files" in checked


@pytest.mark.parametrize("taken", FILES)
def test_a_file_that_exists_is_named_and_nothing_is_written(tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    assert fails(2, "catalog", "new", "shop", "--directory", tmp_path).endswith(f"{taken} exists; nothing was written.")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(taken, "mine")]


def test_a_package_of_the_same_name_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert fails(2, "catalog", "new", "shop", "--directory", tmp_path).endswith("shop exists; nothing was written.")
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


@pytest.mark.parametrize("name", ["", "2shop", "my-shop", "my shop", "class", "None", "_shop", "shöp", "a/b", "x" * 65])
def test_what_is_no_name_for_a_module_is_refused(tmp_path: Path, name: str) -> None:
    said = fails(2, "catalog", "new", "--directory", tmp_path / "new", "--", name)
    assert "is no name for a catalog: up to 64 letters, digits and _, a letter first" in said
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["json", "millrace", "attrs", "sys"])
def test_the_name_of_another_module_is_refused(tmp_path: Path, name: str) -> None:
    said = fails(2, "catalog", "new", name, "--directory", tmp_path)
    assert said.endswith(f"{name!r} is the name of a Python module that is there already; choose another.")
    assert [*tmp_path.iterdir()] == []


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in fails(1, "catalog", "new", "shop", "--directory", tmp_path / "file")


@settings(max_examples=20, deadline=None)
@given(st.from_regex("[a-z][a-z0-9_]{5,20}", fullmatch=True).map("zz{}".format))
def test_any_name_gives_a_catalog_of_that_name(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    succeeds("catalog", "new", name, "--directory", folder)
    assert document("catalog", "list", "--catalog", folder / f"{name}.py")["catalog"] == name
    compile((folder / f"test_{name}.py").read_text(), "test", "exec")
