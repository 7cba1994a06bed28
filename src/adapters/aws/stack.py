"""A deployed stack by its name: the resources that its outputs tell of."""

from collections.abc import Mapping
from typing import Final

import attrs
from botocore.exceptions import ClientError

from ...core.errors import StoreError
from .clients import Clients
from .errors import code_of, translated
from .store import Resources

OUTPUTS: Final = {
    field.name: "".join(part.capitalize() for part in field.name.split("_")) for field in attrs.fields(Resources)
}
"""The name of the output that tells of a resource: ``raw_bucket`` is told by ``RawBucket``."""


def stack_resources(clients: Clients, stack: str) -> Resources:
    """The resources of a stack. Raises ``StoreError``: no such stack, or one that is none of Millrace's."""
    outputs = stack_outputs(clients, stack)
    if missing := [output for output in OUTPUTS.values() if not outputs.get(output)]:
        raise StoreError(f"the stack {stack} is none of Millrace's: it has no output {missing[0]}")
    return Resources(**{name: outputs[output] for name, output in OUTPUTS.items()})


def stack_outputs(clients: Clients, stack: str) -> Mapping[str, str]:
    """All outputs of a stack by name. Raises ``StoreError`` where there is no such stack."""
    with translated(f"the stack {stack}"):
        try:
            answer = clients.get("cloudformation").describe_stacks(StackName=stack)
        except ClientError as error:
            # CloudFormation has no code of its own for a stack that is not there (API reference, DescribeStacks).
            if code_of(error) == "ValidationError":
                where = f" in {clients.region}" if clients.region else ""
                raise StoreError(f"there is no stack {stack}{where}") from error
            raise
    [found] = answer["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}
