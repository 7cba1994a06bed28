"""How commands end: every expected error is one sentence on standard error and an exit code, here and nowhere else."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from ...core.errors import MillraceError, TransientError
from ..files import InputError
from .output import printable

OK, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


class Fault(Exception):
    """A command cannot go on; the message is a sentence."""

    def __init__(self, message: str, code: int = WRONG_USAGE) -> None:
        super().__init__(message)
        self.code = code


class Commands(click.Group):
    """A group whose commands return their exit code (None: 0) and may raise what is told below."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name or "millrace", **extra)
        except click.ClickException as error:
            _tell(*_usage(error))
            code = error.exit_code
        except click.Abort:
            code = INTERRUPTED
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except Fault as fault:
            _tell(str(fault))
            return fault.code
        except TransientError as error:
            _tell(f"{error}; trying again may help")
            return FAILED
        except (MillraceError, InputError) as error:
            _tell(str(error))
            return WRONG_USAGE
        except BrokenPipeError:
            _let_go_of_output()
            return OK  # who reads the output has seen enough
        except OSError as error:
            _tell(f"{error.filename or 'Writing'}: {error.strerror or error}")
            _let_go_of_output()
            return FAILED
        except KeyboardInterrupt:
            _tell("Interrupted; what was accepted is kept, and is finished when the store is opened next")
            return INTERRUPTED
        return code


def warn(message: str) -> None:
    """Tell people of something that is no reason to stop."""
    _tell(message)


def _usage(error: click.ClickException) -> tuple[str, str]:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "millrace"
    return f"{error.format_message().rstrip('.')}; see {path} --help", path


def _tell(message: str, path: str = "millrace") -> None:
    sentence = printable(" ".join(message.split()))
    click.echo(f"{path}: {sentence}{'' if sentence.endswith(('.', '!', '?')) else '.'}", err=True)


def _let_go_of_output() -> None:
    """What is left in buffers goes nowhere, instead of failing once more when the interpreter ends."""
    with suppress(OSError, ValueError):  # no file may be behind it, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
