"""``Plan``: everything that is done with events of one type, compiled once from its declaration."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
import msgspec

from ..catalog.curation import compile_curate
from ..catalog.declarations import EventType
from ..schema.constraints import compile_check
from ..schema.structure import compile_structure
from ..schema.twins import compile_build, is_closed, twin_of
from ..views.projection import groupable
from ..views.view import View
from .steps import NUMBERS, Step, compile_step


@attrs.frozen
class Plan:
    """One type's compiled steps.

    ``strict`` is the twin that refuses unknown fields, None where a field may hold anything, so that nothing the
    strict one takes goes unseen. ``loose`` drops them, and is None where they must not be dropped.
    """

    declared: EventType
    name: str
    version: int
    takes_unversioned: bool
    by_id: bool
    strict: type[msgspec.Struct] | None
    loose: type[msgspec.Struct] | None
    build: Callable[[Any], Any]
    check: Callable[[Any], bool] | None
    structure: Callable[[Any, str], Any]
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
    keeps = declared.unknown == "keep"
    return Plan(
        declared=declared,
        name=declared.name,
        version=declared.version,
        takes_unversioned=declared.unversioned == declared.version,
        by_id=declared.identity == "id",
        strict=twin_of(declared.shape, strict=True) if closed else None,
        loose=None if keeps else twin_of(declared.shape, strict=declared.unknown == "reject"),
        build=compile_build(declared.shape),
        check=compile_check(declared.shape),
        structure=compile_structure(declared.cls, reject_unknown=declared.unknown == "reject"),
        curate=compile_curate(declared),
        step=compile_step(declared, measured, grouped),
        measured=measured,
        grouped=grouped,
    )
