"""Trials: a catalog's own examples, declared and generated, through its own pipeline, and whether they come out right.

Generated ones are made from the classes, of each version that has one. Whatever rules say of them, no function of the
catalog may raise for data that its class takes, nor may upcasters make of it what the current class refuses.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import attrs

from ..catalog import EventType
from ..catalog.cases import Example
from ..catalog.curation import NotStorable, as_records
from ..comparison import Difference, differences
from ..decoding.events import Event
from ..errors import CatalogError
from ..records import Reason, Value
from ..schema.examples import examples
from ..schema.structure import Invalid
from .judgement import Failed, Passed
from .pipeline import Pipeline


@attrs.frozen
class Trial:
    """What was expected of some data of a version of a type, and what came of it.

    ``place`` is file and line of a declared example, None of a generated one. Where it was to be curated into other
    fields, ``differences`` say which.
    """

    type: str
    version: int
    place: str | None
    data: dict[str, Any]
    expected: str
    got: str
    holds: bool
    differences: Sequence[Difference] = ()


def trials(pipeline: Pipeline) -> Iterator[Trial]:
    """Every declared example, in order, then the generated ones of every type. Runs the catalog's code.

    Raises ``CatalogError`` for a declared example that is no JSON.
    """
    for example in pipeline.catalog.examples:
        yield _declared(pipeline, example)
    for declared in pipeline.catalog.declared.values():
        for version in range(declared.oldest, declared.version + 1):
            yield from _generated(pipeline, declared, version)


def untried(pipeline: Pipeline, tried: Sequence[Trial]) -> list[tuple[str, int]]:
    """The types and versions that none of the trials was about: nothing is known of what becomes of them."""
    seen = {(trial.type, trial.version) for trial in tried}
    return [
        (declared.name, version)
        for declared in pipeline.catalog.declared.values()
        for version in range(declared.oldest, declared.version + 1)
        if (declared.name, version) not in seen
    ]


def event_of(declared: EventType, version: int, data: Any) -> Event:
    """An event that has nothing but data."""
    return Event(declared.name, "example", "example", None, None, version, data, "")


def _declared(pipeline: Pipeline, example: Example) -> Trial:
    declared = pipeline.catalog.types[example.type]
    try:
        [data] = as_records(dict(example.data))
        wanted = None if example.curated is None else as_records(list(map(dict, example.curated)))
    except NotStorable as error:
        raise CatalogError(f"{example.place}: the example is no JSON: {error}.") from None
    judged = pipeline.judge(event_of(declared, example.version, data))
    found: Sequence[Difference] = ()
    if example.rejected is not None:
        expected = f"rejected: {', '.join(example.rejected)}" if example.rejected else "rejected"
        holds = isinstance(judged, Failed) and _is_as_named(judged, example.rejected)
    elif example.filtered:
        expected, holds = "filtered", isinstance(judged, Passed) and not judged.records
    elif wanted is None:
        expected, holds = "accepted", isinstance(judged, Passed)
    else:
        expected, holds = "curated", False
        if isinstance(judged, Passed) and (judged.records or not wanted):
            found = _differences(wanted, judged.records)
            holds = not found
    return Trial(example.type, example.version, example.place, data, expected, _said(judged), holds, found)


def _generated(pipeline: Pipeline, declared: EventType, version: int) -> Iterator[Trial]:
    plan, shape = pipeline.plans[declared.name], declared.shape_of_version(version)
    if shape is None:
        return
    structure = plan.structure if version == declared.version else plan.older[version]
    for instance in examples(shape):
        try:
            [data] = as_records(instance)
            structure(data, "")
        except (NotStorable, Invalid):
            continue  # no data that a sender could write
        judged = pipeline.judge(event_of(declared, version, data))
        holds = not isinstance(judged, Failed) or not is_fault(judged)
        yield Trial(declared.name, version, None, data, "no error", _said(judged), holds)


def is_fault(failed: Failed) -> bool:
    """Whether data that its class takes failed through the catalog's functions, other than by a rule's verdict."""
    return failed.reason is not Reason.RULE or any(wrong.code == "exception" for wrong in failed.violations)


def _is_as_named(failed: Failed, names: Sequence[str]) -> bool:
    """Whether all that was named is wrong, and nothing else is."""
    said = [{wrong.pointer, wrong.code, failed.reason.value} for wrong in failed.violations]
    return not names or (
        all(any(name in words for words in said) for name in names) and all(words & {*names} for words in said)
    )


def _differences(wanted: list[dict[str, Any]], got: list[dict[str, Any]]) -> list[Difference]:
    """Where records are not as expected: numbers by their value, since 12 and 12.0 are curated alike."""
    if len(wanted) == len(got) == 1:
        return [*differences(_decimals(wanted[0]), _decimals(got[0]))]
    return [*differences(_decimals(wanted), _decimals(got))]


def _decimals(value: Value) -> Value:
    match value:
        case bool():
            return value
        case int():
            return Decimal(value)
        case list():
            return [*map(_decimals, value)]
        case dict():
            return {key: _decimals(item) for key, item in value.items()}
        case _:
            return value


def _said(judged: Passed | Failed) -> str:
    if isinstance(judged, Failed):
        wrong = "; ".join(f"{w.pointer} {w.message}".strip() for w in judged.violations)
        return f"{judged.reason.value}: {wrong}"
    return (
        f"curated into {len(judged.records)}"
        if len(judged.records) > 1
        else "curated"
        if judged.records
        else "filtered"
    )
