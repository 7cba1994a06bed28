"""The fast lanes: documents decoded in one pass into twins, by the form they come in.

A lane either yields exactly what the careful way would, or nothing. Strict lanes know every field, so nothing in a
document goes unseen; loose ones skip what they do not know and are asked only about unremarkable documents.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from ..decoding.events import PLAIN_KEYS
from ..decoding.foreign import Source
from ..decoding.strict_json import unremarkable
from ..schema.twins import twin_fields
from ..times import Instant
from .plans import Plan

Text: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)] | UnsetType
REFUSALS = (Exception,)
"""Also what user code in defaults raises, an unhashable item of a set, or a decimal exponent beyond all bounds."""

_PLAIN: list[Any] = [
    ("e_id", Text, UNSET),
    ("e_time", Instant | int | UnsetType, UNSET),
    ("e_source", Text, UNSET),
    ("e_subject", Text, UNSET),
    ("e_version", int | UnsetType, UNSET),
]
_PLAIN_NAMES = {
    "e_id": "eventId",
    "e_time": "eventTime",
    "e_source": "source",
    "e_subject": "subject",
    "e_version": "schemaVersion",
}
_CLOUD: list[Any] = [
    ("e_id", Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]),
    ("e_source", Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]),
    ("e_time", Instant | UnsetType, UNSET),
    ("e_subject", Text, UNSET),
    ("e_version", Text, UNSET),
    ("specversion", Literal["1.0"]),
    ("datacontenttype", Literal["application/json"] | UnsetType, UNSET),
    ("data_base64", UnsetType, UNSET),
    ("eventType", UnsetType, UNSET),
]
_CLOUD_NAMES = {"e_id": "id", "e_source": "source", "e_time": "time", "e_subject": "subject", "e_version": "dataschema"}


class Opened(msgspec.Struct, gc=False):
    """A foreign record: its envelope as the other lanes' twins have it, and the twin of its data."""

    e_id: str | UnsetType
    e_time: Any
    e_source: str
    e_subject: str | UnsetType
    e_version: UnsetType
    data: Any


class Lanes:
    """Tries one lane after the other, the one that took the last document first."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self.plans: dict[type, Plan] = {}
        strict = [*self._lane(plans, strict=True)]
        loose = [*self._lane(plans, strict=False)]
        self._strict, self._loose = strict, loose
        self.first = strict[0] if strict else _refuse

    def other(self, document: bytes) -> Any:
        """The twin of a document that ``first`` refused, None if every lane does."""
        for decode in self._strict:
            if decode != self.first:
                try:
                    twin = decode(document)
                except REFUSALS:
                    continue
                self.first = decode
                return twin
        if unremarkable(document):
            for decode in self._loose:
                try:
                    return decode(document)
                except REFUSALS:
                    continue
        return None

    def _lane(self, plans: Iterable[Plan], *, strict: bool) -> Iterator[Any]:
        nested, flat, cloud = [], [], []
        for plan in plans:
            data = plan.strict if strict else plan.loose
            if data is None:
                continue
            settings: dict[str, Any] = {"kw_only": True, "gc": False, "forbid_unknown_fields": strict, "tag": plan.name}
            members = [*_PLAIN, ("data", data)]
            nested.append(msgspec.defstruct("Nested", members, tag_field="eventType", rename=_PLAIN_NAMES, **settings))
            cloud.append(
                msgspec.defstruct("Cloud", [*_CLOUD, ("data", data)], tag_field="type", rename=_CLOUD_NAMES, **settings)
            )
            fields = twin_fields(plan.declared.shape, strict=strict)
            if not {field[0] for field in fields} & {*PLAIN_KEYS, *_PLAIN_NAMES, "data"} and (
                strict or plan.declared.unknown == "drop"
            ):
                members = [*_PLAIN, *fields, ("data", UnsetType, UNSET)]
                flat.append(msgspec.defstruct("Flat", members, tag_field="eventType", rename=_PLAIN_NAMES, **settings))
                self.plans[flat[-1]] = plan
            self.plans[nested[-1]] = self.plans[cloud[-1]] = plan
        for structs, field in (nested, "eventType"), (cloud, "type"), (flat, "eventType"):
            if structs:
                if len(structs) == 1:  # msgspec asks for the tag only where it has a choice; no name has a blank
                    structs.append(msgspec.defstruct("Never", [("never", UnsetType)], tag_field=field, tag=" "))
                yield msgspec.json.Decoder(reduce(or_, structs), float_hook=Decimal).decode


class ForeignLane:
    """The lane of one source: the envelope and the data are decoded from the same bytes."""

    def __init__(self, source: Source, plans: Mapping[str, Plan]) -> None:
        pointers = {label: place for label, place in source.places.items() if place.startswith("/")}
        self._possible = all(pointer.count("/") == 1 and "~" not in pointer for pointer in pointers.values())
        if source.data or source.headers:  # the lane sees records only, and takes all of one as its data
            self._possible = False
        if len({*pointers.values()}) < len(pointers):  # one field says two things
            self._possible, pointers = False, {}
        self._source, self._plans = source, plans
        self._decoders = {
            name: msgspec.json.Decoder(plan.loose, float_hook=Decimal).decode
            for name, plan in plans.items()
            if plan.loose is not None
        }
        required = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
        kinds: dict[str, tuple[Any, ...]] = {
            "type": (required,),
            "id": (required,),
            "time": (Instant | int | UnsetType, UNSET),
            "subject": (Text, UNSET),
            "origin": (required,),
        }
        fields: list[Any] = [(f"e_{label}", *kinds[label]) for label in pointers]
        rename = {f"e_{label}": pointer[1:] for label, pointer in pointers.items()}
        self._has = frozenset(pointers)
        self._decode_envelope = msgspec.json.Decoder(
            msgspec.defstruct("Envelope", fields, rename=rename, kw_only=True, gc=False)
        ).decode

    def decode(self, record: bytes) -> tuple[Plan, Opened] | None:
        """The plan and the twin of a record, None where it needs care."""
        if not self._possible or not unremarkable(record):
            return None
        source, has = self._source, self._has
        try:
            envelope: Any = self._decode_envelope(record)
            found = envelope.e_type if "type" in has else source.type
            name = source.types.get(found, found)
            data = self._decoders[name](record)
        except (*REFUSALS, KeyError):
            return None
        opened = Opened(
            envelope.e_id if "id" in has else UNSET,
            envelope.e_time if "time" in has else UNSET,
            envelope.e_origin if "origin" in has else source.origin,
            envelope.e_subject if "subject" in has else UNSET,
            UNSET,
            data,
        )
        return self._plans[name], opened


def _refuse(_: bytes) -> Any:
    raise msgspec.DecodeError("no lane is fast enough for these types")
