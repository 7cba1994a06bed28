"""The package that functions run from: what is in it, that it is the same each time, and that it runs by itself."""

import importlib.util
import marshal
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import attrs
import pytest

import millrace

from .stacks import DEPLOY

SCRIPT = DEPLOY / "package.py"
HANDLERS = [
    f"millrace.entrypoints.lambdas.{n}" for n in ("ingestion", "validation", "transformation", "analytics", "query")
]
MOST_BYTES = 10_000_000
ARM = 183
"""AArch64 in the header of an ELF file (e_machine)."""

CATALOG = """
import attrs
from millrace import Catalog
catalog = Catalog("mine")
@catalog.event("seen")
@attrs.frozen
class Seen:
    place: str
"""


@attrs.frozen
class Package:
    """A package that was built, as files and as one."""

    tree: Path
    archive: Path
    catalog: str

    def members(self) -> Iterator[tuple[str, bytes]]:
        with zipfile.ZipFile(self.archive) as opened:
            for name in opened.namelist():
                yield name, opened.read(name)


Build = Callable[..., Package]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    def built(*arguments: str, arch: str = "host") -> Package:
        out = tmp_path_factory.mktemp("package")
        command = [sys.executable, str(SCRIPT), "--arch", arch, "--out", str(out), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "uv is not installed" in done.stderr:
            pytest.skip("uv is not installed beside this Python: `make package` does it")
        if "The libraries could not be installed" in done.stderr:
            pytest.skip(f"no package without the package index (`make package` fails too): {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        return Package(out / arch, out / f"{arch}.zip", (out / f"{arch}.catalog").read_text().strip())

    return built


@pytest.fixture(scope="module")
def package(build: Build) -> Package:
    return build()


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_package", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_small_and_has_what_the_functions_import_only(package: Package) -> None:
    assert package.archive.stat().st_size <= MOST_BYTES
    names = {path.name for path in package.tree.iterdir()}
    assert {"millrace", "botocore", "aws_lambda_powertools", "aws_xray_sdk", "msgspec", "structlog"} <= names
    assert not names & {"boto3", "s3transfer", "click", "rich", "pydantic", "bin", "tests", ".lock"}
    assert not (package.tree / "millrace" / "entrypoints" / "cli").exists()
    assert not (package.tree / "millrace" / "testing").exists()
    assert not [path for path in package.tree.rglob("*") if path.name in ("RECORD", "tests") or path.suffix == ".pyi"]
    assert [*package.tree.glob("*.dist-info/METADATA")]  # versions can be asked for


def test_the_archive_holds_the_files(package: Package) -> None:
    files = {p.relative_to(package.tree).as_posix(): p.read_bytes() for p in package.tree.rglob("*") if p.is_file()}
    assert dict(package.members()) == files


def test_building_again_elsewhere_gives_the_same_bytes(build: Build, package: Package) -> None:
    assert build().archive.read_bytes() == package.archive.read_bytes()


def test_everything_is_compiled_and_never_checked_against_its_source(package: Package) -> None:
    compiled = 0
    for source in package.tree.rglob("*.py"):
        code = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        content = code.read_bytes()
        assert int.from_bytes(content[4:8], "little") == 0b01, code  # by hash, unchecked (PEP 552)
        filename = marshal.loads(content[16:]).co_filename
        assert filename == f"/var/task/{source.relative_to(package.tree).as_posix()}"
        compiled += 1
    assert compiled > 500


def test_nothing_in_it_tells_where_it_was_built(package: Package) -> None:
    checkout, home, here = (str(path).encode() for path in (DEPLOY.parent, Path.home(), package.tree))
    telling = [
        name
        for name, content in package.members()
        for place in (checkout, here, home + b"/")
        # A library's own binary may tell of its builder's home, which can be called the same.
        if place in content and not (place == home + b"/" and ".so" in name)
    ]
    assert telling == []


def test_every_handler_is_imported_from_it_alone(package: Package) -> None:
    program = f"""
import importlib, sys
sys.path.insert(0, {str(package.tree)!r})
for name in {HANDLERS!r}:
    assert callable(importlib.import_module(name).handler), name
from millrace.entrypoints.catalogs import load_catalog
print(load_catalog({package.catalog!r}).name)
for name, module in [*sys.modules.items()]:
    file = getattr(module, "__file__", None) or sys.base_prefix
    assert file.startswith(({str(package.tree)!r}, sys.base_prefix)), (name, file)
    assert "site-packages" not in file, (name, file)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "retail"), done.stderr


def test_the_sdk_in_it_can_make_every_client_that_functions_use(package: Package, script: ModuleType) -> None:
    adapters = Path(millrace.__file__).parent / "adapters" / "aws"
    made = {
        service
        for path in adapters.glob("*.py")
        if path.name != "stack.py"  # looks a stack up for a command; functions are told by their environment
        for service in re.findall(r'clients\.get\("([a-z0-9]+)"\)', path.read_text(encoding="utf-8"))
    }
    assert {"dynamodb", "s3", "sqs"} <= made <= script.SERVICES
    program = f"""
import sys
sys.path.insert(0, {str(package.tree)!r})
import botocore.session
session = botocore.session.Session()
assert set(session.get_available_services()) == {set(script.SERVICES)!r}
for service in {sorted(script.SERVICES)!r}:
    session.create_client(service, region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_libraries_for_lambda_are_for_its_processor_and_python(build: Build) -> None:
    package = build("--no-bytecode", arch="arm64")
    binaries = [path for path in package.tree.rglob("*.so*") if path.is_file()]
    assert binaries
    for path in binaries:
        assert int.from_bytes(path.read_bytes()[18:20], "little") == ARM, path
        assert "cpython-313-" in path.name or ".abi3." in path.name, path
    assert not [*package.tree.rglob("__pycache__")]


def test_functions_run_the_versions_that_are_tested() -> None:
    def pinned(name: str) -> dict[str, str]:
        lines = (DEPLOY.parent / "requirements" / name).read_text(encoding="utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z0-9,]+\])?==([^\s;]+)", lines, re.MULTILINE))

    shipped, tested = pinned("lambda.txt"), pinned("dev.txt")
    assert shipped
    assert {name: tested.get(name) for name in shipped} == shipped


# ---------------------------------------------------------------------------------------------------------- the catalog


def test_a_catalogs_file_is_packed_as_a_module(script: ModuleType, tmp_path: Path) -> None:
    mine, tree = tmp_path / "shop_catalog.py", tmp_path / "tree"
    mine.write_text(CATALOG)
    tree.mkdir()
    assert script.add_catalog(tree, str(mine)) == "shop_catalog:catalog"
    assert (tree / "shop_catalog.py").read_text() == CATALOG


def test_a_catalogs_package_is_packed_whole(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, tree = tmp_path / "shop_events", tmp_path / "tree"
    (folder / "tests").mkdir(parents=True)
    tree.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "kinds.py").write_text(CATALOG.replace("catalog", "mine"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert script.add_catalog(tree, "shop_events.kinds:mine") == "shop_events.kinds:mine"
    assert sorted(path.name for path in (tree / "shop_events").iterdir()) == ["__init__.py", "kinds.py"]


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("broken.py", "raise ValueError('oh')", "cannot be loaded"),
        ("absent.py", None, "no such catalog file"),
        ("my-catalog.py", CATALOG, "must be a Python identifier"),
        ("msgspec.py", CATALOG, "has that name"),
    ],
)
def test_a_catalog_that_no_function_could_load_is_refused(
    script: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    source: str | None,
    says: str,
) -> None:
    (tmp_path / "tree" / "msgspec").mkdir(parents=True)
    if source is not None:
        (tmp_path / name).write_text(source)
    with pytest.raises(SystemExit) as left:
        script.add_catalog(tmp_path / "tree", str(tmp_path / name))
    assert left.value.code == 2
    assert says in capsys.readouterr().err
