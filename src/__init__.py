"""Millrace: an event-sourced platform for event-driven analytics."""

from .core.catalog import Catalog
from .core.errors import CatalogError, MillraceError, PermanentError, TransientError
from .core.schema.shapes import Pattern
from .core.views.measures import Count, Distinct, First, Last, Max, Mean, Min, Quantiles, Sum
from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf, Predicate

__version__ = "0.1.0"
