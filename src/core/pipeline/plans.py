"""``Plan``: everything that is done with events of one type, compiled once from its declaration."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import attrs
import msgspec

from ..catalog.curation import compile_curate
from ..catalog.declarations import EventType
from ..schema.constraints import compile_check
from ..schema.shapes import Record
from ..schema.structure import compile_structure
from ..schema.twins import compile_build, is_closed, twin_of
from ..views.projection import groupable
from ..views.view import View
from .steps import NUMBERS, Step, compile_step

Structure: TypeAlias = Callable[[Any, str], Any]
"""From a JSON value and the pointer to it to an instance; raises ``Invalid`` with all that is wrong."""


@attrs.frozen
class Plan:
    """One type's compiled steps.

    ``strict`` is the twin that refuses unknown fields, None where a field may hold anything, so that nothing the
    strict one takes goes unseen. ``loose`` drops them, and is None where they must not be dropped. ``older`` are the
    structures of older versions whose classes are declared.
    """

    declared: EventType
    name: str
    version: int
    takes_unversioned: bool
    by_id: bool
    strict: type[msgspec.Struct] | None
    loose: type[msgspec.Struct] | None
    structure: Structure
    older: Mapping[int, Structure]
    curate: Callable[[Any], Any]
    step: Step
    measured: tuple[str, ...]
    grouped: tuple[str, ...]

    def unfit_for_views(self, fields: dict[str, Any]) -> str | None:
        """A field that a view cannot take: no number where it measures, no single value where it groups."""
        for name in self.measured:
            if fields.get(name).__class__ not in NUMBERS:
                return name
        for name in self.grouped:
            value = fields.get(name)
            if value.__class__ is not str and not groupable(value):
                return name
        return None


def compile_plan(declared: EventType, views: Iterable[View]) -> Plan:
    """The plan of a type, with what the views over it need."""
    mine = [view for view in views if view.over == declared.name]
    measured = tuple(sorted({m.field for v in mine for m in v.measures.values() if m.numeric and m.field}))
    grouped = tuple(sorted({name for v in mine for name in v.by}))
    closed = is_closed(declared.shape)
    rejects = declared.unknown == "reject"
    loose = None if declared.unknown == "keep" else twin_of(declared.shape, strict=rejects)
    return Plan(
        declared=declared,
        name=declared.name,
        version=declared.version,
        takes_unversioned=declared.unversioned == declared.version,
        by_id=declared.identity == "id",
        strict=twin_of(declared.shape, strict=True) if closed else None,
        loose=loose,
        structure=_structure(declared.shape, loose, rejects=rejects),
        older={
            version: _structure(shape, twin_of(shape, strict=rejects), rejects=rejects)
            for version, shape in declared.older.items()
        },
        curate=compile_curate(declared),
        step=compile_step(declared, measured, grouped),
        measured=measured,
        grouped=grouped,
    )


def _structure(shape: Record, twin: type[msgspec.Struct] | None, *, rejects: bool) -> Structure:
    build, check = compile_build(shape), compile_check(shape)
    careful = compile_structure(shape.type, reject_unknown=rejects)

    def structure(data: Any, pointer: str) -> Any:
        if twin is not None:
            try:
                made = msgspec.convert(data, twin)
                if check is None or check(made):
                    return build(made)
            except Exception:  # noqa: S110 (whatever it was, the full validation below says it in full)
                pass
        return careful(data, pointer)

    return structure
