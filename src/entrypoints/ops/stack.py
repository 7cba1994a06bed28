"""``Stack``: a deployed stack by its name: its outputs, the names of its parts, and calls about them."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ...adapters.aws.account import Account
from ...adapters.aws.clients import Clients
from ...adapters.aws.stack import stack_outputs
from ...adapters.system import SystemClock
from ...core.ports import Clock

ALIAS = "prod"
"""The alias of every function that clients, queues and the state machine call."""

FUNCTIONS = ("ingestion", "validation", "transformation", "analytics", "query")
"""What the functions do, in the order of an event's way; their names are made of it."""

TABLES = ("CuratedTable", "IdentitiesTable", "ViewsTable", "LedgerTable")
"""The outputs that name tables."""


@attrs.frozen
class Stack:
    """One stack and its account. Parts whose names the template fixes are named here, all others are outputs."""

    name: str
    account: Account
    outputs: Mapping[str, str]
    clock: Clock = attrs.field(factory=SystemClock)

    @property
    def environment(self) -> str:
        """The parameter ``Environment``: production, staging…"""
        return self.outputs["Environment"]

    @property
    def suffix(self) -> str:
        """What every name ends with: nothing in production."""
        return "" if self.environment == "production" else f"-{self.environment}"

    @property
    def account_id(self) -> str:
        """The account's number, from the ARN of the state machine."""
        return self.outputs["StateMachineArn"].split(":")[4]

    @property
    def api_id(self) -> str:
        """The id of the REST API, from its URL (https://ID.execute-api.…)."""
        return self.outputs["ApiUrl"].partition("://")[2].partition(".")[0]

    def function(self, role: str) -> str:
        """The name of the function that does this, given as "ingestion" or "ingestion-lambda" or the name itself.

        Raises ``KeyError`` with a sentence.
        """
        plain = role.removesuffix(self.suffix) if self.suffix else role
        plain = plain.removesuffix("-lambda")
        if plain not in FUNCTIONS:
            raise KeyError(f"There is no function {role!r}; there are {', '.join(FUNCTIONS)}")
        return f"{plain}-lambda{self.suffix}"

    @property
    def functions(self) -> list[str]:
        """The names of all functions."""
        return [self.function(role) for role in FUNCTIONS]

    def log_group(self, function: str) -> str:
        """The log group of a function."""
        return f"/aws/lambda/{function}"

    @property
    def tables(self) -> list[str]:
        """The names of all tables."""
        return [self.outputs[output] for output in TABLES]

    def ask(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """As ``Account.ask``."""
        return self.account.ask(service, operation, **parameters)


def open_stack(name: str, *, make: Callable[[], Clients] = Clients, clock: Clock | None = None) -> Stack:
    """The stack of that name. Raises ``StoreError`` where there is none, or one of something else."""
    clients = make()
    return Stack(name, Account(clients), stack_outputs(clients, name), clock or SystemClock())
