"""Options of the commands that look into what functions logged and traced: which functions, which time."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ...ops.ids import is_quotable
from ..options import Command, as_time, named_after

if TYPE_CHECKING:
    from ...ops.stack import Stack


def since(default: str) -> Callable[[Command], Command]:
    """--since, in microseconds."""
    return click.option(
        "--since",
        callback=as_time,
        default=default,
        show_default=f"{default} ago",
        metavar="TIME",
        help="From this instant on: RFC 3339, a date, or ago (15m, 2h, 7d).",
    )


def until(command: Command) -> Command:
    """--until, in microseconds; None for now."""

    @click.option("--until", callback=as_time, metavar="TIME", help="Up to before this instant.")
    def with_until(*args: Any, since: int, until: int | None, **rest: Any) -> Any:
        if until is not None and since >= until:
            raise click.UsageError("--since is not before --until.")
        return command(*args, since=since, until=until, **rest)

    return named_after(command, with_until)


def names(stack: "Stack", roles: tuple[str, ...]) -> list[str]:
    """The names of the functions that are meant; all where none is."""
    try:
        return [*dict.fromkeys(stack.function(role) for role in roles)] or stack.functions
    except KeyError as error:
        raise click.UsageError(f"{error.args[0]}.") from None


def quotable(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """An id: letters, digits and a few signs, so that it can stand in a filter as it is."""
    if value is not None and not is_quotable(value):
        raise click.BadParameter(f"{value!r} is no id: ids have letters, digits and any of _.:=+/@-.")
    return value
