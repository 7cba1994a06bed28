"""Reading envelopes at once says what reading each event with care says, or nothing."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millrace.core.decoding.decoder import Decoder
from millrace.core.decoding.envelopes import envelopes
from millrace.core.decoding.events import NoEvent
from millrace.core.records import RawObject, Receipt

TIMES = st.sampled_from(
    ["2026-11-23T02:00:00Z", "2026-11-23T02:00:00", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-23:59", "x", ""]
)
NUMBERS = st.one_of(st.integers(-(10**40), 10**40), st.sampled_from([1.5, 1e300, 0, 10**11, 253_402_300_800]))
TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["purchase", "\ud800", "1e5", "9" * 50, "{[", "x" * 2049]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
PLAIN = st.fixed_dictionaries(
    {"eventType": st.sampled_from(["purchase", "signup", "", None, 7])},
    optional={
        "eventId": st.one_of(TEXTS, st.none()),
        "eventTime": st.one_of(TIMES, NUMBERS, st.none()),
        "source": TEXTS,
        "subject": VALUES,
        "schemaVersion": st.one_of(st.integers(-1, 10**9), st.just("2"), st.none()),
        "data": VALUES,
        "amount": VALUES,
    },
)
GOOD = st.fixed_dictionaries(
    {"eventType": st.just("purchase")},
    optional={"eventId": st.just("e"), "eventTime": st.just("2026-11-23T02:00:00Z"), "data": st.just({"a": [1.5]})},
)
DEEP = st.integers(60, 70).map(lambda depth: {"eventType": "purchase", "data": json.loads("[" * depth + "]" * depth)})
DOCUMENTS = st.one_of(
    st.lists(st.one_of(GOOD, GOOD, GOOD, PLAIN, VALUES), min_size=1, max_size=4),
    st.lists(st.one_of(GOOD, DEEP), min_size=1, max_size=3),
)


def received(documents: list[Any], *, lines: bool) -> RawObject:
    texts = [json.dumps(document) for document in documents]
    body = "\n".join(texts) if lines else f"[{','.join(texts)}]"
    kind = "application/x-ndjson" if lines else "application/json"
    return RawObject(Receipt(id="r", received_at=0, content_type=kind, source="caller"), body.encode())


@given(DOCUMENTS, st.booleans())
def test_envelopes_are_those_of_the_events(documents: list[Any], lines: bool) -> None:
    raw, decoder = received(documents, lines=lines), Decoder({})
    cut = decoder.documents(raw)
    read, events = envelopes(raw, cut), []
    for index, document in enumerate(cut):
        try:
            events.append(decoder.read(raw, index, document))
        except NoEvent:
            assert read is None
            return
    if read is not None:
        assert [each.type for each in read] == [event.type for event in events]
        assert [each.id or decoder.fallback_id(raw, at) for at, each in enumerate(read)] == [e.id for e in events]


@given(st.lists(GOOD, min_size=1, max_size=5), st.booleans())
def test_ordinary_events_are_read_at_once(documents: list[Any], lines: bool) -> None:
    raw = received(documents, lines=lines)
    assert envelopes(raw, Decoder({}).documents(raw)) is not None
