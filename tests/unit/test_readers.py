"""What byte code proves of user code, on the Python that runs the tests."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from millrace import Catalog
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.pipeline.readers import handed_on
from millrace.core.records import RawObject, Receipt

from ..contracts.builders import typed

FIELDS = ("a", "b", "n")
OUTSIDE = {"a": "x"}
NAME = "a"


def plain(event: Any) -> Any:
    return {"a": event.a, "copy": event.b, "more": event.n * 2, "big": event.n >= 1000, "same": "text"}


def with_a_statement(event: Any) -> Any:
    """A docstring, too."""
    double = event.n * 2
    return {"a": event.a, "double": double}


def calling(event: Any) -> Any:
    return {"a": event.a, "size": len(event.a), "upper": event.b.upper(), "in": f"<{event.a}>"}


def enclosing() -> Callable[[Any], Any]:
    factor = Decimal(2)

    def inner(event: Any) -> Any:
        return {"a": event.a, "n": event.n * factor}

    return inner


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (plain, {"a": "a", "copy": "b", "more": None, "big": None, "same": None}),
        (with_a_statement, {"a": "a", "double": None}),
        (calling, {"a": "a", "size": None, "upper": None, "in": None}),
        (enclosing(), {"a": "a", "n": None}),
    ],
)
def test_fields_that_are_handed_on_are_known(function: Callable[..., Any], expected: dict[str, Any]) -> None:
    assert handed_on(function, FIELDS) == expected


def conditional(event: Any) -> Any:
    return {"a": event.a, "b": event.b if event.n else None}


def two_ends(event: Any) -> Any:
    if event.n:
        return {"a": event.a, "b": event.b}
    return {"a": event.a, "c": object()}


def merging(event: Any) -> Any:
    return {**OUTSIDE, "a": event.a, "b": event.b}


def keyed_by_a_variable(event: Any) -> Any:
    return {NAME: event.a, "b": event.b}


def keyed_by_a_number(event: Any) -> Any:
    return {1: event.a, "b": event.b}


def keyed_twice(event: Any) -> Any:
    return {"a": event.a, "b": event.b, "a": object()}  # noqa: F601 - the last one wins


def rebinding(event: Any) -> Any:
    event = object()
    return {"a": event.a, "b": event.b}


def walrus(event: Any) -> Any:
    return {"a": (event := event.a), "b": event.b}


def nested(event: Any) -> Any:
    return {"a": event.a, "b": [event.b for _ in (1,)]}


def changed_before_it_is_returned(event: Any) -> Any:
    found = {"a": event.a, "b": event.b}
    found["a"] = object()
    return found


def caught(event: Any) -> Any:
    try:
        return {"a": event.a, "b": 1 / event.n}
    except ArithmeticError:
        return {"a": event.a, "b": object()}


def another_object(event: Any) -> Any:
    other = OUTSIDE
    return {"a": other.a, "b": event.b}  # type: ignore[attr-defined]


def unknown_field(event: Any) -> Any:
    return {"a": event.a, "z": event.z}


def generator(event: Any) -> Any:
    yield {"a": event.a, "b": event.b}


def several(event: Any) -> Any:
    return [{"a": event.a, "b": event.b}]


UNPROVED = [
    conditional, two_ends, merging, keyed_by_a_variable, keyed_by_a_number, rebinding, walrus, nested,
    changed_before_it_is_returned, caught, unknown_field, generator, several, attrs.asdict, len,
]  # fmt: skip


@pytest.mark.parametrize("function", UNPROVED, ids=lambda function: function.__name__)
def test_where_anything_else_could_be_returned_nothing_is_said(function: Callable[..., Any]) -> None:
    assert handed_on(function, FIELDS) is None


def test_the_same_field_of_another_object_is_not_handed_on() -> None:
    found = handed_on(another_object, FIELDS)
    assert found is None or found["a"] is None


def test_a_key_that_comes_twice_is_not_proved() -> None:
    assert handed_on(keyed_twice, FIELDS) is None


@attrs.frozen
class Thing:
    a: str
    n: Decimal
    b: str = "b"


UNSTORABLE: list[Callable[[Any], Any]] = [
    lambda event: {"a": event.a, "n": event.n, "x": object()},
    lambda event: {"a": event.a, "n": event.n * Decimal("1e30") + Decimal("0.000000001")},
    lambda event: {"a": event.a, "n": float(event.n)},
    lambda event: {"a": event.a, "n": (event.n,)},
    lambda event: {"a": event.a, 7: event.n},
]


@pytest.mark.parametrize("number", range(len(UNSTORABLE)))
def test_what_is_not_handed_on_is_still_checked(number: int) -> None:
    catalog = Catalog("things")
    catalog.event("thing")(Thing)
    with_care = Catalog("things")
    with_care.event("thing")(Thing)
    transform = UNSTORABLE[number]
    catalog.transform(Thing)(transform)
    with_care.transform(Thing)(with_detour(transform))
    found = [_run(declared) for declared in (catalog, with_care)]
    assert found[0] == found[1]


def with_detour(transform: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same function, but nothing can be proved of it."""
    return lambda event: (transform(event), None)[0]


def _run(catalog: Catalog) -> Any:
    body = b'{"eventType":"thing","eventId":"1","eventTime":1,"data":{"a":"x","n":12345678901}}'
    raw = RawObject(Receipt(id="r", received_at=0), body)
    batch = Pipeline(catalog).run(raw, 0)
    return [(letter.reason, letter.violations) for letter in batch.letters], [typed(r.fields) for r in batch.records]
