"""The contract of ``CuratedStore.query`` with conditions."""

from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.core.canonical import canonical_text
from millrace.core.conditions import Condition
from millrace.core.identity import EARLIEST, LATEST, record_key
from millrace.core.ports import Stores
from millrace.core.records import Curated
from millrace.core.times import format_time

from . import strategies
from .builders import NOON, curated, receipt_id

ALL: dict[str, Any] = {"since": EARLIEST, "until": LATEST + 1, "after": None}
NUMBERS = count()
ANOTHER = receipt_id(NOON + 1000)


@pytest.fixture(autouse=True, params=[0, 10_000], ids=["by index", "small"])
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local store looks up by index at once, or reads a few events first."""
    monkeypatch.setattr("millrace.adapters.local.lookups.PATIENCE", request.param)


def text_of(value: Any) -> str:
    """A value as it may be asked for."""
    return value if isinstance(value, str) else canonical_text(value)


def ids(found: Any) -> list[str]:
    return [record.id for record in found]


def test_every_name_of_the_envelope_can_be_asked_for(stores: Stores) -> None:
    one = curated("a", source="shop", subject="s", version=2, receipt=ANOTHER, curated_at=NOON + 7, time=NOON)
    other = curated("b", source="till", subject=None, version=1, curated_at=NOON + 8, time=NOON + 1)
    stores.curated.insert([one, other])
    for name, text in {
        "eventId": "a",
        "source": "shop",
        "subject": "s",
        "schemaVersion": "2",
        "receipt": ANOTHER,
        "eventTime": format_time(NOON),
        "curatedAt": format_time(NOON + 7),
    }.items():
        assert ids(stores.curated.query(one.type, **ALL, limit=9, where=[Condition(name, text)])) == ["a"], name
        assert ids(stores.curated.query(one.type, **ALL, limit=9, where=[Condition(name, f"{text}0")])) == [], name
    for text, number in {one.type: 2, "other": 0}.items():
        assert len(stores.curated.query(one.type, **ALL, limit=9, where=[Condition("eventType", text)])) == number


@pytest.mark.parametrize(
    ("value", "texts", "others"),
    [
        (Decimal("1.10"), ["1.1", "1.100", "11e-1"], ["1.2", "1.1000000000000000001", "one"]),
        (Decimal("0.1000000000000000055511151231257827"), ["0.1000000000000000055511151231257827"], ["0.1"]),
        (2**63 + 1, [str(2**63 + 1)], [str(2**63), "9223372036854775809.5"]),
        (9007199254740993, ["9007199254740993", "9007199254740993.0"], ["9007199254740992"]),
        (7, ["7", "7.0", "0.7e1"], ["8", "seven", "NaN", "Infinity", "1e999999999"]),
        ("7", ["7"], ["7.0"]),
        (True, ["true"], ["1", "True"]),
        (False, ["false"], ["0", "False", ""]),
        (None, ["null", ""], ["None", "0"]),
        ("null", ["null"], [""]),
        ("it's", ["it's"], ["its"]),
        ("a\0b", ["a\0b"], ["a"]),
        ([1, {"b": Decimal("2.50")}], ['[1, {"b": 2.5}]'], ["[1]", "[", "\ud800"]),
        ("[", ["["], ["[]"]),
        ("", [""], ["\ud800"]),
    ],
)
def test_values_are_found_however_they_are_written_and_no_others(
    stores: Stores, value: Any, texts: list[str], others: list[str]
) -> None:
    stores.curated.insert([curated("it", fields={"a": value}), curated("another", fields={"b": value})])
    for text in texts:
        assert ids(stores.curated.query("purchase", **ALL, limit=9, where=[Condition("a", text)])) == ["it"], text
    for text in others:
        assert ids(stores.curated.query("purchase", **ALL, limit=9, where=[Condition("a", text)])) == [], text


def test_a_field_with_a_name_of_the_envelope_is_meant_with_its_prefix(stores: Stores) -> None:
    stores.curated.insert([curated("a", source="x", fields={"source": "y"}), curated("b", source="y", fields={})])
    assert ids(stores.curated.query("purchase", **ALL, limit=9, where=[Condition("fields.source", "y")])) == ["a"]
    assert ids(stores.curated.query("purchase", **ALL, limit=9, where=[Condition("source", "y")])) == ["b"]


names = st.sampled_from(["a", "A", 'q"', "it's", "ü.x", "back\\slash", "nul\0"])
values = st.one_of(st.sampled_from(["x", "", "null", 1, True, None, Decimal("1.5"), Decimal("1E1")]), strategies.values)
records = st.lists(st.tuples(st.integers(0, 3), st.dictionaries(names, values, max_size=3)), min_size=1, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(data=st.data(), drawn=records, limit=st.integers(1, 5))
def test_what_is_found_is_what_holds_of_all_there_is(
    stores: Stores, data: st.DataObject, drawn: list[tuple[int, dict[str, Any]]], limit: int
) -> None:
    kind = f"type-{next(NUMBERS)}"
    stores.curated.insert(
        [curated(f"e-{n}", type=kind, time=NOON + at, fields=fields) for n, (at, fields) in enumerate(drawn)]
    )
    known = [(name, value) for _, fields in drawn for name, value in fields.items()] or [("a", "x")]
    pairs = st.one_of(st.sampled_from(known), st.tuples(names, values))
    where = [Condition(name, text_of(value)) for name, value in data.draw(st.lists(pairs, min_size=1, max_size=2))]
    everything = stores.curated.query(kind, **ALL, limit=99)
    expected = [record for record in everything if all(condition.holds(record) for condition in where)]
    found: list[Curated] = []
    after: int | None = None
    while page := stores.curated.query(kind, since=EARLIEST, until=LATEST + 1, after=after, limit=limit, where=where):
        assert len(page) <= limit
        found += page
        after = record_key(found[-1])
    assert found == expected
