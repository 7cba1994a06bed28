"""Canonical JSON text: equal for equal values, whatever order, spacing or notation they came in."""

import json
from decimal import Decimal
from typing import Any

from .numbers import plain


def canonical_text(value: Any) -> str:
    """JSON with sorted keys, no blanks, and numbers in their shortest plain form (1.50, 1.5 and 15e-1 are one)."""
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case int():
            return str(value)
        case Decimal():
            return plain(value)
        case list() | tuple():
            return f"[{','.join(map(canonical_text, value))}]"
        case dict():
            members = (f"{json.dumps(key, ensure_ascii=False)}:{canonical_text(value[key])}" for key in sorted(value))
            return f"{{{','.join(members)}}}"
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value")
