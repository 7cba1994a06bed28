"""Whether two functions of catalogs are the same code: it may stand at other lines, and in another file."""

from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

_PLAIN = (str, int, float, bool, bytes, type(None))


def same_code(one: Callable[..., Any] | None, other: Callable[..., Any] | None) -> bool:
    """Whether two functions do the same by their own code, the constants it uses included.

    What functions that they call do is not looked at, nor what other code is written differently to the same effect.
    """
    return one is other or _print(one) == _print(other)


def _print(function: Any) -> Any:
    if not isinstance(function, FunctionType):
        named = getattr(function, "__qualname__", None)
        return (getattr(function, "__module__", None), named) if named else repr(type(function))
    code = function.__code__
    known = {name: function.__globals__[name] for name in _names(code) if name in function.__globals__}
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    return (
        _of_code(code, function.__doc__),
        _constants(function.__defaults__ or ()),
        _constants(dict(sorted((function.__kwdefaults__ or {}).items())).values()),
        sorted((name, repr(value)) for name, value in known.items() if isinstance(value, _PLAIN)),
        _constants(cells),
    )


def _of_code(code: CodeType, doc: str | None = None) -> Any:
    consts = [_of_code(const) if isinstance(const, CodeType) else repr(const) for const in code.co_consts]
    if doc is not None and code.co_consts[:1] == (doc,):  # a docstring is no code
        consts[0] = repr(None)
    return code.co_code, code.co_names, code.co_argcount, code.co_kwonlyargcount, consts


def _names(code: CodeType) -> set[str]:
    """All names that code looks up, that of inner functions and comprehensions too."""
    return set(code.co_names).union(*(_names(const) for const in code.co_consts if isinstance(const, CodeType)))


def _constants(values: Any) -> list[str]:
    return [repr(value) if isinstance(value, _PLAIN) else type(value).__name__ for value in values]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # it has no value yet
        return False
