"""What others' tools find in deploy/: cfn-lint always, sam and checkov where they are installed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from .stacks import DEPLOY, ROOT, TEMPLATES

CHECKOUT = DEPLOY.parent
OFFLINE = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}


def tool(name: str) -> str:
    """The command: what MILLRACE_SAM or MILLRACE_CHECKOV says, else that of `make lint-deploy`, else on the path."""
    beside = CHECKOUT / ".venv" / name / "bin" / name
    found = os.environ.get(f"MILLRACE_{name.upper()}") or (str(beside) if beside.exists() else shutil.which(name))
    if not found:
        pytest.skip(f"{name} is not installed: `make lint-deploy` does it")
    return found


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **OFFLINE}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT, env=environment)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_cfn_lint_finds_nothing(template: Path) -> None:
    from cfnlint.api import ManualArgs, lint_file  # type: ignore[import-untyped]

    assert [str(match) for match in lint_file(template, config=ManualArgs(regions=["us-east-1"]))] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_sam_finds_every_template_valid(template: Path) -> None:
    done = ran(tool("sam"), "validate", "--lint", "--template", str(template))
    assert done.returncode == 0, done.stdout + done.stderr


def test_checkov_finds_nothing() -> None:
    done = ran(tool("checkov"), "--config-file", str(DEPLOY / "checkov.yaml"), "--directory", str(DEPLOY))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Passed checks: [1-9]", done.stdout)


def test_every_check_that_is_skipped_has_its_reason_beside_it() -> None:
    source = (DEPLOY / "checkov.yaml").read_text(encoding="utf-8")
    skipped = yaml.safe_load(source)["skip-check"]
    explained = re.findall(r"^  - (CKV_AWS_\d+) # \S.{20,}$", source, re.MULTILINE)
    assert explained == skipped
    assert not re.search(r"checkov:skip|cfn-lint", "".join(path.read_text(encoding="utf-8") for path in TEMPLATES))


def test_sam_builds_each_function_with_the_script_of_make_package() -> None:
    functions = re.findall(
        r"^  (\w+):\n    Type: AWS::Serverless::Function\n(.*)$", ROOT.read_text("utf-8"), re.MULTILINE
    )
    assert len(functions) == 5
    assert {metadata.strip() for _, metadata in functions} == {
        "Metadata: { BuildMethod: makefile, ProjectRootDirectory: ., ContextPath: ., WorkingDirectory: .. }"
    }
    rules = (DEPLOY / "Makefile").read_text(encoding="utf-8")
    assert """package ARGS='--into "$(ARTIFACTS_DIR)"'""" in rules
