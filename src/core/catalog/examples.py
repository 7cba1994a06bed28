"""Examples of the data of an event type in each version, as senders write it, that the catalog accepts."""

from collections.abc import Callable
from typing import Any, Final

from ..schema.examples import examples
from ..schema.structure import compile_structure
from .curation import as_records, compile_curate
from .declarations import EventType

MOST: Final = 3


def data_examples(declared: EventType, version: int | None = None) -> list[dict[str, Any]]:
    """Up to 3 examples of the data of a version (None: the current one), those that say most first.

    Each passes upcasters, validation and rules, and those that are not filtered come first; numbers are int or
    Decimal. None where the version has no class, or where nothing that is made from its class passes.
    """
    number = declared.version if version is None else version
    shape = declared.shape_of_version(number)
    if shape is None:
        return []
    weighed: list[tuple[bool, int, dict[str, Any]]] = []
    records_of = _way(declared, number)
    for instance in examples(shape):
        try:
            [data] = as_records(instance)
            records = records_of(data)
        except Exception:  # noqa: S112 (user code refuses the example, which says nothing of real events)
            continue
        if records is not None:
            weighed.append((not records, sum(not value for value in data.values()), data))
    return [data for _, __, data in sorted(weighed, key=lambda found: found[:2])[:MOST]]


def _way(declared: EventType, version: int) -> Callable[[dict[str, Any]], list[dict[str, Any]] | None]:
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
