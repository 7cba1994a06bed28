"""Hypothesis strategies for what stores must hold: exact JSON values and texts that may be keys."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from millrace.core.numbers import fits

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any Unicode text, NUL and characters beyond the basic plane included; no lone surrogates."""

integers = st.one_of(st.integers(-100, 100), st.integers(-(10**38) + 1, 10**38 - 1))

decimals = st.one_of(
    st.decimals(min_value=-1000, max_value=1000, places=2),
    st.integers(-1000, 1000).map(Decimal),
    st.tuples(st.sampled_from([0, 1]), st.integers(0, 10**38 - 1), st.integers(-130, 125))
    .map(lambda parts: Decimal((parts[0], tuple(map(int, str(parts[1]))), parts[2])))
    .filter(fits),
)

scalars = st.one_of(texts, integers, decimals, st.booleans(), st.none())

values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)

fields = st.dictionaries(texts, values, max_size=5)
