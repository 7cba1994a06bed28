"""Millrace: an event-sourced platform for event-driven analytics.

What a catalog is written with; the names of constraints are those of ``annotated_types``.
"""

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Predicate

from .core.catalog import Catalog
from .core.decoding.signatures import Signature, TimestampedSignature
from .core.errors import CatalogError, MillraceError, PermanentError, TransientError
from .core.schema.shapes import Pattern
from .core.views.measures import Count, Distinct, First, Last, Max, Mean, Measure, Min, Quantiles, Sum

__version__ = "0.1.0"
# pytest rewrites assertions of all that comes with a plugin, and warns of what was imported before it; here are none.
__doc__ = f"{__doc__}\nPYTEST_DONT_REWRITE\n"

__all__ = [
    "Catalog",
    "CatalogError",
    "Count",
    "Distinct",
    "First",
    "Ge",
    "Gt",
    "Interval",
    "Last",
    "Le",
    "Len",
    "Lt",
    "Max",
    "MaxLen",
    "Mean",
    "Measure",
    "MillraceError",
    "Min",
    "MinLen",
    "MultipleOf",
    "Pattern",
    "PermanentError",
    "Predicate",
    "Quantiles",
    "Signature",
    "Sum",
    "TimestampedSignature",
    "TransientError",
]
