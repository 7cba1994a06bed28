"""Validation: every violation is reported once, at its place and in words; nothing is coerced."""

import enum
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import attrs
import pytest

from millrace import Catalog, Ge, Gt, Len, MultipleOf, Pattern, Predicate
from millrace.core.pipeline.pipeline import Batch, Pipeline
from millrace.core.records import RawObject, Receipt


def run(cls: type, data: str, **settings: Any) -> Batch:
    catalog = Catalog("test")
    catalog.event("t", **settings)(cls)
    raw = RawObject(Receipt(id="r", received_at=0, source="s"), b'{"eventType":"t","data":%s}' % data.encode())
    return Pipeline(catalog).run(raw, 1)


def of(annotation: Any) -> type:
    return attrs.make_class("Test", {"a": attrs.field(type=annotation)}, frozen=True)


def _size(value: int) -> int:
    return abs(value)


class Channel(enum.StrEnum):
    WEB = "web"


class Size(enum.IntEnum):
    SMALL = 1


REFUSED: list[tuple[Any, list[str]]] = [
    (int, ['"7"', "1.9", "1.0", "1e2", "true", "null", "[]", "{}", "-0.0"]),
    (float, ['"1.5"', "true", "null"]),
    (bool, ['"false"', "0", "1", "null"]),
    (str, ["1", "true", "null", "{}"]),
    (
        Decimal,
        [
            "true",
            '"abc"',
            '""',
            '"NaN"',
            '"sNaN"',
            '"Infinity"',
            '"-inf"',
            '"1e400"',
            '"1e99999999999999999999"',
            '"' + "1" * 39 + '"',
        ],
    ),
    (
        datetime,
        ['"2026-11-23T02:00:00"', '"2026-11-23"', "1732327200", '"2026-13-01T00:00:00Z"', '"0000-01-01T00:00:00Z"'],
    ),
    (bytes, ['"a"', '"!!!!"', "1"]),
    (Literal["a", "b"], ['"c"', "1", '["a"]']),
    (Literal[1], ["true", "1.0", '"1"', "2"]),
    (Literal[True], ["1", "false"]),
    (Channel, ['"app"', "1", '"WEB"']),
    (Size, ["3", "true", "1.0", '"SMALL"']),
    (list[int], ["{}", "1", '["1"]', "[1.0]", "[null]"]),
    (set[int], ["[[]]", '"a"', "[1.0]"]),
    (dict[str, int], ["[]", '{"a": "1"}']),
    (int | str, ["1.5", "true", "null", "[]"]),
    (Annotated[str, Pattern("^a")], ["1", '"ba"']),
    (set[Decimal], ['["sNaN"]', "[1e99999999999999999999]"]),
]


@pytest.mark.parametrize(("annotation", "text"), [(a, text) for a, texts in REFUSED for text in texts])
def test_values_are_not_coerced(annotation: Any, text: str) -> None:
    batch = run(of(annotation), f'{{"a": {text}}}')
    assert batch.records == []
    (letter,) = batch.letters
    assert letter.reason in ("invalid", "malformed")
    assert all(v.pointer.startswith("/data/a") for v in letter.violations)


ACCEPTED: list[tuple[Any, str, Any]] = [
    (Decimal, "1.50", Decimal("1.50")),
    (Decimal, '"1.50"', Decimal("1.50")),
    (Decimal, "7", Decimal("7")),
    (Decimal, "1e3", Decimal("1E+3")),
    (Decimal, "0.1000000000000000055511151231257827", Decimal("0.1000000000000000055511151231257827")),
    (Decimal, "9" * 38, Decimal("9" * 38)),
    (int, "9" * 38, 10**38 - 1),
    (int, "1" + "0" * 100, 10**100),
    (int, "-0", 0),
    (float, "2", Decimal("2.0")),
    (Channel, '"web"', "web"),
    (Size, "1", 1),
    (datetime, '"2026-11-23T03:00:00+01:00"', "2026-11-23T02:00:00Z"),
    (Any, '{"a": [1.10, 1e5, null]}', {"a": [Decimal("1.10"), Decimal("1E+5"), None]}),
    (
        Annotated[Decimal, MultipleOf(Decimal("0.01"))],
        "123456789012345678901234567890123456.78",
        Decimal("123456789012345678901234567890123456.78"),
    ),
]


@pytest.mark.parametrize(("annotation", "text", "kept"), ACCEPTED)
def test_values_are_kept_exactly(annotation: Any, text: str, kept: Any) -> None:
    (record,) = run(of(annotation), f'{{"a": {text}}}').records
    assert repr(record.fields) == repr({"a": kept})


def even(value: int) -> bool:
    return value % 2 == 0


@attrs.frozen
class Item:
    sku: Annotated[str, Pattern("^[A-Z]+$"), Len(2, 3)]
    count: Annotated[int, Gt(0), Predicate(even)]


@attrs.frozen
class Order:
    id: str
    items: Annotated[list[Item], Len(1)]
    prices: dict[str, Annotated[Decimal, Ge(0)]]
    placed: Annotated[datetime, Gt(datetime(2026, 1, 1, tzinfo=UTC))]
    channel: Channel = Channel.WEB
    note: Annotated[str, Len(0, 5)] | None = None
    last: Item | None = None


BROKEN = """{
    "id": 7,
    "items": [{"sku": "AB", "count": 2}, {"sku": "a", "count": -1}, {"count": "2"}, 5],
    "prices": {"a/b": -1, "~": "x", "": "NaN", "fine": 1},
    "placed": "2025-01-01T00:00:00Z",
    "channel": "shop",
    "note": "too long",
    "last": {"sku": null, "count": 1.5, "x": 1},
    "extra": true
}"""
EXPECTED = {
    ("/data/id", "type"),
    ("/data/items/1/sku", "pattern"),
    ("/data/items/1/sku", "min_length"),
    ("/data/items/1/count", "gt"),
    ("/data/items/1/count", "predicate"),
    ("/data/items/2/sku", "required"),
    ("/data/items/2/count", "type"),
    ("/data/items/3", "type"),
    ("/data/prices/a~1b", "ge"),
    ("/data/prices/~0", "type"),
    ("/data/prices/", "number"),
    ("/data/placed", "gt"),
    ("/data/channel", "type"),
    ("/data/note", "max_length"),
    ("/data/last/sku", "type"),
    ("/data/last/count", "type"),
}


@pytest.mark.parametrize(
    ("unknown", "more"),
    [("drop", set()), ("keep", set()), ("reject", {("/data/extra", "unknown"), ("/data/last/x", "unknown")})],
)
def test_every_violation_is_reported_once_at_its_place(unknown: str, more: set[tuple[str, str]]) -> None:
    (letter,) = run(Order, BROKEN, unknown=unknown).letters
    found = [(v.pointer, v.code) for v in letter.violations]
    assert sorted(found) == sorted(EXPECTED | more)


def test_messages_are_words_without_a_librarys_jargon() -> None:
    (letter,) = run(Order, BROKEN, unknown="reject").letters
    for violation in letter.violations:
        assert re.fullmatch(r"[a-z][^`<>]+[^.]", violation.message), violation
        assert not re.search(r"msgspec|cattrs|Error|Struct|- at \\$", violation.message), violation


def test_a_message_does_not_grow_with_the_value() -> None:
    (letter,) = run(of(Channel), '{"a": "%s"}' % ("x" * 100_000)).letters
    assert all(len(v.message) < 1000 for v in letter.violations)


def test_constraints_are_checked_on_what_was_sent_and_not_on_what_a_converter_makes_of_it() -> None:
    field: Any = attrs.field(type=Annotated[int, Ge(0)], converter=_size)  # type: ignore[call-overload]
    cls = attrs.make_class("Test", {"a": field}, frozen=True)
    assert [v.code for v in run(cls, '{"a": -1}').letters[0].violations] == ["ge"]
    assert run(cls, '{"a": 1}').records[0].fields == {"a": 1}


@pytest.mark.parametrize("slots", [True, False])
def test_validators_of_a_class_are_asked_even_without_rules_or_transform(slots: bool) -> None:
    cls = attrs.make_class(
        "Test", {"a": attrs.field(type=int, validator=attrs.validators.gt(3))}, frozen=True, slots=slots
    )
    assert [v.code for v in run(cls, '{"a": 1}').letters[0].violations] == ["validator"]
    assert run(cls, '{"a": 4}').records[0].fields == {"a": 4}


def test_what_a_class_does_after_its_init_counts() -> None:
    @attrs.define
    class Trimmed:
        a: str

        def __attrs_post_init__(self) -> None:
            self.a = self.a.strip()

    assert run(Trimmed, '{"a": " x "}').records[0].fields == {"a": "x"}


def test_a_catalog_of_one_type_needs_the_type_to_be_named_too() -> None:
    catalog = Catalog("test")
    catalog.event("t")(of(int))
    pipeline = Pipeline(catalog)
    for body in (
        b'{"data": {"a": 1}}',
        b'{"a": 1}',
        b'{"specversion": "1.0", "id": "1", "source": "s", "data": {"a": 1}}',
        b'{"eventType": " ", "data": {"a": 1}}',
    ):
        batch = pipeline.run(RawObject(Receipt(id="r", received_at=0), body), 1)
        assert [letter.reason for letter in batch.letters] == [
            "unknown-type" if b' ",' in body and b"eventType" in body else "malformed"
        ]
