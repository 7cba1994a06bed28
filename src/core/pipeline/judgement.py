"""Judging one event with care: what it is curated into, or everything that is wrong with it."""

from collections.abc import Mapping
from typing import Any

import attrs

from ..catalog.curation import NotStorable, as_records
from ..catalog.probes import PROBE
from ..decoding.events import Event
from ..errors import described
from ..records import Reason, Stage, Violation
from ..schema.structure import Invalid
from .plans import Plan, Structure


@attrs.frozen
class Passed:
    """The event is in order: its type's plan, and the records it is curated into (none: it is filtered)."""

    plan: Plan
    records: list[dict[str, Any]]


@attrs.frozen
class Failed:
    """The event can never be processed as it is."""

    reason: Reason
    stage: Stage
    violations: tuple[Violation, ...]


def judge(event: Event, plans: Mapping[str, Plan]) -> Passed | Failed:
    """Upcast, validate, check and transform an event; never raises for what is wrong with it or with user code."""
    plan = plans.get(event.type)
    if plan is None:
        known = ", ".join(sorted(plans.keys() - {PROBE})[:20])
        message = f"The catalog has no type {event.type[:100]!r}; it has {known}."
        return Failed(Reason.UNKNOWN_TYPE, Stage.DECODE, (Violation("", "unknown-type", message),))
    data = _upcast(event, plan)
    if isinstance(data, Failed):
        return data
    instance = _structured(plan.structure, data, event.base)
    if isinstance(instance, Failed):
        return instance
    if broken := tuple(_broken_rules(plan, instance, event.base)):
        return Failed(Reason.RULE, Stage.RULES, broken)
    return _transformed(plan, instance, data)


def _upcast(event: Event, plan: Plan) -> Any | Failed:
    declared = plan.declared
    version = declared.unversioned if event.version is None else event.version
    if not declared.oldest <= version <= declared.version:
        message = f"Version {version} of {plan.name!r} is not among {declared.oldest} to {declared.version}."
        return Failed(Reason.UNSUPPORTED_VERSION, Stage.UPCAST, (Violation("", "unsupported-version", message),))
    if (structure := plan.older.get(version)) is not None:
        checked = _structured(structure, event.data, event.base)
        if isinstance(checked, Failed):
            return checked
    data: Any = event.data
    for step in range(version, declared.version):
        try:
            data = declared.upcasters[step](data)
        except Exception as error:  # user code: one event fails, not its neighbours
            return Failed(Reason.TRANSFORM_ERROR, Stage.UPCAST, (_raised(event.base, f"upcaster from {step}", error),))
        if not isinstance(data, dict):  # declared as dict, but user code may return anything
            message = f"The upcaster from version {step} returned {type(data).__name__}, not a dict."
            return Failed(Reason.TRANSFORM_ERROR, Stage.UPCAST, (Violation(event.base, "upcast", message),))
    return data


def _structured(structure: Structure, data: Any, base: str) -> Any | Failed:
    try:
        return structure(data, base)
    except Invalid as invalid:
        return Failed(Reason.INVALID, Stage.VALIDATE, invalid.violations)


def _broken_rules(plan: Plan, instance: Any, base: str) -> Any:
    for rule in plan.declared.rules:
        try:
            if not rule.holds(instance):
                yield Violation(base, rule.name, f"The rule {rule.name!r} does not hold.")
        except Exception as error:
            yield _raised(base, f"rule {rule.name!r}", error)


def _transformed(plan: Plan, instance: Any, data: Any) -> Passed | Failed:
    try:
        records = as_records(plan.curate(instance))
        if plan.declared.unknown == "keep" and records:
            known = {field.name for field in plan.declared.shape.fields}
            kept = {key: value for key, value in data.items() if key not in known}
            records[0] = {**as_records(kept)[0], **records[0]}
    except NotStorable as error:
        wrong = Violation(error.pointer, "transform", f"The transform's result {error.message}.")
        return Failed(Reason.TRANSFORM_ERROR, Stage.TRANSFORM, (wrong,))
    except Exception as error:  # user code: one event fails, not its neighbours
        return Failed(Reason.TRANSFORM_ERROR, Stage.TRANSFORM, (_raised("", "transform", error),))
    for fields in records:
        if (unfit := plan.unfit_for_views(fields)) is not None:
            message = f"A view over {plan.name!r} cannot take the curated field {unfit!r}: {fields.get(unfit)!r}"[:300]
            return Failed(Reason.TRANSFORM_ERROR, Stage.TRANSFORM, (Violation(f"/{unfit}", "view", message + "."),))
    return Passed(plan, records)


def _raised(pointer: str, what: str, error: Exception) -> Violation:
    return Violation(pointer, "exception", f"The {what} raised {described(error)}")
