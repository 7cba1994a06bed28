"""User code that fails in any way costs the event it failed on, and none of its neighbours."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import attrs
import msgspec
import pytest

from millrace import Catalog, Predicate
from millrace.core.pipeline.pipeline import Batch, Pipeline
from millrace.core.records import RawObject, Receipt


def named(value: object) -> str:
    """An id that is the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Undecided:
    def __bool__(self) -> bool:
        raise TypeError("neither")


SHARED = ValueError("one object, raised again and again")
FAILURES: list[Exception] = [
    ValueError("broken"),
    KeyError(),
    KeyError("a"),
    IndexError(),
    Unspeakable(),
    ValueError("\ud800"),
    ValueError("x" * 10**6),
    ExceptionGroup("group", [ValueError("a"), KeyError("b")]),
    RecursionError(),
    MemoryError(),
    StopIteration(),
    AssertionError(),
    msgspec.ValidationError("mine"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "mine"),
    SHARED,
    NotImplementedError(),
]
each_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda e: type(e).__name__)


def raising(failure: Exception) -> Callable[[Any], Any]:
    def holds(value: Any) -> Any:
        if (value if isinstance(value, int) else value["a"] if isinstance(value, dict) else value.a) == 7:
            raise failure
        return value if isinstance(value, dict) else True

    return holds


def run(catalog: Catalog, *values: str, version: int = 1) -> Batch:
    lines = [
        f'{{"eventType":"t","eventId":"{i}","schemaVersion":{version},"data":{{"a":{value}}}}}'
        for i, value in enumerate(values)
    ]
    raw = RawObject(
        Receipt(id="r", received_at=0, content_type="application/x-ndjson", source="s"), "\n".join(lines).encode()
    )
    pipeline = Pipeline(catalog)
    batch = pipeline.run(raw, 1)
    assert repr(batch) == repr(pipeline.run(raw, 1))
    return batch


def expect(batch: Batch, reason: str) -> None:
    assert [record.index for record in batch.records] == [0, 2]
    (letter,) = batch.letters
    assert (letter.reason, letter.index) == (reason, 1)
    assert letter.violations
    for violation in letter.violations:
        assert len(violation.message) < 700
    msgspec.json.encode(letter)


def declared(**settings: Any) -> tuple[Catalog, type]:
    catalog = Catalog("test")
    return catalog, catalog.event("t", **settings)(attrs.make_class("Test", {"a": attrs.field(type=int)}, frozen=True))


@each_failure
def test_a_rule_that_raises_costs_its_event(failure: Exception) -> None:
    catalog, cls = declared()
    catalog.rule(cls, name="rule")(raising(failure))
    expect(run(catalog, "1", "7", "2"), "rule")


@each_failure
def test_a_transform_that_raises_costs_its_event(failure: Exception) -> None:
    catalog, cls = declared()
    catalog.transform(cls)(lambda event: {"ok": raising(failure)(event)})
    expect(run(catalog, "1", "7", "2"), "transform-error")


@each_failure
@pytest.mark.parametrize("unknown", ["drop", "keep", "reject"])
def test_an_upcaster_that_raises_costs_its_event(failure: Exception, unknown: str) -> None:
    catalog, _ = declared(version=2, unknown=unknown)
    catalog.upcast("t", from_version=1)(raising(failure))
    expect(run(catalog, "1", "7", "2"), "transform-error")


@each_failure
def test_a_validator_that_raises_costs_its_event(failure: Exception) -> None:
    catalog = Catalog("test")
    holds = raising(failure)
    field: Any = attrs.field(type=int, validator=lambda _, __, value: holds(value))
    catalog.event("t")(attrs.make_class("Test", {"a": field}, frozen=True))
    expect(run(catalog, "1", "7", "2"), "invalid")


@each_failure
def test_a_predicate_that_raises_costs_its_event(failure: Exception) -> None:
    catalog = Catalog("test")
    annotation = Annotated[int, Predicate(raising(failure))]
    catalog.event("t")(attrs.make_class("Test", {"a": attrs.field(type=annotation)}, frozen=True))
    expect(run(catalog, "1", "7", "2"), "invalid")


@each_failure
def test_a_default_that_raises_costs_its_event(failure: Exception) -> None:
    def fail() -> int:
        raise failure

    catalog = Catalog("test")
    fields = {"a": attrs.field(type=int), "b": attrs.field(type=int, factory=fail)}
    catalog.event("t")(attrs.make_class("Test", fields, frozen=True))
    expect(run(catalog, '1,"b":1', "7", '2,"b":1'), "invalid")


@pytest.mark.parametrize("answer", [False, None, 0, "", [], Undecided()], ids=named)
def test_a_rule_that_does_not_hold_costs_its_event(answer: Any) -> None:
    catalog, cls = declared()
    catalog.rule(cls, name="rule")(lambda event: answer if event.a == 7 else True)
    expect(run(catalog, "1", "7", "2"), "rule")


def test_all_rules_that_fail_are_reported() -> None:
    catalog, cls = declared()
    for name in ("first", "second"):
        catalog.rule(cls, name=name)(lambda event: event.a != 7)
    catalog.rule(cls, name="third")(raising(ValueError("x")))
    (letter,) = run(catalog, "7").letters
    assert [v.code for v in letter.violations] == ["first", "second", "exception"]


endless: list[Any] = []
endless.append(endless)


@pytest.mark.parametrize(
    "result",
    [
        1,
        "text",
        {1: 2},
        {"": 1},
        {"a": object()},
        {"a": Decimal("NaN")},
        {"a": float("inf")},
        {"a": endless},
        [{"a": 1}, 2],
        {"a": {"b": 10**39 + 1}},
        iter(()),
    ],
    ids=named,
)
def test_a_transform_that_returns_what_no_store_can_hold_costs_its_event(result: Any) -> None:
    catalog, cls = declared()
    catalog.transform(cls)(lambda event: result if event.a == 7 else {"a": event.a})
    expect(run(catalog, "1", "7", "2"), "transform-error")


@pytest.mark.parametrize("result", [None, [], "text", 1, ("a", 1)], ids=named)
def test_an_upcaster_that_returns_no_dict_costs_its_event(result: Any) -> None:
    catalog, _ = declared(version=2)
    catalog.upcast("t", from_version=1)(lambda data: result if data["a"] == 7 else data)
    expect(run(catalog, "1", "7", "2"), "transform-error")


@pytest.mark.parametrize(
    "result", [{1: 2, "a": 1}, {1: 2, "z": 3, "a": 1}, {"a\ud800": 1, "a": 1}, {None: 1, "a": 1}], ids=ascii
)
def test_an_upcaster_with_keys_that_no_json_has_costs_its_event_where_unknown_fields_are_rejected(result: Any) -> None:
    catalog, _ = declared(version=2, unknown="reject")
    catalog.upcast("t", from_version=1)(lambda data: result if data["a"] == 7 else data)
    expect(run(catalog, "1", "7", "2"), "invalid")


def test_what_a_transform_changes_in_its_event_does_not_reach_a_neighbour() -> None:
    catalog = Catalog("test")
    cls = catalog.event("t")(attrs.make_class("Test", {"a": attrs.field(type=dict[str, int])}, frozen=True))

    def transform(event: Any) -> dict[str, Any]:
        event.a["seen"] = len(event.a)
        return {"a": event.a}

    catalog.transform(cls)(transform)
    batch = run(catalog, '{"x": 1}', "{}", '{"x": 1}')
    assert [r.fields["a"] for r in batch.records] == [{"x": 1, "seen": 1}, {"seen": 0}, {"x": 1, "seen": 1}]


def test_a_rule_may_be_any_callable() -> None:
    @attrs.define
    class AtMost:
        limit: int

        def __call__(self, event: Any) -> bool:
            return bool(event.a <= self.limit)

    catalog, cls = declared()
    catalog.rule(cls, name="at most")(AtMost(6))
    expect(run(catalog, "1", "7", "2"), "rule")


@pytest.mark.parametrize("slots", [True, False])
def test_a_validator_within_an_event_is_asked_even_where_the_transform_does_not_look_at_it(slots: bool) -> None:
    inner = attrs.make_class(
        "Inner", {"n": attrs.field(type=int, validator=attrs.validators.lt(7))}, frozen=True, slots=slots
    )
    catalog = Catalog("test")
    cls = catalog.event("t")(attrs.make_class("Test", {"a": attrs.field(type=inner)}, frozen=True))

    def transform(event: Any) -> dict[str, Any]:
        return {"ok": True}

    catalog.transform(cls)(transform)
    expect(run(catalog, '{"n": 1}', '{"n": 7}', '{"n": 2}'), "invalid")


def test_a_transform_with_keys_of_its_own_for_some_events_is_looked_at_each_time() -> None:
    catalog, cls = declared()
    catalog.transform(cls)(lambda event: {1: 2} if event.a == 7 else {"a": event.a})
    expect(run(catalog, "1", "7", "2"), "transform-error")
