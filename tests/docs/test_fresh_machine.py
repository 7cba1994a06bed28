"""The tutorial, to the letter: with an environment of its own and Millrace installed from a checkout, by pip."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, blocks
from tests.docs.session import session

pytestmark = pytest.mark.skipif(
    os.environ.get("FRESH_MACHINE") != "yes", reason="installs from a package index: make tutorial"
)


def test_the_tutorial_works_on_a_machine_that_has_only_python(tmp_path: Path) -> None:
    with session(tmp_path, fresh=True) as reader:
        checkout = reader.folder / "millrace"
        checkout.mkdir()
        archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "--extract"], cwd=checkout, input=archive, check=True)
        done = reader.play(DOCS / "tutorial.md")
        assert len(done) == len([*blocks(DOCS / "tutorial.md")])
        assert (reader.folder / "venv" / "bin" / "millrace").exists()
