"""Which user code only reads fields: it cannot tell a twin from an instance, so that none has to be made for it."""

import dis
import inspect
from collections.abc import Callable, Collection
from itertools import pairwise
from types import FunctionType
from typing import Any

_REVEALING = frozenset({"locals", "vars", "dir", "eval", "exec", "globals", "breakpoint", "_getframe", "currentframe"})
_READS = frozenset({"LOAD_FAST", "LOAD_FAST_BORROW", "STORE_FAST_LOAD_FAST"})
"""Instructions that leave the last variable they name on top of the stack."""


def only_reads(function: Callable[..., Any], fields: Collection[str]) -> bool:
    """Whether a function of one argument does nothing with it but look up fields, as its byte code proves.

    Passing the argument on, keeping it, calling a method of it or comparing it: all of that says False, and so does
    everything this cannot follow.
    """
    if not isinstance(function, FunctionType):
        return False
    code = function.__code__
    special = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_GENERATOR | inspect.CO_COROUTINE
    plain = code.co_argcount == 1 and not code.co_kwonlyargcount and not code.co_flags & special
    if not plain or code.co_cellvars or _REVEALING.intersection(code.co_names):
        return False
    argument, steps = code.co_varnames[0], [*dis.get_instructions(code)]
    for step, following in pairwise(steps):
        names = _names(step.argval) if step.opcode in dis.haslocal else ()
        if argument not in names:
            continue
        read = step.opname in _READS and argument not in names[:-1]
        if not (read and following.opname == "LOAD_ATTR" and following.argval in fields):
            return False
    return True


def _names(argval: Any) -> tuple[Any, ...]:
    return argval if isinstance(argval, tuple) else (argval,)
