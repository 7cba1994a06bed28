"""Hypothesis strategies for a catalog's own types: data of a class, and events that the catalog accepts."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from ..core.catalog import Catalog, EventType
from ..core.decoding.strict_json import parse
from ..core.pipeline.judgement import Failed, Passed
from ..core.pipeline.pipeline import Pipeline
from ..core.pipeline.trials import event_of
from ..core.records import Reason
from ..core.schema.shapes import Record, shape_of
from ..core.schema.structure import Invalid, compile_structure
from .memory import compiled, type_named
from .values import Values, as_json, kept, objects

Json = dict[str, Any]

SOURCES: Final = ("test", "shop/é")
_TIMES = st.one_of(
    st.sampled_from(["2026-11-23T12:00:00Z", "2026-11-23T12:59:59.999999+01:00", 1795435200, 1795435200123]),
    st.integers(0, 4 * 10**9).map(lambda seconds: as_json(datetime.fromtimestamp(seconds, UTC))),
)
"""Times of events, in each form they can have."""


def data(cls: type, /, **fields: Values) -> st.SearchStrategy[Json]:
    """Data that an attrs class takes, as JSON: every type of field, within all constraints, those with a default left
    out at times. ``fields`` draws fields from other strategies, of values as the class holds them, or as JSON has them.

    Raises ``CatalogError`` for what is no such class, ``TypeError`` for a field that it does not have, ``TooNarrow``
    where no value is found that it takes.
    """
    shape = shape_of(cls, f"data({getattr(cls, '__name__', cls)})")
    if unknown := fields.keys() - {field.name for field in shape.fields}:
        raise TypeError(f"{cls.__name__} has no field {min(unknown)!r}")
    return data_of(shape, compile_structure(cls, reject_unknown=False), fields)


def data_of(
    shape: Record, structure: Callable[[Any, str], Any], given: Mapping[str, Values]
) -> st.SearchStrategy[Json]:
    """Data of a shape that ``structure`` takes; some fields are ``given``."""

    def is_taken(drawn: Json) -> bool:
        try:
            structure(exactly(drawn), "")
        except Invalid:
            return False
        return True

    drawn: st.SearchStrategy[Json] = objects(shape, given).map(as_json)
    return kept(drawn, is_taken, f"{shape.type.__name__} refuses all data that was drawn for it")


def events(
    catalog: Catalog, of: type | str | None = None, *, data: st.SearchStrategy[Json] | None = None
) -> st.SearchStrategy[Json]:
    """Plain events of a type (its class or its name; None: of any) that are valid and that all rules hold for, as
    ``json.dumps`` takes them. Their ids are UUIDs; time, source and subject are there at times. ``data`` is what to
    draw their data from.

    Raises ``LookupError`` for a type that there is not, ``TooNarrow`` where rules refuse whatever is drawn.
    """
    pipeline = compiled(catalog)
    if of is None:
        return st.one_of(*(events(catalog, name, data=data) for name in catalog.declared))
    declared = catalog.types[type_named(catalog, of)]

    def is_allowed(event: Json) -> bool:
        judged = judged_data(pipeline, declared, declared.version, event["data"])
        return isinstance(judged, Passed) or judged.reason is not Reason.RULE

    given = of_version(pipeline, declared, declared.version) if data is None else data
    complaint = f"The rules of {declared.name!r} refuse all events that were drawn"
    return kept(envelopes(declared, declared.version, given), is_allowed, complaint)


def envelopes(declared: EventType, version: int, given: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Plain events of a version of a type with this data."""
    required = {
        "eventType": st.just(declared.name),
        "eventId": st.uuids(version=4).map(str),
        "schemaVersion": st.just(version),
        "data": given,
    }
    optional = {"eventTime": _TIMES, "source": st.sampled_from(SOURCES), "subject": st.just("subject")}
    return st.fixed_dictionaries(required, optional=optional)


def of_version(pipeline: Pipeline, declared: EventType, version: int) -> st.SearchStrategy[Json]:
    """Data of a version of a type: of its class, where it has one, else what the catalog's examples of it are."""
    plan, shape = pipeline.plans[declared.name], declared.shape_of_version(version)
    if shape is not None:
        return data_of(shape, plan.structure if version == declared.version else plan.older[version], {})
    return st.sampled_from(
        [
            as_json(dict(example.data))
            for example in pipeline.catalog.examples
            if (example.type, example.version) == (declared.name, version) and example.rejected is None
        ]
    )


def judged_data(pipeline: Pipeline, declared: EventType, version: int, drawn: Any) -> Passed | Failed:
    """What becomes of data as JSON."""
    return pipeline.judge(event_of(declared, version, exactly(drawn)))


def exactly(drawn: Any) -> Any:
    """JSON as the platform reads it: with exact numbers."""
    return parse(json.dumps(drawn).encode())
