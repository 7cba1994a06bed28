"""Options that the operations share: which stack, how a change is made."""

from collections.abc import Iterator
from contextlib import contextmanager
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
        return command(*args, stack=opened(store), **rest)

    return named_after(command, with_stack)


def changing(command: Command) -> Command:
    """--dry-run and --yes, as they are."""
    return dry_run(yes(command))


def opened(store: str) -> "Stack":
    """The stack that a store URL names. Raises ``UsageError`` for any other store, ``StoreError`` where it is none."""
    scheme, _, name = store.partition(":")
    if scheme != "aws" or not name:
        raise click.UsageError(f"{store!r} is no stack: operations are for what runs on AWS, --store aws:STACK.")
    with needing_aws():
        from ...ops.stack import open_stack
    return open_stack(name)


@contextmanager
def needing_aws() -> Iterator[None]:
    """For imports: a sentence where the extra is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "botocore":
            raise
        raise Fault("Operations need the extra aws: pip install 'millrace[aws]'") from None
