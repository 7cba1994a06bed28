"""The catalog: what a user declares, checked while it is declared and once more as a whole."""

from .builder import Catalog
from .declarations import EventType, Rule

__all__ = ["Catalog", "EventType", "Rule"]
