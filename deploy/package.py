"""Builds the package of all functions: Millrace, a catalog and pinned libraries, the same bytes each time.

``python deploy/package.py --arch arm64 --catalog my_catalog.py`` makes the folder ``build/package/arm64``, which the
template ships, ``arm64.zip`` of the same files, and ``arm64.catalog`` with the value for the template's parameter
``Catalog``.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
LAMBDA_PYTHON = "3.13"
LAMBDA_PLATFORM = "aarch64-manylinux2014"
TASK_ROOT = "/var/task"
"""Where Lambda unpacks the package: the paths that tracebacks show."""

AIM_BYTES = 10_000_000
SERVICES = frozenset({"dynamodb", "dynamodbstreams", "s3", "sqs", "stepfunctions", "xray"})
"""The services, by botocore's names, that adapters/aws makes clients of (tests/deploy compares them). The X-Ray SDK
makes a client of its own service when it is imported.
"""

LEFT_OUT_OF_MILLRACE = ("entrypoints/cli", "testing")
"""The command line, with its libraries, and what tests use are of no use to a function."""

UNUSED = (
    ".lock",
    "bin",
    "*-stubs",
    "**/tests",
    "**/__pycache__",
    "**/*.pyi",
    "**/*.c",
    "**/*.h",
    "botocore/data/*/*/examples-*",
    "botocore/data/*/*/waiters-*",
    "dateutil/zoneinfo/*.tar.gz",
    "*.dist-info/[!MLNl]*",  # METADATA, LICENSE, NOTICE and licenses/ stay; a RECORD names files that are gone
)


def main(arguments: list[str] | None = None) -> int:
    """Build as the arguments say. Returns 0; exits with 2 and a sentence where that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=["arm64", "host"], default="arm64", help="host: what runs on this machine")
    parser.add_argument("--catalog", default="millrace.core.catalogs.retail:catalog", help="module:attribute or a file")
    parser.add_argument("--requirements", type=Path, help="further libraries that the catalog imports, pinned")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "package")
    parser.add_argument(
        "--into", type=Path, help="a folder that gets a copy of the files (where `sam build` wants them)"
    )
    parser.add_argument("--no-bytecode", action="store_true", help="leave compiling to each cold start")
    chosen = parser.parse_args(arguments)

    compiler = None if chosen.no_bytecode else Path(sys.executable) if chosen.arch == "host" else interpreter()
    tree = chosen.out / chosen.arch
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    install(tree, chosen.arch, [ROOT / "requirements" / "lambda.txt", *filter(None, [chosen.requirements])])
    trim(tree)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tree / "millrace", ignore=ignored)
    for path in LEFT_OUT_OF_MILLRACE:
        shutil.rmtree(tree / "millrace" / path, ignore_errors=True)
    catalog = add_catalog(tree, chosen.catalog)
    if compiler is not None:
        compile_all(tree, compiler)
    archive = zipped(tree, chosen.out / f"{chosen.arch}.zip")
    (chosen.out / f"{chosen.arch}.catalog").write_text(catalog + "\n")
    if chosen.into:
        shutil.copytree(tree, chosen.into, dirs_exist_ok=True)

    size = archive.stat().st_size
    print(f"{shown(archive)}: {size / 1e6:.1f} MB, {'' if compiler else 'not '}byte-compiled, Catalog={catalog}")
    if size > AIM_BYTES:
        print(f"That is more than the {AIM_BYTES / 1e6:.0f} MB aimed at: cold starts get slower.", file=sys.stderr)
    return 0


def install(tree: Path, arch: str, requirements: list[Path]) -> None:
    """Put the pinned libraries into the tree, as wheels for Lambda or for this machine."""
    target = ["--python", sys.executable]
    if arch != "host":
        target = ["--python-platform", LAMBDA_PLATFORM, "--python-version", LAMBDA_PYTHON]
    listed = [word for path in requirements for word in ("--requirements", str(path))]
    done = run(uv(), "pip", "install", "--quiet", "--only-binary", ":all:", "--target", str(tree), *target, *listed)
    if done.returncode:
        fail(f"The libraries could not be installed.\n{done.stderr.strip()}")


def trim(tree: Path) -> None:
    """Take out what no function reads: data of other services, tests, type stubs, records of the installation."""
    for pattern in UNUSED:
        for path in [*tree.glob(pattern)]:
            remove(path)
    for path in (tree / "botocore" / "data").iterdir():
        if path.is_dir() and path.name not in SERVICES:
            remove(path)
    for path in (tree / "aws_xray_sdk" / "ext").iterdir():
        if path.is_dir() and path.name not in {"botocore", "resources"}:
            remove(path)


def add_catalog(tree: Path, name: str) -> str:
    """Copy the catalog into the tree; returns the name under which a function finds it there."""
    check_catalog(name)
    where, _, attribute = name.rpartition(":") if ":" in name else (name, "", "catalog")
    if where.endswith(".py") or name.endswith(".py"):
        path, attribute = (Path(name), "catalog") if name.endswith(".py") else (Path(where), attribute)
        if not path.stem.isidentifier():
            fail(f"{path}: a catalog's file is packed as a module, so its name must be a Python identifier.")
        place(path, tree)
        return f"{path.stem}:{attribute}"
    top = where.partition(".")[0]
    if not (tree / top).exists() and not (tree / f"{top}.py").exists():
        sys.path.insert(0, str(Path.cwd()))
        spec = importlib.util.find_spec(top)
        if spec is None or spec.origin is None:
            fail(f"{name}: there is no module {top!r} that could be packed.")
        origin = Path(spec.origin)
        place(origin.parent if spec.submodule_search_locations else origin, tree)
    return f"{where}:{attribute}"


def check_catalog(name: str) -> None:
    """Load the catalog as the functions will, so that a mistake in it shows before anything is deployed."""
    script = "import sys; from millrace.entrypoints.catalogs import load_catalog; load_catalog(sys.argv[1])"
    done = run(sys.executable, "-c", script, name)
    if done.returncode:
        fail(f"The catalog cannot be loaded: {(done.stderr.strip().splitlines() or ['?'])[-1]}")


def place(source: Path, tree: Path) -> None:
    """Copy a module or package to the top of the tree, unless a library has its name."""
    target = tree / source.name
    if target.exists() or (tree / source.stem).exists():
        fail(f"{source.name}: a library in the package has that name; give the catalog another.")
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    else:
        shutil.copyfile(source, target)


def compile_all(tree: Path, python: Path) -> None:
    """Byte-compile everything. The files are never checked against their sources: a zip file changes their times.

    In one process and with one order of sets: what else an interpreter has compiled shows in its bytecode.
    """
    command = [str(python), "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    done = run(*command, "-s", str(tree), "-p", TASK_ROOT, str(tree), PYTHONHASHSEED="0")
    if done.returncode:
        fail(f"Something in the package does not compile.\n{done.stdout.strip()}")


def interpreter() -> Path | None:
    """Lambda's version of Python on this machine, fetched by uv if need be: only it can write its bytecode.

    None where there is none, which is told: the functions then compile in their cold starts.
    """
    command = f"python{LAMBDA_PYTHON}"
    # pyenv and uv keep versions side by side: in their folder, or in that of this interpreter.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = dict.fromkeys([pyenv, Path(sys.base_prefix).parent])
    beside = [path for folder in folders for path in sorted(folder.glob(f"*{LAMBDA_PYTHON}.*/bin/{command}"))]
    for python in filter(None, [sys.executable, shutil.which(command), *map(str, beside)]):
        if version_of(python) == LAMBDA_PYTHON:
            return Path(python)
    for verb in ("find", "install", "find"):
        done = run(uv(), "python", verb, LAMBDA_PYTHON)
        if verb == "find" and done.returncode == 0:
            return Path(done.stdout.strip())
    print(
        f"Bytecode for Lambda needs Python {LAMBDA_PYTHON} on this machine, and uv could not fetch it: cold starts will"
        " compile, and take longer.",
        file=sys.stderr,
    )
    return None


def version_of(python: str) -> str:
    """The interpreter's version, such as 3.13; nothing for what does not run, as a shim of another version."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = run(python, "-c", script)
    return done.stdout.strip() if done.returncode == 0 else ""


def zipped(tree: Path, archive: Path) -> Path:
    """The tree as a zip file that depends on its contents alone: nothing changed, nothing is deployed."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix())
            entry.external_attr = (0o755 if re.search(r"\.so(\.|$)", path.name) else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, path.read_bytes(), compresslevel=9)
    return archive


def uv() -> str:
    """The uv beside this interpreter, else the one on the path."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        fail("uv is not installed; `make package` installs it.")
    return found


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The outcome of a command, run with further environment variables."""
    # uv has its own list of authorities; with this it trusts what the system trusts, as pip does.
    variables = {"UV_SYSTEM_CERTS": "true", **os.environ, **environment}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=variables)  # noqa: S603 (our own)


def remove(path: Path) -> None:
    """Take out a file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def shown(path: Path) -> Path:
    """The path as a person at the top of the checkout would write it."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def fail(sentence: str) -> NoReturn:
    """Say why and leave."""
    print(sentence, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    sys.exit(main())
