"""``Catalog``: the object its author declares event types, rules, transforms and views on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeVar

from ..decoding.foreign import Source
from ..decoding.signatures import AnySignature
from ..errors import CatalogError
from ..schema.shapes import shape_of
from ..views.measures import Measure
from ..views.view import View
from .cases import Example, example_of
from .checks import check_catalog, check_source, check_view
from .declarations import EventType, Rule, place_of_caller, require_function, require_name
from .probes import PROBE, probe_type

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])


class Catalog:
    """Event types with versions, upcasters, rules, transforms, views and foreign sources under one name.

    ``types`` are all that events may have: those ``declared``, and that of probes.
    Every method raises ``CatalogError`` with the place in the source where a declaration contradicts another.
    """

    def __init__(self, name: str) -> None:
        require_name("a catalog", name, place_of_caller())
        self.name = name
        self.types: dict[str, EventType] = {PROBE: probe_type()}
        self.views: dict[str, View] = {}
        self.sources: dict[str, Source] = {}
        self.examples: list[Example] = []
        self._by_class: dict[type, EventType] = {}

    def __repr__(self) -> str:
        return f"<Catalog {self.name!r}: {len(self.declared)} types, {len(self.views)} views>"

    @property
    def declared(self) -> dict[str, EventType]:
        """The types that the author declared."""
        return {name: declared for name, declared in self.types.items() if name != PROBE}

    @property
    def shards(self) -> dict[str, int]:
        """Of each type that is spread over several partitions, how many."""
        return {name: declared.shards for name, declared in self.types.items() if declared.shards > 1}

    def event(
        self,
        name: str,
        *,
        version: int = 1,
        oldest: int = 1,
        unversioned: int | None = None,
        identity: Literal["time", "id"] = "time",
        shards: int = 1,
        unknown: Literal["drop", "keep", "reject"] = "drop",
    ) -> Callable[[C], C]:
        """Declare an attrs class as the data of events of type ``name``.

        Versions ``oldest`` to ``version`` are accepted; each below ``version`` needs an upcaster. An event that names
        no version is taken as ``unversioned``, by default the current one. With ``identity="id"``, source and id alone
        say whether two deliveries are the same event, else their time does too. ``shards`` spreads a hot type over
        as many partitions. Fields that the class does not have are dropped, kept in the curated event, or rejected.
        """
        place = place_of_caller()
        require_name("an event type", name, place)
        if name == PROBE:
            raise CatalogError(f"{place}: event type {name!r} is that of probes, which every catalog has.")
        if name in self.types:
            raise CatalogError(f"{place}: event type {name!r} is declared twice, first at {self.types[name].place}.")
        taken_as = version if unversioned is None else unversioned
        if not 1 <= oldest <= version or not oldest <= taken_as <= version:
            raise CatalogError(f"{place}: of {name!r}, 1 ≤ oldest ≤ unversioned ≤ version does not hold.")
        if not 1 <= shards <= 1000:
            raise CatalogError(f"{place}: {name!r} has {shards} shards; 1 to 1000 are possible.")
        if identity not in ("time", "id") or unknown not in ("drop", "keep", "reject"):
            raise CatalogError(f"{place}: {name!r}: identity is 'time' or 'id', unknown is 'drop', 'keep' or 'reject'.")

        def declare(cls: C) -> C:
            if cls in self._by_class:
                raise CatalogError(
                    f"{place}: {cls.__name__} is declared twice, as {self._by_class[cls].name!r} and {name!r}."
                )
            shape = shape_of(cls, place)
            self.types[name] = self._by_class[cls] = EventType(
                name, cls, shape, version, oldest, taken_as, identity, shards, unknown, place
            )
            return cls

        return declare

    def upcast(self, name: str, *, from_version: int, data: type | None = None) -> Callable[[F], F]:
        """Declare the pure step that turns the data of version N into that of N + 1: dict in, dict out.

        ``data`` is an attrs class that says what the data of version N is: the JSON Schema of that version is made
        from it, and events that come in that version are checked against it before they are upcast.
        """
        place = place_of_caller()
        declared = self._named(name, place)
        if not declared.oldest <= from_version < declared.version:
            raise CatalogError(
                f"{place}: {name!r} has versions {declared.oldest} to {declared.version}; "
                f"nothing can be upcast from {from_version}."
            )
        if from_version in declared.upcasters:
            raise CatalogError(f"{place}: {name!r} has two upcasters from version {from_version}.")
        shape = None if data is None else shape_of(data, place)

        def declare(step: F) -> F:
            require_function("upcaster", step, place)
            declared.upcasters[from_version] = step
            if shape is not None:
                declared.older[from_version] = shape
            return step

        return declare

    def rule(self, cls: type, *, name: str | None = None) -> Callable[[F], F]:
        """Declare a named pure check on instances of a class. All that fail are reported."""
        place = place_of_caller()
        declared = self._of_class(cls, place)

        def declare(holds: F) -> F:
            require_function("rule", holds, place)
            rule = Rule(name or getattr(holds, "__name__", "") or repr(holds), holds, place)
            if any(other.name == rule.name for other in declared.rules):
                raise CatalogError(f"{place}: {declared.name!r} has two rules named {rule.name!r}.")
            declared.rules.append(rule)
            return holds

        return declare

    def transform(self, cls: type, *, yields: Iterable[str] = ()) -> Callable[[F], F]:
        """Declare the pure function from an instance to its curated fields.

        It returns a dict, a list of dicts (several records), or None (the event is filtered). Without one the fields
        of the class are the curated fields. Which fields it yields is found out by trying it on examples; ``yields``
        names more, for those that no example brings about.
        """
        place = place_of_caller()
        declared = self._of_class(cls, place)

        def declare(function: F) -> F:
            require_function("transform", function, place)
            self._curated_once(declared, place)
            declared.transform, declared.yields = function, tuple(yields)
            self._check_views_over(declared)
            return function

        return declare

    def derive(self, cls: type) -> Callable[[F], F]:
        """Declare a pure function from an instance to further curated fields, beside those of the class.

        Short for a transform that passes the fields on and adds some; and quicker, since they need no second check.
        """
        place = place_of_caller()
        declared = self._of_class(cls, place)

        def declare(function: F) -> F:
            require_function("derivation", function, place)
            self._curated_once(declared, place)
            declared.derive = function
            self._check_views_over(declared)
            return function

        return declare

    def view(
        self,
        name: str,
        *,
        over: type,
        every: timedelta,
        measures: Mapping[str, Measure],
        by: Iterable[str] = (),
    ) -> None:
        """Declare measures over tumbling windows of event time, grouped by curated fields."""
        place = place_of_caller()
        require_name("a view", name, place)
        if name in self.views:
            raise CatalogError(f"{place}: view {name!r} is declared twice, first at {self.views[name].place}.")
        window = every // timedelta(microseconds=1)
        if window < 1_000_000:
            raise CatalogError(f"{place}: the window of view {name!r} is shorter than a second.")
        declared = self._of_class(over, place)
        view = View(name, declared.name, window, tuple(by), dict(measures), place)
        check_view(view, declared)
        self.views[name] = view

    def source(
        self,
        name: str,
        *,
        type: str,
        records: str = "",
        id: str | None = None,
        time: str | None = None,
        subject: str | None = None,
        origin: str | None = None,
        types: Mapping[str, str] | None = None,
        data: str = "",
        signature: AnySignature | None = None,
    ) -> None:
        """Declare a foreign kind of document: where its records are, and which of their fields say what.

        ``records`` and ``data`` (what of a record is the event's data; by default all of it) are JSON pointers. ``id``,
        ``time`` and ``subject`` are pointers, or ``header:NAME`` for a header of the request; ``type`` and ``origin``
        (the events' source, by default ``name``) are those or constants. ``types`` translates the types found. With a
        ``signature`` (``Signature``, ``TimestampedSignature``) requests that are not signed so are refused.
        """
        place = place_of_caller()
        require_name("a source", name, place)
        if name in self.sources:
            raise CatalogError(f"{place}: source {name!r} is declared twice, first at {self.sources[name].place}.")
        source = Source(
            name, records, type, id, time, subject, origin or name, dict(types or {}), place, data, signature
        )
        check_source(source)
        self.sources[name] = source

    def example(
        self,
        of: type | str,
        data: Mapping[str, Any],
        *,
        version: int | None = None,
        curated: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        filtered: bool = False,
        rejected: bool | str | Iterable[str] = False,
    ) -> None:
        """Declare what is to become of some data of a type (its class or its name), for ``millrace catalog test``.

        ``data`` is as senders write it, in the current version unless ``version`` says otherwise. It is to be
        ``curated`` into exactly these fields (or into these records), or ``filtered``, or ``rejected``, for exactly
        what is named: JSON pointers into the data, codes of violations, names of rules or reasons of dead letters;
        True is whatever is wrong. Without any of them it is to be accepted. Schemas and the description of the API show
        what is accepted; to what is done with events an example is nothing.
        """
        place = place_of_caller()
        declared = self._named(of, place) if isinstance(of, str) else self._of_class(of, place)
        example = example_of(declared, data, version, curated, filtered, rejected, place)
        self.examples.append(example)
        if example.rejected is None:
            declared.given.setdefault(example.version, []).append(example.data)

    def check(self) -> None:
        """Raise ``CatalogError`` if the declarations together do not make a catalog."""
        check_catalog(self.declared.values(), self.sources.values())

    def _curated_once(self, declared: EventType, place: str) -> None:
        if declared.transform is not None or declared.derive is not None:
            raise CatalogError(f"{place}: {declared.name!r} has two transforms or derivations.")

    def _check_views_over(self, declared: EventType) -> None:
        for view in self.views.values():
            if view.over == declared.name:
                check_view(view, declared)

    def _named(self, name: str, place: str) -> EventType:
        if name not in self.types:
            raise CatalogError(f"{place}: there is no event type {name!r}; declare it first.")
        return self.types[name]

    def _of_class(self, cls: type, place: str) -> EventType:
        if cls not in self._by_class:
            raise CatalogError(f"{place}: {cls!r} is not declared as an event type; decorate it with @catalog.event.")
        return self._by_class[cls]
