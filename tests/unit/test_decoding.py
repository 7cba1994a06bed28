"""Decoding: every form of a request becomes the same events, as a pure function of the receipt and the bytes."""

import base64
import gzip
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.decoding.bodies import MAX_EVENT, decompress, line_numbers
from millrace.core.decoding.decoder import Decoder
from millrace.core.decoding.events import Event, NoEvent, version_of_schema
from millrace.core.decoding.foreign import Source
from millrace.core.errors import BodyError, PermanentError
from millrace.core.identity import EARLIEST, LATEST
from millrace.core.records import RawObject, Receipt
from millrace.core.times import format_time, parse_time

LINES = "application/x-ndjson"
SECOND = 1_000_000


def raw(body: bytes | str, **settings: Any) -> RawObject:
    settings = {"id": "r-1", "received_at": 5, "source": "caller", **settings}
    return RawObject(Receipt(**settings), body if isinstance(body, bytes) else body.encode())


def read(sent: RawObject, *sources: Source) -> list[Event | NoEvent]:
    decoder = Decoder({source.name: source for source in sources})
    found = list(decoder.events(sent))
    assert [document for document, _ in found] == list(decoder.documents(sent))
    assert list(map(repr, found)) == list(map(repr, Decoder({s.name: s for s in sources}).events(sent)))
    for index, (document, event) in reversed([*enumerate(found)]):  # by index and in any order, too
        if isinstance(event, Event):
            assert decoder.read(sent, index, document) == event
    return [event for _, event in found]


def one(sent: RawObject, *sources: Source) -> Event:
    (event,) = read(sent, *sources)
    assert isinstance(event, Event), event
    return event


def refused(sent: RawObject, *sources: Source) -> list[tuple[str, str]]:
    (event,) = read(sent, *sources)
    assert isinstance(event, NoEvent), event
    return [(v.pointer, v.code) for v in event.violations]


A, B = '{"eventType": "t", "eventId": "a", "x": 1}', '{"eventType": "t", "eventId": "b", "x": 2}'


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (f"[{A},{B}]", "application/json"),
        (f" \r\n[ {A} ,\n {B} ]\n", "application/json; charset=utf-8"),
        (f"{A}\n{B}", LINES),
        (f"{A}\n{B}\n", LINES),
        (f"{A}\r\n{B}\r\n", LINES),
        (f"\n\n{A}\n   \n\t\r\n{B}\n\n", LINES),
        (f"{A}\n \n{B}\n", "application/jsonl"),
        (f"[{A},{B}]", ""),
    ],
)
def test_an_array_and_lines_hold_the_same_events(body: str, content_type: str) -> None:
    events = read(raw(body, content_type=content_type))
    assert [(e.id, e.data) for e in events if isinstance(e, Event)] == [("a", {"x": 1}), ("b", {"x": 2})]


@given(
    st.lists(st.sampled_from(["", " ", "\t", "\r", "{}", '{"eventType":"t"}', "nonsense", " {} \r"]), max_size=8),
    st.integers(1, 9),
)
def test_every_document_of_lines_has_its_line_number(texts: list[str], first: int) -> None:
    sent = raw("\n".join(texts), content_type=LINES, line=first)
    numbers = line_numbers(sent)
    documents = Decoder({}).documents(sent)
    assert numbers is not None
    assert len(numbers) == len(documents)
    for number, document in zip(numbers, documents, strict=True):
        assert texts[number - first].encode() == document


def test_empty_bodies_hold_no_events_or_one_that_is_none() -> None:
    assert read(raw("[]")) == []
    assert read(raw("", content_type=LINES)) == []
    assert refused(raw("")) == [("", "json")]
    assert refused(raw("null")) == [("", "type")]
    assert refused(raw("[1]")) == [("", "type")]
    assert refused(raw("{}")) == [("", "required")]


def test_one_broken_line_harms_no_other() -> None:
    found = read(raw(f"{A}\n{{broken\n\xff\n[]\n{B}".encode("latin-1"), content_type=LINES))
    assert [isinstance(e, Event) for e in found] == [True, False, False, False, True]


def test_a_plain_event_is_read_from_its_envelope() -> None:
    body = {
        "eventType": "t",
        "eventId": "1",
        "eventTime": "2026-11-23T02:00:00.5+01:00",
        "source": "s",
        "subject": "x",
        "schemaVersion": 2,
    }
    nested = one(raw(json.dumps({**body, "data": {"a": 1}, "extra": 1})))
    assert nested == Event("t", "1", "s", 1795395600500000, "x", 2, {"a": 1}, "/data")
    flat = one(raw(json.dumps({**body, "a": 1})))
    assert (flat.data, flat.base) == ({"a": 1}, "")
    assert one(raw(json.dumps({**body, "data": 5}))).data == {"data": 5}


def test_what_an_event_lacks_comes_from_its_receipt() -> None:
    body = f'[{{"eventType": "t", "eventId": null, "eventTime": null, "source": null}}, {A}, {{"eventType": "t"}}]'
    for key, expected in ((None, "r-1"), ("key", "key")):
        first, named, last = read(raw(body, idempotency_key=key))
        assert isinstance(first, Event)
        assert isinstance(named, Event)
        assert isinstance(last, Event)
        assert (first.id, last.id, named.id) == (f"{expected}#0", f"{expected}#2", "a")
        assert (first.source, first.time, first.version, first.subject) == ("caller", None, None, None)
    assert read(raw(body, idempotency_key="k")) == read(raw(body, idempotency_key="k", id="r-2", received_at=9))


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("eventType", 1, "type"),
        ("eventType", "", "length"),
        ("eventType", "x" * 2049, "length"),
        ("eventType", None, "required"),
        ("eventId", 7, "type"),
        ("source", [], "type"),
        ("subject", "", "length"),
        ("eventTime", "yesterday", "time"),
        ("eventTime", "2026-11-23T02:00:00", "time"),
        ("eventTime", True, "time"),
        ("eventTime", 10**20, "time"),
        ("eventTime", {}, "time"),
        ("schemaVersion", 1.5, "type"),
        ("schemaVersion", -1, "type"),
        ("schemaVersion", True, "type"),
        ("schemaVersion", "two", "type"),
    ],
)
def test_a_wrong_envelope_is_refused_with_its_place(field: str, value: Any, code: str) -> None:
    assert refused(raw(json.dumps({"eventType": "t", "eventId": "1", field: value}))) == [(f"/{field}", code)]


def test_all_that_is_wrong_with_an_envelope_is_reported_with_what_could_be_read() -> None:
    (error,) = read(
        raw('{"eventType": "t", "eventId": 1, "source": 2, "subject": 3, "eventTime": "x", "schemaVersion": {}}')
    )
    assert isinstance(error, NoEvent)
    assert len(error.violations) == 5
    assert (error.event_type, error.event_id) == ("t", None)


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (1732327200, 1732327200 * SECOND),
        (1732327200123, 1732327200123_000),
        (10**11 - 1, (10**11 - 1) * SECOND),
        (10**11, 10**11 * 1000),
        (-1, -SECOND),
        (Decimal("1732327200.123456"), 1732327200_123456),
        (Decimal("1732327200.1234565000000000000000000001"), 1732327200_123457),
        (Decimal("1732327200.1234564999999999999999999999"), 1732327200_123456),
        (Decimal("1732327200123.5"), 1732327200123_500),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("0001-01-01T00:00:00Z", EARLIEST),
        ("9999-12-31T23:59:59.999999Z", LATEST),
        ("2026-11-23T02:00:00+05:30", parse_time("2026-11-22T20:30:00Z")),
    ],
)
def test_times_are_exact_to_the_microsecond(value: Any, micros: int) -> None:
    assert parse_time(value) == micros


@given(st.integers(EARLIEST, LATEST))
def test_times_read_back(micros: int) -> None:
    assert parse_time(format_time(micros)) == micros


@given(
    st.one_of(
        st.text(max_size=30),
        st.decimals(allow_nan=False, allow_infinity=False),
        st.integers(),
        st.none(),
        st.booleans(),
    )
)
def test_what_is_no_time_is_a_value_error(value: Any) -> None:
    with suppress(ValueError):
        assert EARLIEST <= parse_time(value) <= LATEST


CLOUD = {
    "specversion": "1.0",
    "id": "1",
    "source": "/s",
    "type": "t",
    "time": "2026-11-23T02:00:00Z",
    "subject": "x",
    "ext": "e",
}
AT_TWO = parse_time("2026-11-23T02:00:00Z")


def test_cloudevents_are_the_same_in_every_mode() -> None:
    data = {"a": [1.50, "é"]}
    expected = Event("t", "1", "/s", AT_TWO, "x", 3, {"a": [Decimal("1.5"), "é"]}, "/data")
    attributes = {**CLOUD, "dataschema": "https://example.com/t/3"}
    packed = base64.b64encode(json.dumps(data).encode()).decode()
    assert one(raw(json.dumps({**attributes, "data": data}), content_type="application/cloudevents+json")) == expected
    assert (
        one(raw(json.dumps([{**attributes, "data": data}]), content_type="application/cloudevents-batch+json"))
        == expected
    )
    assert one(raw(json.dumps({**attributes, "data_base64": packed}))) == expected
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    binary = one(raw(json.dumps(data), headers=headers))
    assert binary == Event("t", "1", "/s", AT_TWO, "x", 3, expected.data, "")
    assert (
        one(raw(json.dumps({**attributes, "data": data}), content_type="application/cloudevents+json", headers=headers))
        == expected
    )


def binary(body: str = "{}", **attributes: str) -> RawObject:
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}
    return raw(body, headers={**headers, **{f"ce-{name}": value for name, value in attributes.items()}})


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("a%20b", "a b"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("100%25", "100%"),
        ("%2525", "%25"),
        ('"a b"', "a b"),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ('"%41"', "A"),
        ('"', '"'),
        ("a+b", "a+b"),
    ],
)
def test_headers_are_unquoted_and_then_percent_decoded_once(sent: str, text: str) -> None:
    assert one(binary(subject=sent)).subject == text


def test_headers_that_are_no_utf8_are_refused() -> None:
    assert refused(binary(subject="%C0%A0")) == [("/subject", "encoding")]
    assert ("/id", "encoding") in refused(binary(id="%ff"))


def test_binary_events_need_json_or_nothing() -> None:
    assert one(binary("")).data == {}
    assert refused(binary("[1]")) == [("", "type")]
    assert refused(binary("{")) == [("", "json")]
    assert refused(binary('{"a": {"b": NaN}}')) == [("/a/b", "json")]
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "s", "ce-type": "t"}
    assert refused(raw("<a/>", headers=headers, content_type="text/xml")) == [("", "content-type")]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"specversion": "0.3"}, [("/specversion", "version")]),
        ({"id": None, "type": 1}, [("/id", "required"), ("/type", "type")]),
        ({"source": ""}, [("/source", "length")]),
        ({"time": 1732327200}, [("/time", "type")]),
        ({"time": "noon"}, [("/time", "time")]),
        ({"data": [1]}, [("/data", "type")]),
        ({"data": "text"}, [("/data", "type")]),
        ({"datacontenttype": "text/plain"}, [("/datacontenttype", "content-type")]),
        ({"data_base64": "!"}, [("/data_base64", "base64")]),
        ({"data_base64": 1}, [("/data_base64", "base64")]),
        ({"data_base64": None}, [("/data_base64", "base64")]),
        ({"data_base64": "é"}, [("/data_base64", "base64")]),
        ({"data_base64": "e30=", "data": {}}, [("/data_base64", "exclusive")]),
        ({"data_base64": base64.b64encode(b"{NaN").decode()}, [("/data_base64", "json")]),
        ({"data_base64": base64.b64encode(b"\xff").decode()}, [("/data_base64", "encoding")]),
        ({"data_base64": base64.b64encode(b"7").decode()}, [("/data", "type")]),
    ],
)
def test_cloudevents_that_are_wrong_are_refused_with_their_places(
    change: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    assert refused(raw(json.dumps({**CLOUD, **change}))) == wrong


@pytest.mark.parametrize(
    ("schema", "version"),
    [
        ("https://example.com/t/2", 2),
        ("urn:t:v3", 3),
        ("t#2.json", 2),
        ("t", None),
        ("v2", 2),
        ("7", 7),
        ("t-1-0", 0),
        ("t2", None),
        ("t/2x", None),
    ],
)
def test_the_version_is_what_a_schema_ends_with(schema: str, version: int | None) -> None:
    assert version_of_schema(schema) == version


def test_an_event_has_a_greatest_size() -> None:
    def sized(size: int) -> str:
        body = '{"eventType": "t", "x": ""}'
        return body[:-2] + "x" * (size - len(body)) + body[-2:]

    assert isinstance(read(raw(sized(MAX_EVENT)))[0], Event)
    (error,) = read(raw(sized(MAX_EVENT + 1)))
    assert isinstance(error, NoEvent)
    assert error.reason == "too-large"


BODY = b'{"a": 1}' * 1000


def test_gzip_is_unpacked_in_one_or_several_members() -> None:
    assert decompress(gzip.compress(BODY), limit=len(BODY)) == BODY
    assert decompress(gzip.compress(BODY) + gzip.compress(b"") + gzip.compress(b"x"), limit=10**6) == BODY + b"x"
    assert decompress(gzip.compress(BODY) + b"\0\0\0", limit=10**6) == BODY
    assert decompress(b"", limit=1) == b""


@given(st.integers(0, 60), st.binary(max_size=3))
def test_damaged_gzip_is_a_body_error_or_the_content(place: int, junk: bytes) -> None:
    packed = gzip.compress(BODY)
    for damaged in (
        packed[:place],
        packed[:place] + junk + packed[place:],
        packed + junk,
        packed[:-place] if place else packed,
    ):
        with suppress(BodyError):
            assert decompress(damaged, limit=10**6) in (BODY, b"")


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    for sent in (bomb, gzip.compress(BODY) + bomb):
        with pytest.raises(BodyError) as raised:
            decompress(sent, limit=100_000)
        assert raised.value.reason == "too-large"
    with pytest.raises(BodyError):
        decompress(gzip.compress(BODY), limit=len(BODY) - 1)


HOOK = Source("hook", "/a~1b/list", "/meta/kind", "/meta/id~0", "/at", "/who/0", "/from", {"Paid": "purchase"}, "here")
RECORD = {"meta": {"kind": "Paid", "id~": 7}, "at": 1732327200, "who": ["me"], "from": "shop", "amount": 1}


def foreign(document: Any, **settings: Any) -> RawObject:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return raw(text, foreign="hook", **settings)


def test_foreign_records_are_found_and_read_by_their_pointers() -> None:
    event = one(foreign({"a/b": {"list": [RECORD]}}), HOOK)
    assert event == Event("purchase", "7", "shop", 1732327200 * SECOND, "me", None, RECORD, "")
    several = read(
        foreign([{"a/b": {"list": [RECORD, RECORD]}}, {"a/b": {"list": []}}, {"a/b": {"list": RECORD}}]), HOOK
    )
    assert several == [event] * 3


def test_constants_and_missing_fields_of_a_source() -> None:
    source = Source("hook", "", "purchase", None, None, None, "hook", {}, "here")
    assert one(foreign({"a": 1}, idempotency_key="k"), source) == Event(
        "purchase", "k#0", "hook", None, None, None, {"a": 1}, ""
    )


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "text",
        7,
        None,
        {"a/b": None},
        {"a/b": {"list": 7}},
        {"a/b": {"list": [7, None, []]}},
        {"a/b": []},
        {"a/b": {"list": [{}]}},
        b"{",
        b"\xff",
        b'{"\xff": 1}',
        b'{"a/b": {"list": [{"meta": "\xff"}]}}',
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b'{"a/b": ' * 5000,
        b"",
    ],
)
def test_documents_that_are_not_what_the_source_says_are_refused_one_by_one(document: Any) -> None:
    for found in read(foreign(document), HOOK):
        assert isinstance(found, NoEvent)
        assert found.violations


def test_a_wrong_foreign_record_is_refused_with_all_its_places() -> None:
    wrong = {"meta": {"kind": None, "id~": ""}, "at": "noon", "who": [{}], "from": True}
    assert refused(foreign({"a/b": {"list": [wrong]}}), HOOK) == [
        ("/meta/kind", "required"),
        ("/meta/id~0", "type"),
        ("/who/0", "type"),
        ("/from", "type"),
        ("/at", "time"),
    ]


def test_an_unknown_source_is_a_permanent_error() -> None:
    with pytest.raises(PermanentError, match="'hook'"):
        Decoder({}).documents(foreign({}))
