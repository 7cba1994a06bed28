"""What is shipped: every module of src/, pinned requirements, and a core that leans on a handful of libraries."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

CORE_MAY_IMPORT = {"annotated_types", "attr", "attrs", "cattrs", "msgspec"}
VIEWS_MAY_IMPORT = CORE_MAY_IMPORT | {"datasketch", "ddsketch"}


def test_the_list_of_packages_is_the_folders_of_src() -> None:
    folders = {".".join(["millrace", *init.parent.relative_to(SRC).parts]) for init in SRC.rglob("__init__.py")}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders


def test_every_module_lies_in_a_package() -> None:
    assert [str(file) for file in SRC.rglob("*.py") if not (file.parent / "__init__.py").exists()] == []


def test_a_wheel_holds_every_module_the_console_and_the_marker_of_types(tmp_path: Path) -> None:
    # A copy is built: setuptools would mix in what an earlier build left in the checkout.
    copy = tmp_path / "checkout"
    for folder in ("src", "plugin"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*build, "--wheel-dir", str(tmp_path), str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

    (wheel,) = tmp_path.glob("millrace-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if name.startswith("millrace/")}
        plugins = [name for name in archive.namelist() if name.startswith("pytest_")]
        licenses = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    console = [*(SRC / "entrypoints" / "console").iterdir()]
    assert {"index.html", "app.js", "uplot.LICENSE.txt"} <= {file.name for file in console}
    wanted = {f"millrace/{file.relative_to(SRC).as_posix()}" for file in [*SRC.rglob("*.py"), *console]}
    assert shipped == wanted | {"millrace/py.typed"}
    assert plugins == ["pytest_millrace.py"]
    assert len(licenses) == 1


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_what_pyproject_asks_for_is_pinned(name: str) -> None:
    project = PROJECT["project"]
    asked = list(project["dependencies"])
    if name == "dev.txt":
        asked += PROJECT["dependency-groups"]["dev"]
        asked += [line for extra in project["optional-dependencies"].values() for line in extra]
    assert {_name(line) for line in asked} <= {_name(line) for line in _pins(name)}


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_pins_are_exact_versions_and_name_no_place(name: str) -> None:
    assert [line for line in _pins(name) if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+( ; .+)?", line)] == []
    assert "://" not in (ROOT / "requirements" / name).read_text(encoding="utf-8")


def test_runtime_pins_are_those_the_tests_ran_with() -> None:
    assert set(_pins("runtime.txt")) <= set(_pins("dev.txt"))


@pytest.mark.parametrize("file", sorted(SRC.glob("core/**/*.py")), ids=lambda file: str(file.relative_to(SRC)))
def test_the_core_leans_on_few_libraries(file: Path) -> None:
    in_views = file.is_relative_to(SRC / "core" / "views")
    allowed = VIEWS_MAY_IMPORT if in_views else CORE_MAY_IMPORT
    assert set(_imported(file)) - sys.stdlib_module_names <= allowed


def test_src_imports_itself_relatively() -> None:
    """Else one module could exist twice, as ``millrace.core.x`` and ``src.core.x``."""
    by_name = {str(file): {"millrace", "src"} & set(_imported(file)) for file in SRC.rglob("*.py")}
    assert {file: names for file, names in by_name.items() if names} == {}


def _pins(name: str) -> list[str]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.lstrip().startswith("#")]


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _imported(file: Path) -> Iterator[str]:
    """The top-level names that a file imports absolutely, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
