"""Options that the operations share: which stack, how a change is made."""

from typing import TYPE_CHECKING, Any

import click

from ..exits import Fault
from ..options import Command, named_after

if TYPE_CHECKING:
    from ...ops.stack import Stack

dry_run = click.option("--dry-run", is_flag=True, help="Only show what would be changed.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


def on_a_stack(command: Command) -> Command:
    """--store, as the argument ``stack``."""

    @click.option(
        "--store",
        envvar="MILLRACE_STORE",
        required=True,
        metavar="aws:STACK",
        help="The stack (env MILLRACE_STORE).",
    )
    def with_stack(*args: Any, store: str, **rest: Any) -> Any:
        return command(*args, stack=_opened(store), **rest)

    return named_after(command, with_stack)


def changing(command: Command) -> Command:
    """--dry-run and --yes, as they are."""
    return dry_run(yes(command))


def _opened(store: str) -> "Stack":
    scheme, _, name = store.partition(":")
    if scheme != "aws" or not name:
        raise click.UsageError(f"{store!r} is no stack: operations are for what runs on AWS, --store aws:STACK.")
    try:
        from ...ops.stack import open_stack
    except ModuleNotFoundError as error:
        if error.name != "botocore":
            raise
        raise Fault("Operations need the extra aws: pip install 'millrace[aws]'") from None
    return open_stack(name)
