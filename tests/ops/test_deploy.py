"""Deploy: what sam is asked to do and in which order, with a stand-in for sam and for the packager."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.errors import StoreError
from millrace.entrypoints.cli.ops import deploy as command
from millrace.entrypoints.ops import access
from millrace.entrypoints.ops.deployment import (
    Deployment,
    Goal,
    goal_of,
    packed_catalog,
    parameters_of,
    passing_through,
    require_checkout,
    sam_of,
    templates,
)
from millrace.entrypoints.ops.verification import Probed
from tests.deploy.stacks import DEPLOY
from tests.e2e.cli import millrace

from .standing import Stand

CATALOG = "millrace.core.catalogs.retail:catalog"
TOOL = """#!{python}
import json, os, sys
name = os.path.basename(sys.argv[0])
with open({log!r}, "a") as log:
    log.write(json.dumps([name, *sys.argv[1:], os.environ.get("PYTHONPATH", "").split(os.pathsep)[0]]) + "\\n")
print(name, "at work")
if any(word in sys.argv for word in {failing!r}):
    sys.exit(7)
if name == "package.py":
    os.makedirs("build/package", exist_ok=True)
    with open("build/package/arm64.catalog", "w") as told:
        told.write("packed:catalog\\n")
"""


@attrs.define
class Checkout:
    """A checkout whose tools only note how they were called."""

    folder: Path
    sam: Path

    @property
    def calls(self) -> list[list[str]]:
        log = self.folder / "log"
        return [json.loads(line)[:-1] for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def paths(self) -> set[str]:
        return {json.loads(line)[-1] for line in (self.folder / "log").read_text().splitlines()}

    def write(self, *failing: str) -> None:
        text = TOOL.format(python=sys.executable, log=str(self.folder / "log"), failing=failing)
        for tool in (self.sam, self.folder / "deploy" / "package.py"):
            tool.write_text(text)
            tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    def deploy(self, *arguments: str, catalog: str = CATALOG) -> Result:
        return millrace("ops", "deploy", "--checkout", self.folder, "--catalog", catalog, *arguments)

    def steps(self) -> list[str]:
        """Which steps were done, in a word each."""
        found = []
        for call in self.calls:
            word = call[1] if call[0] == "sam" else "package"
            found.append("changes" if "--no-execute-changeset" in call else word)
        return found


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    folder = tmp_path / "checkout"
    (folder / "deploy" / "stacks").mkdir(parents=True)
    (folder / "deploy" / "template.yaml").touch()
    (folder / "deploy" / "stacks" / "api.yaml").touch()
    made = Checkout(folder, tmp_path / "sam")
    made.write()
    monkeypatch.setenv("MILLRACE_SAM", str(made.sam))
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setattr(command, "_verified", lambda stack: [])
    return made


# --------------------------------------------------------------------------------------------------- what sam is asked


def test_environments_have_stacks_of_their_own() -> None:
    assert goal_of("production") == Goal("production", "millrace")
    assert goal_of("staging") == Goal("staging", "millrace-staging")
    assert goal_of("staging", "shop") == Goal("staging", "shop")


@pytest.mark.parametrize("name", ["", "Staging", "1st", "a_b", "a" * 22, "-a"])
def test_what_the_template_takes_for_no_environment_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="is no environment"):
        goal_of(name)


def test_the_commands_are_those_that_deploy_by_hand() -> None:
    plan = Deployment(goal=goal_of("staging"), sam="sam", region="eu-west-1", python="python", requirements="/r.txt")
    assert plan.validating("deploy/template.yaml") == [
        *("sam", "validate", "--lint", "--template", "deploy/template.yaml", "--region", "eu-west-1")
    ]
    assert plan.packing("/shop.py") == [
        *("python", "deploy/package.py", "--arch", "arm64", "--catalog", "/shop.py", "--requirements", "/r.txt")
    ]
    assert plan.deploying("shop:catalog", {"RateLimit": "20", "AlarmEmail": ""}, execute=True) == [
        *("sam", "deploy", "--template", "deploy/template.yaml", "--stack-name", "millrace-staging", "--resolve-s3"),
        *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND", "--no-confirm-changeset"),
        *("--no-fail-on-empty-changeset", "--region", "eu-west-1", "--parameter-overrides", 'AlarmEmail=""'),
        *('Catalog="shop:catalog"', 'Environment="staging"', 'RateLimit="20"'),
    ]
    only_shown = plan.deploying("shop:catalog", {}, execute=False)
    assert "--no-execute-changeset" in only_shown
    assert "--region" not in attrs.evolve(plan, region="").deploying("shop:catalog", {}, execute=True)


def test_what_the_stack_needs_is_what_the_samconfig_says() -> None:
    told = (DEPLOY / "samconfig.toml").read_text(encoding="utf-8")
    plan = Deployment(goal=goal_of("production"), sam="sam").deploying("c", {}, execute=True)
    capabilities = plan[plan.index("--capabilities") + 1 : plan.index("--no-confirm-changeset")]
    assert f'capabilities = "{" ".join(capabilities)}"' in told
    assert 'stack_name = "millrace"' in told
    assert "resolve_s3 = true" in told


@given(
    st.dictionaries(
        st.text("abcXYZ019", min_size=1), st.text().filter(lambda text: not {*text} & {'"', "'", "\\"}), max_size=4
    )
)
def test_parameters_are_taken_as_they_are_given(parameters: dict[str, str]) -> None:
    assert parameters_of([f"{name}={value}" for name, value in parameters.items()]) == parameters


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("RateLimit", "is no parameter"),
        ("=1", "is no parameter"),
        ("Rate Limit=1", "is no parameter"),
        ("Environment=staging", "is said by --to"),
        ("Catalog=x:y", "is said by --catalog"),
        ('A="b"', "takes no quotes"),
        ("A=b\\ c", "takes no quotes"),
    ],
)
def test_parameters_that_sam_would_misread_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parameters_of([text])


def test_every_part_of_the_template_is_validated() -> None:
    found = templates(DEPLOY.parent)
    assert found[0] == "deploy/template.yaml"
    assert {path.name for path in (DEPLOY / "stacks").glob("*.yaml")} == {Path(name).name for name in found[1:]}
    require_checkout(DEPLOY.parent)


def test_sam_is_the_one_that_is_named_else_the_one_on_the_path(tmp_path: Path) -> None:
    sam = tmp_path / "sam"
    sam.touch(mode=0o755)
    assert sam_of({"MILLRACE_SAM": "/opt/sam", "PATH": str(tmp_path)}) == "/opt/sam"
    assert sam_of({"PATH": str(tmp_path)}) == str(sam)
    with pytest.raises(StoreError, match="pip install aws-sam-cli"):
        sam_of({"PATH": str(tmp_path / "empty")})


def test_what_a_command_prints_goes_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = passing_through(tmp_path)
    assert run([sys.executable, "-c", "import os; print(os.getcwd()); raise SystemExit(3)"]) == 3
    printed = capfd.readouterr()
    assert (printed.out, printed.err.strip()) == ("", str(tmp_path))
    with pytest.raises(StoreError, match="cannot be run: No such file"):
        run([str(tmp_path / "nothing")])


# ------------------------------------------------------------------------------------------------------- the command


def test_the_steps_come_in_order_and_the_change_set_before_the_question(checkout: Checkout) -> None:
    result = checkout.deploy("--to", "staging")  # nobody answers
    assert result.exit_code == 130
    assert checkout.steps() == ["validate", "validate", "package", "changes"]
    assert packed_catalog(checkout.folder) == "packed:catalog"


def test_a_deployment_that_is_confirmed_is_carried_out(checkout: Checkout) -> None:
    result = checkout.deploy("--yes", "--parameter", "RateLimit=20", "--parameter", "ReconcileSchedule=rate(2 hours)")
    assert result.exit_code == 0, result.output
    assert result.stdout == "The stack millrace-staging is deployed.\n"
    assert checkout.steps() == ["validate", "validate", "package", "deploy"]
    asked = checkout.calls[-1]
    assert asked[asked.index("--stack-name") + 1] == "millrace-staging"
    assert asked[asked.index("--parameter-overrides") + 1 :] == [
        *('Catalog="packed:catalog"', 'Environment="staging"', 'RateLimit="20"'),
        'ReconcileSchedule="rate(2 hours)"',
    ]
    assert checkout.paths == {os.getcwd()}


def test_a_dry_run_makes_the_change_set_and_no_more(checkout: Checkout) -> None:
    result = checkout.deploy("--to", "production", "--dry-run", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told == {"made": False, "stack": "millrace", "environment": "production", "verified": []}
    assert checkout.steps() == ["validate", "validate", "package", "changes"]


@pytest.mark.parametrize(
    ("failing", "steps", "said"),
    [
        ("validate", ["validate"], "Validating deploy/template.yaml failed with exit code 7"),
        ("--catalog", ["validate", "validate", "package"], "Building the package failed with exit code 7"),
        ("deploy", ["validate", "validate", "package", "deploy"], "Deploying failed with exit code 7"),
    ],
    ids=["validate", "package", "deploy"],
)
def test_a_step_that_fails_is_the_last(checkout: Checkout, failing: str, steps: list[str], said: str) -> None:
    checkout.write(failing)
    result = checkout.deploy("--yes")
    assert result.exit_code == 1
    assert said in result.stderr
    assert checkout.steps() == steps


def test_a_catalog_with_a_mistake_stops_it_before_anything_is_built(checkout: Checkout, tmp_path: Path) -> None:
    wrong = tmp_path / "shop.py"
    wrong.write_text('from millrace import Catalog\ncatalog = Catalog("shop")\n')
    result = checkout.deploy("--yes", catalog=str(wrong))
    assert (result.exit_code, checkout.calls) == (2, [])
    assert "declares no event types" in result.stderr


def test_a_catalog_file_is_named_so_that_the_packager_finds_it(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from millrace.core.catalogs.retail import catalog\nother = catalog\n"
    (tmp_path / "shop.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    for name, packed in (("shop.py", f"{tmp_path}/shop.py"), ("shop.py:other", f"{tmp_path}/shop.py:other")):
        assert checkout.deploy("--yes", catalog=name).exit_code == 0
        assert packed in checkout.calls[2]
        (checkout.folder / "log").unlink()


def test_what_is_missing_is_said(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLRACE_SAM")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert "The AWS SAM CLI is not installed" in checkout.deploy().stderr
    (checkout.folder / "deploy" / "template.yaml").unlink()
    result = checkout.deploy()
    assert (result.exit_code, checkout.calls) == (2, [])
    assert "there is no deploy/template.yaml" in result.stderr
    for wrong in (("--to", "Prod"), ("--parameter", "x")):
        assert checkout.deploy(*wrong).exit_code == 2
    assert "--catalog" in millrace("ops", "deploy").stderr


# ------------------------------------------------------------------------------------------------------------ verified


def test_what_was_deployed_is_verified_and_a_probe_that_fails_fails_it(
    cloud: Stand, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from millrace.entrypoints.ops import verification

    monkeypatch.undo()
    monkeypatch.setenv("MILLRACE_SAM", str(checkout.sam))
    asked: list[str] = []

    def verify(api: Any, *_: Any, **settings: Any) -> Any:
        asked.append(api.url)
        assert (settings["probes"], settings["within"]) == (3, 500)
        probed = Probed("p", "r", 10, milliseconds, milliseconds and 200)
        return [verification.judged([probed], settings["within"], settings["patience"])]

    monkeypatch.setattr(verification, "verify", verify)
    for milliseconds, code in ((100, 0), (None, 1)):
        result = checkout.deploy("--to", "production", "--yes")
        assert result.exit_code == code, result.output
        assert "The stack millrace is deployed." in result.stdout
        told = json.loads(checkout.deploy("--to", "production", "--yes", "--json").stdout)
        assert told["verified"][0]["rows"][0]["curated_ms"] == milliseconds
    assert checkout.deploy("--to", "production", "--yes", "--no-verify").exit_code == 0
    assert asked == [cloud["ApiUrl"]] * 4
    assert access.endpoint_of(cloud.stack).url == cloud["ApiUrl"]


def test_a_stack_that_did_not_come_about_is_said_so(
    nothing: Callable[..., Result], checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("MILLRACE_SAM", str(checkout.sam))
    result = checkout.deploy("--to", "production", "--yes")
    assert result.exit_code == 2
    assert "there is no stack millrace" in result.stderr
