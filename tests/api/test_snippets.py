"""The programs of the guide, run as they are: what they send is curated."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .javascript import javascript
from .servers import Server, functions, served

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets"
RETAIL = "millrace.core.catalogs.retail:catalog"
AMOUNTS = ["49.9", "12.5", "7", "20"]


@pytest.fixture(scope="module", params=["functions", "serve"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    opened = functions(RETAIL) if request.param == "functions" else served(RETAIL, tmp_path_factory.mktemp("serve"))
    with opened as running:
        yield running


def run(server: Server, *command: str, cwd: Path) -> str:
    environment = {**os.environ, "MILLRACE_URL": server.url, "MILLRACE_API_KEY": "", "PYTHONWARNINGS": "error"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_curl(shop: Server, tmp_path: Path) -> None:
    if not (shutil.which("curl") and shutil.which("gzip")):
        pytest.skip("there is no curl or no gzip")
    answers = run(shop, "sh", str(SNIPPETS / "send.sh"), cwd=tmp_path).split()
    assert len(answers) == 4
    found = shop.curated("purchase", "curl-1", "curl-2", "curl-4", "curl-5")
    assert [row["amount"] for row in found] == AMOUNTS
    assert shop.curated("signup", "curl-3")[0]["plan"] == "plus"


def test_python(shop: Server, tmp_path: Path) -> None:
    answers = run(shop, sys.executable, str(SNIPPETS / "send.py"), cwd=tmp_path).splitlines()
    assert len(answers) == 3
    found = shop.curated("purchase", *(f"python-{number}" for number in (1, 2, 3, 4)))
    assert [row["amount"] for row in found] == AMOUNTS
    assert {(row["source"], row["schemaVersion"]) for row in found} == {("/checkout", 2)}


def test_javascript(shop: Server, tmp_path: Path) -> None:
    with javascript(tmp_path) as node:
        shutil.copy(SNIPPETS / "send.mjs", tmp_path)
        assert run(shop, node, "send.mjs", cwd=tmp_path).count("receipt:") == 3
    found = shop.curated("purchase", *(f"javascript-{number}" for number in (1, 2, 3, 4)))
    assert [row["amount"] for row in found] == AMOUNTS
    assert {(row["source"], row["schemaVersion"]) for row in found} == {("/checkout", 2)}
