"""Deployment: what `sam` is asked to do, in which order, and running it with its output passed through."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from ...core.errors import StoreError

TEMPLATE: Final = "deploy/template.yaml"
PACKAGER: Final = "deploy/package.py"
PACKAGED: Final = "build/package/arm64.catalog"
"""What the packager leaves: the value of the template's parameter ``Catalog``."""
PRODUCTION: Final = "production"
CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND")
"""The stacks make roles, and the API's is transformed."""

_ENVIRONMENT: Final = re.compile(r"[a-z][a-z0-9-]{0,20}")  # as in the template

Run = Callable[[Sequence[str]], int]
"""Runs a command in the checkout; its exit code."""


class StepFailed(Exception):
    """A step ended with another exit code than 0; what it said was passed through."""


@attrs.frozen
class Goal:
    """Which stack of which environment is deployed."""

    environment: str
    stack: str


def goal_of(environment: str, stack: str | None = None) -> Goal:
    """The stack of an environment: ``millrace``, with the environment's name behind it unless that is production.

    Raises ``ValueError`` with a sentence.
    """
    if not _ENVIRONMENT.fullmatch(environment):
        raise ValueError(
            f"{environment!r} is no environment: a letter and up to 20 letters, digits or -, in lower case"
        )
    suffix = "" if environment == PRODUCTION else f"-{environment}"
    return Goal(environment, stack or f"millrace{suffix}")


@attrs.frozen(kw_only=True)
class Deployment:
    """The commands of a deployment, none of which is run here. Paths are relative to the checkout."""

    goal: Goal
    sam: str
    region: str = ""
    python: str = sys.executable
    requirements: str | None = None

    def validating(self, template: str) -> list[str]:
        """Check a template, and lint it."""
        return [self.sam, "validate", "--lint", "--template", template, *self._where()]

    def packing(self, catalog: str) -> list[str]:
        """Build the package with a catalog."""
        more = ["--requirements", self.requirements] if self.requirements else []
        return [self.python, PACKAGER, "--arch", "arm64", "--catalog", catalog, *more]

    def deploying(self, packed: str, parameters: Mapping[str, str], *, execute: bool) -> list[str]:
        """Upload the package, and make a change set; with ``execute`` carry it out. Parameters of the stack that are
        not given stay as they are.
        """
        given = {**parameters, "Environment": self.goal.environment, "Catalog": packed}
        return [
            *(self.sam, "deploy", "--template", TEMPLATE, "--stack-name", self.goal.stack, "--resolve-s3"),
            *("--capabilities", *CAPABILITIES, "--no-confirm-changeset", "--no-fail-on-empty-changeset"),
            *([] if execute else ["--no-execute-changeset"]),
            *self._where(),
            # In quotes, since sam leaves off what follows a blank, and refuses a value that is empty.
            *("--parameter-overrides", *(f'{name}="{value}"' for name, value in sorted(given.items()))),
        ]

    def _where(self) -> list[str]:
        # sam does not read AWS_REGION, by which everything else here goes.
        return ["--region", self.region] if self.region else []


def parameters_of(texts: Sequence[str]) -> dict[str, str]:
    """Parameters given as NAME=VALUE. Raises ``ValueError`` with a sentence."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isalnum():
            raise ValueError(f"{text!r} is no parameter: give NAME=VALUE")
        if name in ("Environment", "Catalog"):
            raise ValueError(f"{name} is said by --{'to' if name == 'Environment' else 'catalog'}")
        if {*value} & {'"', "'", "\\"}:
            raise ValueError(f"{name}: sam deploy takes no quotes and backslashes in a value")
        found[name] = value
    return found


def require_checkout(folder: Path) -> None:
    """Raises ``StoreError`` where the folder has no template and no packager."""
    for name in (TEMPLATE, PACKAGER):
        if not (folder / name).is_file():
            raise StoreError(f"{folder}: there is no {name}; deploy from a checkout, or name it: --checkout")


def sam_of(environment: Mapping[str, str] = os.environ) -> str:
    """The command ``sam``: what MILLRACE_SAM says, else the one on the path. Raises ``StoreError``."""
    found = environment.get("MILLRACE_SAM") or shutil.which("sam", path=environment.get("PATH"))
    if not found:
        raise StoreError(
            "The AWS SAM CLI is not installed: pip install aws-sam-cli, or name it in the environment as MILLRACE_SAM"
        )
    return found


def templates(folder: Path) -> list[str]:
    """The template and those of its parts."""
    parts = sorted((folder / "deploy" / "stacks").glob("*.yaml"))
    return [TEMPLATE, *(part.relative_to(folder).as_posix() for part in parts)]


def packed_catalog(folder: Path) -> str:
    """The catalog of the package that was built, as the functions find it."""
    return (folder / PACKAGED).read_text(encoding="utf-8").strip()


def passing_through(folder: Path) -> Run:
    """Runs commands in a folder. What they print, on standard output too, goes to standard error.

    What can be imported where the operator stands can be so by the packager.
    """
    paths = [str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def run(command: Sequence[str]) -> int:
        try:
            return subprocess.run(command, cwd=folder, stdout=2, env=variables, check=False).returncode  # noqa: S603
        except OSError as error:
            raise StoreError(f"{command[0]} cannot be run: {error.strerror or error}") from error

    return run


def carried_out(run: Run, what: str, command: Sequence[str]) -> None:
    """Run one step. Raises ``StepFailed``."""
    code = run(command)
    if code:
        raise StepFailed(f"{what} failed with exit code {code}: {' '.join(command)}")
