"""Foreign sources that read headers of a request, and a part of a record as the event's data."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace import Catalog, CatalogError, Signature, TimestampedSignature
from millrace.core.catalog.compatibility import findings
from millrace.core.decoding.decoder import Decoder
from millrace.core.decoding.events import Event, NoEvent
from millrace.core.decoding.foreign import Source
from millrace.core.records import RawObject, Receipt

SECOND = 1_000_000
HEADERS = {"x-kind": "paid", "x-delivery": "d-7", "x-sent": "1732327200", "x-about": "o-1", "x-shop": "north"}
HOOK = Source(
    name="hook",
    records="",
    type="header:X-Kind",
    id="header:x-delivery",
    time="header:X-SENT",
    subject="header:x-about",
    origin="header:x-shop",
    types={"paid": "purchase"},
    place="here",
    data="/data/object",
)
RECORD = {"data": {"object": {"amount": 1}}, "attempt": 1}


def read(source: Source, body: Any, headers: dict[str, str]) -> list[Event | NoEvent]:
    decoder = Decoder({source.name: source})
    kept = decoder.headers(headers, source.name)
    raw = RawObject(Receipt(id="r", received_at=7, foreign=source.name, headers=kept), json.dumps(body).encode())
    return [found for _, found in decoder.events(raw)]


def test_headers_say_what_an_event_is_and_a_part_of_the_record_is_its_data() -> None:
    sent = {name.title(): text for name, text in HEADERS.items()} | {"Authorization": "Bearer s3cr3t"}
    assert read(HOOK, RECORD, sent) == [
        Event("purchase", "d-7", "north", 1732327200 * SECOND, "o-1", None, {"amount": 1}, "/data/object")
    ]


def test_of_several_records_under_one_delivery_each_has_an_id_of_its_own() -> None:
    events = read(HOOK, [RECORD] * 3, HEADERS)
    assert [event.id for event in events if isinstance(event, Event)] == ["d-7", "d-7#1", "d-7#2"]


def test_only_the_headers_that_a_source_reads_are_kept_and_without_one_those_of_cloudevents() -> None:
    sent = {"X-Kind": "paid", "ce-id": "1", "Ce-Type": "t", "X-Hub-Signature-256": "s", "Content-Type": "text/json"}
    decoder = Decoder({"hook": HOOK})
    assert decoder.headers(sent, "hook") == {"x-kind": "paid"}
    assert decoder.headers(sent, None) == {"ce-id": "1", "ce-type": "t"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"x-kind": None}, ("", "required", "header x-kind is missing")),
        ({"x-kind": ""}, ("", "type", "header x-kind is not a text of 1 to 2048 characters")),
        ({"x-delivery": "x" * 2049}, ("", "type", "header x-delivery is not a text of 1 to 2048 characters")),
        ({"x-shop": None}, ("", "required", "header x-shop is missing")),
        ({"x-sent": "noon"}, ("", "time", "header x-sent is not an RFC 3339 date-time")),
        ({"x-sent": "9" * 99}, ("", "time", "header x-sent is outside the years 1 to 9999")),
    ],
)
def test_a_header_that_is_missing_or_wrong_is_told_by_its_name(
    change: dict[str, str | None], wrong: tuple[str, str, str]
) -> None:
    sent = {name: text for name, text in (HEADERS | change).items() if text is not None}
    [found] = read(HOOK, RECORD, sent)
    assert isinstance(found, NoEvent)
    [violation] = found.violations
    assert (violation.pointer, violation.code) == wrong[:2]
    assert violation.message.startswith(wrong[2])


def test_a_header_that_need_not_be_there_may_be_missing() -> None:
    sent = {name: text for name, text in HEADERS.items() if name not in ("x-sent", "x-about")}
    [event] = read(HOOK, RECORD, sent)
    assert isinstance(event, Event)
    assert (event.time, event.subject) == (None, None)


@pytest.mark.parametrize(
    ("record", "code"),
    [({}, "required"), ({"data": {}}, "required"), ({"data": {"object": [1]}}, "type"), ({"data": 7}, "required")],
)
def test_data_that_is_no_object_is_a_violation_at_its_place(record: Any, code: str) -> None:
    [found] = read(HOOK, record, HEADERS)
    assert isinstance(found, NoEvent)
    assert [(violation.pointer, violation.code) for violation in found.violations] == [("/data/object", code)]
    assert (found.event_type, found.event_id) == ("purchase", "d-7")


@given(st.dictionaries(st.sampled_from([*HEADERS, "ce-specversion"]), st.text()), st.recursive(st.integers(), st.lists))
def test_no_header_and_no_body_makes_decoding_fail(headers: dict[str, str], body: Any) -> None:
    for found in read(HOOK, body, headers):
        assert isinstance(found, NoEvent)
        assert found.violations


# ------------------------------------------------------------------------------------------------------- declarations


@attrs.frozen
class Sale:
    amount: int


def shop(**source: Any) -> Catalog:
    catalog = Catalog("shop")
    catalog.event("sale")(Sale)
    if source:
        catalog.source("hook", type="sale", **source)
    return catalog


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "records in a header": (lambda: shop(records="header:x"), "records of source 'hook' is a JSON pointer"),
    "data in a header": (lambda: shop(data="header:x"), "data of source 'hook' is a JSON pointer"),
    "a constant id": (lambda: shop(id="x"), "id of source 'hook' is a JSON pointer .*, or is 'header:NAME'"),
    "a header without a name": (lambda: shop(id="header:"), "'header:', which is no name of a header"),
    "a header with a blank": (lambda: shop(id="header:a b"), "'header:a b', which is no name of a header"),
    "a credential": (lambda: shop(subject="header:Authorization"), "'authorization', a header of credentials"),
    "the signature itself": (
        lambda: shop(id="header:x-sig", signature=Signature("X-Sig", "S")),
        "'X-Sig', which the source also reads",
    ),
    "a signature that is none": (lambda: shop(signature="sha256"), "is 'sha256'; it is a Signature"),
    "a class for a signature": (lambda: shop(signature=Signature), "it is a Signature"),
    "a header that is none": (lambda: shop(signature=Signature("", "S")), "is in '', which is no name of a header"),
    "a variable that is none": (lambda: shop(signature=Signature("X", "A B")), "'A B', which is no name of a variable"),
    "an unknown encoding": (
        lambda: shop(signature=Signature("X", "S", encoding="hax")),  # type: ignore[arg-type]
        "is in 'hax'; 'hex' and 'base64' are known",
    ),
    "no tolerance": (
        lambda: shop(signature=TimestampedSignature("X", "S", timedelta())),
        "has a tolerance of less than a second",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_declaration_is_an_error_that_names_the_place(case: str) -> None:
    declare, said = WRONG[case]
    with pytest.raises(CatalogError, match=said) as raised:
        declare()
    assert str(raised.value).startswith(f"{__file__}:")


def test_a_type_in_a_header_is_no_constant_that_must_be_declared() -> None:
    catalog = shop()
    catalog.source("hook", type="header:x-kind", signature=Signature("X-Sig", "S"))
    catalog.check()


def test_another_signature_is_a_breaking_change_and_none_is_not() -> None:
    one, other = shop(id="/id", signature=Signature("X", "S")), shop(id="/id", signature=TimestampedSignature("X", "S"))
    none = shop(id="/id")
    assert [(found.breaking, found.code) for found in findings(none, one)] == [(True, "signature-changed")]
    assert [(found.breaking, found.code) for found in findings(one, other)] == [(True, "signature-changed")]
    assert [(found.breaking, found.code) for found in findings(one, none)] == [(False, "signature-removed")]
    assert findings(one, shop(id="/id", signature=Signature("X", "OTHER_VARIABLE"))) == []


def test_another_place_of_the_data_is_a_breaking_change() -> None:
    [found] = findings(shop(id="/id"), shop(id="/id", data="/data"))
    assert (found.breaking, found.code, found.place) == (True, "source-changed", "source hook")
