"""The README's commands are run in an empty folder, in its order, and print what it says."""

from pathlib import Path

from tests.docs.pages import README
from tests.docs.session import session


def test_the_readme_commands_print_what_it_says(tmp_path: Path) -> None:
    with session(tmp_path) as reader:
        done = reader.play(README)
    assert done.count("console") == 8
