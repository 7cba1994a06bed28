"""Examples of the data of an event type in each version, as senders write it, that the catalog accepts."""

from collections.abc import Iterable
from typing import Any, Final

from ..schema.examples import examples
from ..schema.structure import compile_structure
from .curation import Curate, as_records, compile_curate
from .declarations import EventType

MOST: Final = 3


def data_examples(declared: EventType, version: int | None = None) -> list[dict[str, Any]]:
    """Up to 3 examples of the data of a version (None: the current one): those that the author gives, or else some
    that are made from its class, those that say most first.

    Each passes upcasters, validation and rules, and those that are not filtered come first; numbers are int or
    Decimal. None where there is neither, or where nothing passes.
    """
    number = declared.version if version is None else version
    records_of = _way(declared, number)
    if given := _accepted(records_of, [dict(data) for data in declared.given.get(number, ())]):
        return [data for _, data in sorted(given, key=lambda found: found[0])[:MOST]]
    shape = declared.shape_of_version(number)
    made = [] if shape is None else _accepted(records_of, examples(shape))
    return [data for _, data in sorted(made, key=lambda found: (found[0], _emptiness(found[1])))[:MOST]]


def _accepted(records_of: Curate, instances: Iterable[Any]) -> list[tuple[bool, dict[str, Any]]]:
    """The data of the instances that are accepted, each with whether it is filtered."""
    found = []
    for instance in instances:
        try:
            [data] = as_records(instance)
            records = records_of(data)
        except Exception:  # noqa: S112 (user code refuses the example, which says nothing of real events)
            continue
        if records is not None:
            found.append((not records, data))
    return found


def _emptiness(data: dict[str, Any]) -> int:
    """How little an example shows."""
    return sum(not value for value in data.values())


def _way(declared: EventType, version: int) -> Curate:
    """A function from the data of a version to what it is curated into; None where a rule does not hold."""
    rejects = declared.unknown == "reject"
    structure, curate = compile_structure(declared.cls, reject_unknown=rejects), compile_curate(declared)
    older = declared.older.get(version)
    check = None if older is None else compile_structure(older.type, reject_unknown=rejects)

    def records_of(data: dict[str, Any]) -> list[dict[str, Any]] | None:
        if check is not None:
            check(data, "")
        for step in range(version, declared.version):
            data = declared.upcasters[step](data)
        instance = structure(data, "")
        return as_records(curate(instance)) if all(rule.holds(instance) for rule in declared.rules) else None

    return records_of
