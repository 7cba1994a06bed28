"""What the byte code of user code proves: that it only reads fields, and which of them it hands on unchanged.

Code that only reads cannot tell a twin from an instance, so that none has to be made for it; and what it hands on was
checked when it was decoded, so that it need not be checked again.
"""

import dis
import inspect
from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from types import FunctionType
from typing import Any

_REVEALING = frozenset({"locals", "vars", "dir", "eval", "exec", "globals", "breakpoint", "_getframe", "currentframe"})
_READS = frozenset({"LOAD_FAST", "LOAD_FAST_BORROW", "STORE_FAST_LOAD_FAST"})
"""Instructions that leave the last variable they name on top of the stack."""
_STRAIGHT = {
    "BINARY_OP", "BINARY_SUBSCR", "BUILD_CONST_KEY_MAP", "BUILD_STRING", "CALL", "COMPARE_OP", "CONTAINS_OP",
    "CONVERT_VALUE", "COPY_FREE_VARS", "FORMAT_SIMPLE", "FORMAT_VALUE", "FORMAT_WITH_SPEC", "IS_OP", "KW_NAMES",
    "LOAD_ATTR", "LOAD_CONST", "LOAD_DEREF", "LOAD_FAST", "LOAD_GLOBAL", "LOAD_METHOD", "PRECALL", "PUSH_NULL",
    "RESUME", "RETURN_VALUE", "STORE_FAST", "TO_BOOL", "UNARY_INVERT", "UNARY_NEGATIVE", "UNARY_NOT",
}  # fmt: skip
"""Instructions that take from the top of the stack, put onto it, and go on with the next; none reorders it."""


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


def handed_on(function: Callable[..., Any], fields: Collection[str]) -> Mapping[str, str | None] | None:
    """The keys of the dict display that a function which ``only_reads`` always returns, each with the field that is
    its value unchanged, or None for another value. None where that cannot be proved.
    """
    if not isinstance(function, FunctionType) or not only_reads(function, fields):
        return None
    steps = [*dis.get_instructions(function)]
    straight = all(step.opname in _STRAIGHT for step in steps) and not function.__code__.co_exceptiontable
    ends = [step.opname for step in steps[-3:]] == ["LOAD_CONST", "BUILD_CONST_KEY_MAP", "RETURN_VALUE"]
    if not straight or not ends or sum(step.opname == "RETURN_VALUE" for step in steps) > 1:
        return None
    keys, argument = steps[-3].argval, function.__code__.co_varnames[0]
    if any(key.__class__ is not str for key in keys) or len(set(keys)) < len(keys):
        return None
    found: dict[str, str | None] = {}
    end = len(steps) - 3
    for key in reversed(keys):
        start, depth = end, 0
        while depth < 1:  # the shortest run of instructions that leaves one value makes the last of them
            start -= 1
            depth += dis.stack_effect(steps[start].opcode, steps[start].arg)
        made = steps[start:end]
        read = [step.opname for step in made] == ["LOAD_FAST", "LOAD_ATTR"] and made[0].argval == argument
        found[key] = made[1].argval if read else None
        end = start
    return found


def _names(argval: Any) -> tuple[Any, ...]:
    return argval if isinstance(argval, tuple) else (argval,)
