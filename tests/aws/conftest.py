"""Fixtures of the tests on moto's in-process mock."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from millrace.adapters.aws.orchestrator import StepFunctionsOrchestrator

from .opened import Account, mocked_account


@pytest.fixture
def account() -> Iterator[Account]:
    """An empty account whose clients try each call once."""
    with mocked_account() as opened:
        yield opened


@pytest.fixture
def trying() -> Iterator[Account]:
    """An empty account whose clients try each call three times, as a deployed one does, without sleeping in between."""
    with pytest.MonkeyPatch.context() as patch, mocked_account(attempts=3) as opened:
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
        yield opened


@pytest.fixture
def jobs(account: Account) -> StepFunctionsOrchestrator:
    """The orchestrator of an account in which a job runs until a test says that it ended."""
    return account.orchestrator()
