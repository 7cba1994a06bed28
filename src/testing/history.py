"""``histories``: what senders send over time, with duplicates, in any order, in old versions, and some of it broken."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from ..core.catalog import Catalog, EventType
from ..core.decoding.events import PLAIN_KEYS
from ..core.pipeline.judgement import Failed, Passed
from ..core.pipeline.pipeline import Pipeline
from ..core.pipeline.trials import is_fault
from ..core.records import Reason
from ..core.schema.shapes import Leaf, Record, Shape, json_types
from .delivered import Delivered
from .memory import SOURCE, compiled, type_named
from .strategies import Json, envelopes, judged_data, of_version

_OF_KIND = {"object": {}, "array": [], "boolean": True, "number": 7, "string": "text"}
"""A JSON value of each type."""


def histories(
    catalog: Catalog, *, max_size: int = 12, data: Mapping[type | str, st.SearchStrategy[Json]] | None = None
) -> st.SearchStrategy[list[Delivered]]:
    """Histories of events of all types and of each version that has a class or an example, in every form of envelope.

    Events come twice at times, in other notation and in any order; some are broken in one way or another, and those
    that a rule does not hold for are among them: such say of what kind of dead letter they must become. A history has
    up to ``max_size`` different events. ``data`` draws the data of a class (that of a type, or of an older version; or
    of the type of a name) from another strategy. Raises ``LookupError`` for a class or name that there is not,
    ``TooNarrow`` where no value is found that a class takes.
    """
    pipeline = compiled(catalog)
    return _history(pipeline, st.one_of(*_sound(pipeline, _given(catalog, data or {}))), max_size)


def _given(
    catalog: Catalog, data: Mapping[type | str, st.SearchStrategy[Json]]
) -> dict[tuple[str, int], st.SearchStrategy[Json]]:
    """The strategies by type and version. Raises ``LookupError``."""
    older = {
        shape.type: (declared.name, version)
        for declared in catalog.declared.values()
        for version, shape in declared.older.items()
    }
    given = {}
    for of, strategy in data.items():
        name, version = older[of] if isinstance(of, type) and of in older else (type_named(catalog, of), None)
        given[name, catalog.types[name].version if version is None else version] = strategy
    return given


def _sound(
    pipeline: Pipeline, given: Mapping[tuple[str, int], st.SearchStrategy[Json]]
) -> Iterator[st.SearchStrategy[Json]]:
    """Events that fit their classes, whatever rules say, of each type and version."""
    examples = {(example.type, example.version) for example in pipeline.catalog.examples if example.rejected is None}
    for declared in pipeline.catalog.declared.values():
        for version in range(declared.oldest, declared.version + 1):
            if (declared.name, version) in given:
                yield envelopes(declared, version, given[declared.name, version])
            elif declared.shape_of_version(version) is not None or (declared.name, version) in examples:
                yield envelopes(declared, version, of_version(pipeline, declared, version))


@st.composite
def _history(draw: st.DrawFn, pipeline: Pipeline, sound: st.SearchStrategy[Json], max_size: int) -> list[Delivered]:
    delivered: list[tuple[int, Delivered]] = []
    rivals: list[tuple[int, Delivered]] = []
    for number, event in enumerate(draw(st.lists(sound, max_size=max_size))):
        event["eventId"] = f"e{number}"  # of its own, so that nothing else has its identity
        declared = pipeline.catalog.types[event["eventType"]]
        judged = judged_data(pipeline, declared, event["schemaVersion"], event["data"])
        dead = Reason.RULE.value if isinstance(judged, Failed) and not is_fault(judged) else None
        for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
            delivered.append((number, Delivered(draw(_document(event)), dead)))
        fate = draw(st.integers(0, 7))
        if fate == 7:
            broken = _broken(pipeline, declared, {**event, "eventId": f"b{number}"})
            delivered.append((-1, draw(st.one_of(*broken))))
        elif fate == 6 and isinstance(judged, Passed) and judged.records:
            rivals.append((number, Delivered(draw(_document({**event, "subject": "rival"})), Reason.CONFLICT.value)))
    delivered = draw(st.permutations(delivered))
    for number, rival in rivals:  # which is one only behind the event whose identity it claims
        first = next(place for place, (other, _) in enumerate(delivered) if other == number)
        delivered.insert(draw(st.integers(first + 1, len(delivered))), (-1, rival))
    return [each for _, each in delivered]


def _document(event: Json) -> st.SearchStrategy[bytes]:
    """The event in one notation or another."""
    forms = [event, _cloud_event(event)] if isinstance(event.get("eventTime", ""), str) else [event]
    if not event["data"].keys() & {*PLAIN_KEYS, "data"}:
        forms.append({**{key: value for key, value in event.items() if key != "data"}, **event["data"]})
    texts = [json.dumps(form).encode() for form in forms]
    return st.sampled_from([*texts, json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()])


def _cloud_event(event: Json) -> Json:
    names = {"eventType": "type", "eventId": "id", "eventTime": "time", "source": "source", "subject": "subject"}
    attributes = {names[key]: value for key, value in event.items() if key in names}
    schema = f"urn:{event['eventType']}:{event['schemaVersion']}"
    return {"specversion": "1.0", "source": SOURCE, **attributes, "dataschema": schema, "data": event["data"]}


def _broken(pipeline: Pipeline, declared: EventType, event: Json) -> Iterator[st.SearchStrategy[Delivered]]:
    """Ways to break an event, each with the reason it must be dead-lettered for."""
    whole = json.dumps(event).encode()
    yield st.integers(1, len(whole) - 1).map(lambda end: Delivered(whole[:end], Reason.MALFORMED.value))
    yield _as(Reason.MALFORMED, {key: value for key, value in event.items() if key != "eventType"})
    unknown = event["eventType"]
    while unknown in pipeline.catalog.types:
        unknown += "-unknown"
    yield _as(Reason.UNKNOWN_TYPE, {**event, "eventType": unknown})
    yield _as(Reason.UNSUPPORTED_VERSION, {**event, "schemaVersion": declared.version + 1})
    if event["schemaVersion"] == declared.version:
        for wrong in _wrong_data(declared.shape, event["data"], rejects=declared.unknown == "reject"):
            yield _as(Reason.INVALID, {**event, "data": wrong})


def _wrong_data(shape: Record, data: Json, *, rejects: bool) -> Iterator[Json]:
    """The data with one field missing, of another JSON type, or too many."""
    for field in shape.fields:
        if field.required:
            yield {name: value for name, value in data.items() if name != field.name}
        if (value := _of_another_kind(field.shape)) is not None:
            yield {**data, field.name: value}
    if rejects:
        taken = {field.name for field in shape.fields}
        yield {**data, next(name for name in map("x{}".format, range(len(taken) + 1)) if name not in taken): 1}


def _of_another_kind(shape: Shape) -> Any:
    """A JSON value of a type that no value of the shape has; None where it may have any."""
    if isinstance(shape, Leaf) and shape.type is Any:
        return None
    kinds = json_types(shape)
    return next((value for kind, value in _OF_KIND.items() if kind not in kinds), None)


def _as(reason: Reason, event: Json) -> st.SearchStrategy[Delivered]:
    return st.just(Delivered(json.dumps(event).encode(), reason.value))
