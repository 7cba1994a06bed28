"""Generated catalogs and documents: declared types of every kind, and JSON texts that fit them or nearly do.

Drawn from a ``Random`` rather than from Hypothesis's own choices: most documents have to be right for the fast lanes to
be taken at all, and its choices prefer what is extreme.
"""

import enum
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import attrs

from millrace import Catalog, Count, Ge, Gt, Interval, Le, Len, Lt, MultipleOf, Pattern, Predicate, Sum
from millrace.core.catalog import EventType
from millrace.core.errors import CatalogError

Texts = Callable[[Random], str]
"""Draws the text of a JSON value. ``\\udcxx`` stands for the byte xx, which is not UTF-8 there."""


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Channel(enum.StrEnum):
    WEB = "web"
    APP = "app"


CustomerId = NewType("CustomerId", str)


@attrs.frozen
class Kind:
    """A type for a field, texts that fit it, and defaults it may have."""

    annotation: Any
    texts: Texts
    defaults: tuple[Any, ...] = ()


INTS = ["0", "7", "-0", "-3", "10", "42", "9" * 38, "-" + "9" * 38, "18446744073709551616"]
FRACTIONS = ["0.5", "1.50", "-0.0", "1.0", "12.34", "1e2", "1E-5", "-2.5e+3", "0." + "3" * 37]
BAD_NUMBERS = [
    "1e400",
    "1E-400",
    "1" * 39,
    "0." + "1" * 39,
    "1e99999999999999999999",
    "1" + "0" * 40,
    "01",
    "1.",
    "-",
    "+1",
    ".5",
    "NaN",
    "-Infinity",
    "1e125",
    "9.99e126",
]
STRINGS = [
    "",
    "a",
    "red",
    "web",
    "example",
    "7",
    "1.50",
    "false",
    "null",
    "é",
    "😀",
    "a/b~c",
    " x ",
    "\0",
    "NaN",
    "1_000",
    "e,e",
    "2026-11-23T02:00:00Z",
    "2026-11-23T02:00:00.123456+01:00",
    "2026-11-23T02:00:00",
    "0001-01-01T00:00:00+10:00",
    "9999-12-31T23:59:59.999999-10:00",
    "2026-11-23",
    "02:30:00",
    "02:30:00.5Z",
    "aGVsbG8=",
    "aGk",
    "00000000-0000-0000-0000-000000000001",
    "A" * 40,
    "1" * 45,
    "[[{{",
    '\\"',
]
RAW_STRINGS = [
    '"\\ud800"',
    '"\\uD83D\\uDE00"',
    '"\\u0041"',
    '"\\/"',
    '"\udcff"',
    '"a\udcc3"',
    '"\x01"',
    '"\\q"',
    '"\\u00g0"',
]
SCALARS = [*INTS, *FRACTIONS, "true", "false", "null", *map(json.dumps, STRINGS)]


def one_of(texts: Sequence[str]) -> Texts:
    return lambda random: random.choice(texts)


def quoted(*texts: str) -> Texts:
    return one_of([json.dumps(text) for text in texts])


def members(pairs: Sequence[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}"


def array(item: Texts) -> Texts:
    return lambda random: f"[{','.join(item(random) for _ in range(random.choice([0, 1, 1, 2, 3])))}]"


def mapping(item: Texts) -> Texts:
    return lambda random: members([(random.choice(KEYS), item(random)) for _ in range(random.choice([0, 1, 1, 2, 3]))])


def anything(random: Random) -> str:
    match random.randrange(8):
        case 0:
            return array(anything)(random)
        case 1:
            return mapping(anything)(random)
        case _:
            return random.choice(SCALARS)


KEYS = ["a", "b", "name", "data", "type", "id", "x/y", "~", "", "é", "\\u0061"]
wrong = one_of([*SCALARS, *BAD_NUMBERS, *RAW_STRINGS, "[]", "{}", "[1]", '{"a":1}', "[[1],[1]]", "[null]", "tru"])
strings = one_of([json.dumps(s) for s in STRINGS] + [json.dumps(s, ensure_ascii=False) for s in STRINGS])


def _raises_for_seven(value: Any) -> bool:
    if value == 7:
        raise LookupError("seven")
    return True


SINGLES: list[Kind] = [
    Kind(str, strings, ("", "a", "é")),
    Kind(int, one_of(INTS), (0, 7)),
    Kind(float, one_of([*INTS, *FRACTIONS]), (0.0, 1.5)),
    Kind(bool, one_of(["true", "false"]), (True, False)),
    Kind(Decimal, one_of([*INTS, *FRACTIONS, '"1.50"', '"-0"', '"1E+3"', '"' + "7" * 38 + '"']), (Decimal("1.50"),)),
    Kind(
        datetime,
        quoted("2026-11-23T02:00:00Z", "2026-11-23T02:00:00.123456+01:00", "1969-12-31T23:59:59.999999Z"),
        (datetime(2026, 1, 1, tzinfo=UTC),),
    ),
    Kind(date, quoted("2026-11-23"), (date(2026, 1, 1),)),
    Kind(time, quoted("02:30:00", "02:30:00.5Z"), (time(1),)),
    Kind(UUID, quoted("00000000-0000-0000-0000-000000000001"), (UUID(int=0),)),
    Kind(bytes, quoted("aGVsbG8=", ""), (b"x",)),
    Kind(Literal["red", "blue"], quoted("red", "blue"), ("red",)),
    Kind(Literal[1, "a"], one_of(["1", '"a"']), (1,)),
    Kind(Literal[True], one_of(["true"])),
    Kind(Colour, quoted("red", "blue"), (Colour.RED,)),
    Kind(Size, one_of(["1", "2"]), (Size.LARGE,)),
    Kind(Channel, quoted("web", "app"), (Channel.APP,)),
    Kind(CustomerId, strings, ("c",)),
]
CONSTRAINED: list[Kind] = [
    Kind(Annotated[int, Gt(0), Lt(50)], one_of(INTS)),
    Kind(Annotated[int, Interval(ge=0, le=10)], one_of(INTS), (99,)),
    Kind(Annotated[int, MultipleOf(7)], one_of(INTS)),
    Kind(Annotated[int, Predicate(_raises_for_seven)], one_of(INTS)),
    Kind(Annotated[Decimal, Gt(0)], one_of([*FRACTIONS, *INTS])),
    Kind(Annotated[Decimal, MultipleOf(Decimal("0.01"))], one_of([*FRACTIONS, *INTS])),
    Kind(Annotated[float, Ge(0), Le(100)], one_of([*FRACTIONS, *INTS])),
    Kind(Annotated[str, Len(1, 3)], strings),
    Kind(Annotated[str, Pattern("^[a-z]+$")], strings),
    Kind(Annotated[str, Pattern("a"), Len(2)], strings),
    Kind(
        Annotated[datetime, Gt(datetime(2026, 11, 23, 1, 30, tzinfo=UTC))],
        quoted("2026-11-23T02:00:00Z", "2026-11-23T01:00:00Z"),
    ),
    Kind(Annotated[int | None, Ge(1)], one_of([*INTS, "null"]), (None,)),
    Kind(Annotated[int, Ge(1)] | None, one_of([*INTS, "null"]), (None,)),
    Kind(Annotated[list[int], Len(1, 2)], array(one_of(INTS))),
    Kind(Annotated[dict[str, int], Len(1)], one_of(["{}", '{"a":1}', '{"a":1,"a":2}'])),
]
UNIONS: list[Kind] = [
    Kind(int | str, one_of([*INTS, '"a"'])),
    Kind(int | str | None, one_of([*INTS, '"a"', "null"]), (None,)),
    Kind(bool | int, one_of([*INTS, "true"])),
    Kind(datetime | int, one_of([*INTS, '"2026-11-23T02:00:00Z"'])),
    Kind(float | str, one_of([*FRACTIONS, '"a"'])),
    Kind(Colour | int | None, one_of(['"red"', "3", "null"])),
    Kind(Literal["x"] | bool, one_of(['"x"', "true"])),
]


def kind_of(random: Random, depth: int = 2) -> Kind:
    choice = random.randrange(16 if depth else 10)
    if choice <= 4:
        return random.choice([*SINGLES, *SINGLES[:2], *SINGLES[:5]])
    if choice <= 7:
        return random.choice(CONSTRAINED)
    if choice == 8:
        return random.choice(UNIONS)
    if choice == 9:
        return Kind(Any, anything, (None, 1))
    if choice == 10:
        inner = random.choice([*SINGLES, *UNIONS])
        container: Any = random.choice([set, frozenset])
        return Kind(container[inner.annotation], array(inner.texts))
    if choice >= 14:
        return Kind(*class_of(random, depth - 1))
    inner = kind_of(random, depth - 1)
    item: Any = inner.annotation
    match choice:
        case 11:
            return Kind(item | None, lambda r: "null" if r.random() < 0.2 else inner.texts(r), (None,))
        case 12:
            container = random.choice([list, tuple])
            return Kind(tuple[item, ...] if container is tuple else list[item], array(inner.texts), (container(),))
        case _:
            return Kind(dict[str, item], mapping(inner.texts))


FIELDS = ["a", "b", "amount", "name", "items", "type", "id", "source", "data", "e", "t", "f", "_x", "k", "v"]


def _refuse_some(instance: Any, attribute: Any, value: Any) -> None:
    if value in (7, "a", Colour.RED):
        raise KeyError(attribute.name) if value == 7 else ValueError(f"refused: {value}")


def _positive(value: Any) -> Any:
    return abs(value) if isinstance(value, int | Decimal) and value != 0 else value


def class_of(random: Random, depth: int = 2) -> tuple[type, Texts]:
    """An attrs class, and texts of objects that mostly become instances of it."""
    kw_only, has_default = random.random() < 0.5, False
    attributes: dict[str, Any] = {}
    pieces: list[tuple[str, Texts, bool]] = []
    for name in random.sample(FIELDS, random.randint(1, 4)):
        kind = kind_of(random, depth)
        settings: dict[str, Any] = {"type": kind.annotation}
        if kind.defaults and (random.random() < 0.4 or (has_default and not kw_only)):
            default, has_default = random.choice(kind.defaults), True
            if random.random() < 0.5 and not isinstance(default, list):
                settings["default"] = default
            else:
                settings["factory"] = lambda default=default: default
        elif has_default and not kw_only:
            settings["kw_only"] = True
        if random.random() < 0.1:
            settings["validator"] = _refuse_some
        if random.random() < 0.1:
            settings["converter"] = _positive
        attributes[name] = attrs.field(**settings)
        pieces.append((name, kind.texts, "default" in settings or "factory" in settings))
    frozen, slots = random.random() < 0.7, random.random() < 0.7
    cls = attrs.make_class("Generated", attributes, frozen=frozen, slots=slots, kw_only=kw_only)
    return cls, objects(pieces)


def objects(pieces: Sequence[tuple[str, Texts, bool]]) -> Texts:
    """Objects that mostly fit: sometimes a field is wrong, missing, unknown or there twice."""

    def draw(random: Random) -> str:
        found: list[tuple[str, str]] = []
        sound = random.random() < 0.7
        for name, texts, optional in pieces:
            luck = random.randrange(4, 40) if sound else random.randrange(20)
            if luck == 0 or (optional and luck < 16):
                continue
            if luck == 1:
                found.append((name, wrong(random)))
            if luck == 2:
                found.append((name, texts(random)))
            found.append((name, wrong(random) if luck == 3 else texts(random)))
        if random.random() < 0.15:
            key = random.choice(["extra", "é", "a/b", "", "receipt"])
            found.append((key, random.choice([anything, wrong])(random)))
        if random.random() < 0.3:
            random.shuffle(found)
        return members(found)

    return draw


def _rule(instance: Any) -> bool:
    return len(repr(instance)) % 7 != 0


def _raising_rule(instance: Any) -> bool:
    if len(repr(instance)) % 5 == 0:
        raise RuntimeError("\ud800")
    return True


def _transforms(names: list[str]) -> list[Callable[[Any], Any] | None]:
    def some(event: Any) -> Any:
        return {name: getattr(event, name) for name in names[:2]}

    def few(event: Any) -> Any:
        return {"n": len(repr(event)), "k": repr(type(event))[:5], "first": getattr(event, names[0])}

    def several(event: Any) -> Any:
        return [some(event)] * (len(repr(event)) % 3)

    def strange(event: Any) -> Any:
        number = len(repr(event)) % 8
        return [None, {}, {"": 1}, {1: 2}, {"a": float("nan")}, event, "text", {Channel.WEB: Channel.APP}][number]

    def lossy(event: Any) -> Any:
        return {"ok": True}

    return [None, None, None, some, few, several, strange, lossy, lossy]


def _derivations(names: list[str]) -> list[Callable[[Any], Any]]:
    def length(event: Any) -> Any:
        return {"n": len(repr(event)), "long": len(repr(event)) > 80}

    def known(event: Any) -> Any:
        return {"ok": True}

    def copied(event: Any) -> Any:
        return {"copy": getattr(event, names[0])}

    def strange(event: Any) -> Any:
        number = len(repr(event)) % 6
        return [None, {}, {names[0]: 1}, {1: 2}, {"n": float("nan")}, {"n": Channel.WEB}][number]

    return [length, known, copied, strange]


def _upcast(data: dict[str, Any]) -> Any:
    number = len(data) % 5
    strange: dict[Any, Any] = {1: 2, **data}
    return [data, {**data, "extra": 1}, strange, None, {**data, "b": "new"}][number]


def catalog_of(random: Random) -> tuple[Catalog, dict[str, Texts]]:
    """A catalog, and for each of its types texts of data."""
    while True:
        catalog = Catalog("generated")
        texts: dict[str, Texts] = {}
        try:
            for name in random.choice([["t"], ["t", "u"]]):
                cls, texts[name] = class_of(random)
                _declare(random, catalog, name, cls)
            catalog.check()
        except CatalogError:
            continue  # declarations that do not fit together
        return catalog, texts


def _declare(random: Random, catalog: Catalog, name: str, cls: type) -> None:
    version = random.choice([1, 1, 3])
    oldest = random.randint(1, version)
    catalog.event(
        name,
        version=version,
        oldest=oldest,
        unversioned=random.choice([None, oldest]),
        identity=random.choice(["time", "id"]),
        unknown=random.choice(["drop", "drop", "keep", "reject"]),
    )(cls)
    for step in range(oldest, version):
        catalog.upcast(name, from_version=step)(_upcast)
    for rule in random.choice([[], [], [_rule], [_raising_rule], [_rule, _raising_rule]]):
        catalog.rule(cls)(rule)
    declared: EventType = catalog.types[name]
    names = [field.name for field in declared.shape.fields]
    if (transform := random.choice(_transforms(names))) is not None:
        catalog.transform(cls)(transform)
    elif random.random() < 0.5:
        catalog.derive(cls)(random.choice(_derivations(names)))
    if random.random() < 0.5:
        field = random.choice([*names, "n"])
        measure = random.choice([Count(), Sum(field)])
        by = random.choice([[], [field]])
        with suppress(CatalogError):  # the field is of another kind, or the transform drops it
            catalog.view(f"view_{name}", over=cls, every=timedelta(hours=1), by=by, measures={"m": measure})
