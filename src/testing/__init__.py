"""For tests of catalogs: a platform in memory, and, with the extra ``testing``, Hypothesis strategies and the laws."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .delivered import Delivered
from .laws import LawBroken, holds_the_laws
from .memory import MemoryPlatform

if TYPE_CHECKING:
    from .history import histories
    from .strategies import data, events
    from .values import TooNarrow

__all__ = ["Delivered", "LawBroken", "MemoryPlatform", "TooNarrow", "data", "events", "histories", "holds_the_laws"]


def __getattr__(name: str) -> Any:
    """What needs Hypothesis, imported when it is asked for."""
    where = {"histories": "history", "data": "strategies", "events": "strategies", "TooNarrow": "values"}
    if name not in where:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{where[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        message = f"{__name__}.{name} needs Hypothesis: pip install 'millrace[testing]'"
        raise ModuleNotFoundError(message, name="hypothesis") from None
