"""The pytest plugin, in a pytest of its own: fixtures that work, and nothing where they are not used."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CATALOG = """
import attrs
from millrace import Catalog

catalog = other = Catalog("shop")

@catalog.event("sale")
@attrs.frozen
class Sale:
    order: str
"""
USING = """
from millrace import Catalog
from millrace.testing import MemoryPlatform

def test_a_platform(millrace_platform: MemoryPlatform, millrace_catalog: Catalog) -> None:
    millrace_platform.send({"eventType": "sale", "order": "o-1"})
    assert millrace_platform.drain()["curated"] == 1
    assert millrace_platform.platform.catalog is millrace_catalog

def test_a_fresh_one(millrace_platform: MemoryPlatform) -> None:
    assert millrace_platform.outcomes["events"] == 0
"""
NOT_USING = """
import sys

def test_nothing_is_loaded():
    assert "millrace" not in sys.modules
"""
SETTINGS = "[pytest]\nfilterwarnings = error\nxfail_strict = true\n"


def run(
    folder: Path, test: str, settings: str = "", *arguments: str, alone: bool = True
) -> subprocess.CompletedProcess[str]:
    """A test file under pytest; the plugin is ``alone``, or there as all that are installed are."""
    (folder / "pytest.ini").write_text(SETTINGS + settings)
    (folder / "test_it.py").write_text(test)
    (folder / "shop.py").write_text(CATALOG)
    strict = ["--strict-config", "--strict-markers", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    if alone:
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        strict += ["-p", "pytest_millrace"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *strict, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def passes(done: subprocess.CompletedProcess[str], count: int) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} passed" in done.stdout


def test_what_does_not_use_it_does_not_load_millrace(tmp_path: Path) -> None:
    passes(run(tmp_path, NOT_USING, alone=False), 1)


def test_it_is_no_warning_that_millrace_was_imported_before_pytest_looks_at_its_plugins(tmp_path: Path) -> None:
    # What pytest does with every package that a plugin comes with; here only files of the checkout do.
    marked = (
        "import millrace, pytest\npytest.register_assert_rewrite('millrace')\ndef test_it(): assert millrace.__doc__\n"
    )
    passes(run(tmp_path, marked), 1)
    other = "import email, pytest\npytest.register_assert_rewrite('email')\n"
    assert "PytestAssertRewriteWarning" in run(tmp_path, other).stdout


@pytest.mark.parametrize("name", ["shop:catalog", "shop.py", "shop.py:other"])
def test_the_fixtures_use_the_catalog_that_the_settings_name(tmp_path: Path, name: str) -> None:
    passes(run(tmp_path, USING, f"millrace_catalog = {name}\n"), 2)


def test_a_fixture_of_ones_own_names_the_catalog(tmp_path: Path) -> None:
    own = """
import pytest
from shop import catalog

@pytest.fixture(scope="session")
def millrace_catalog():
    return catalog
"""
    (tmp_path / "conftest.py").write_text(own)
    passes(run(tmp_path, USING), 2)


def test_without_a_catalog_the_fixtures_say_how_to_name_one(tmp_path: Path) -> None:
    done = run(tmp_path, USING)
    assert done.returncode == 1
    assert "Which catalog is tested? Set millrace_catalog = module:attribute in pytest's settings" in done.stdout
    assert "Traceback" not in done.stdout


def test_the_fixtures_are_documented(tmp_path: Path) -> None:
    done = run(tmp_path, NOT_USING, "", "--fixtures", alone=False)
    assert "millrace_platform" in done.stdout
    assert "A fresh platform in memory with the catalog under test" in done.stdout
    assert "The catalog under test: that of the setting" in done.stdout
