"""The fast lanes: whatever is declared and whatever is sent, they yield exactly what the careful way does."""

from functools import partial
from random import Random
from typing import Any

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace import Catalog
from millrace.core.catalogs import cloudtrail, retail
from millrace.core.pipeline.pipeline import Batch, Pipeline
from millrace.core.records import RawObject, Receipt

from .declarations import (
    BAD_NUMBERS,
    FRACTIONS,
    INTS,
    RAW_STRINGS,
    Texts,
    catalog_of,
    members,
    objects,
    one_of,
    quoted,
)


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=[*HealthCheck])


def careful(pipeline: Pipeline) -> Pipeline:
    """The same pipeline, in which every event is read, validated and reported by the careful way alone."""
    slow = Pipeline(pipeline.catalog)
    slow.plans = {name: attrs.evolve(plan, strict=None, loose=None) for name, plan in slow.plans.items()}

    def run(raw: RawObject, documents: Any, curated_at: int, batch: Batch, start: int = 0) -> None:
        for index, document in enumerate(documents, start):
            slow._judge(raw, index, document, curated_at, batch)

    slow._run = run  # type: ignore[method-assign]
    return slow


def said(batch: Batch) -> list[str]:
    """All that a batch says; as text, since 1, 1.0 and True are equal to Python."""
    records = [repr((r.fields, r)) for r in batch.records]
    parts = [repr((place, parts)) for place, parts in batch.parts.items()]
    return [*records, *parts, repr((batch.events, batch.filtered, batch.unmarked)), *map(repr, batch.letters)]


def agree(catalog: Catalog, raw: RawObject) -> Batch:
    pipeline = Pipeline(catalog)
    fast = pipeline.run(raw, 9)
    assert said(fast) == said(careful(pipeline).run(raw, 9))
    assert said(fast) == said(pipeline.run(raw, 9))  # whatever lane was first last time
    return fast


TIMES = one_of(
    [
        *(
            f'"{time}"'
            for time in (
                "2026-11-23T02:00:00Z",
                "2026-11-23t02:00:00.1z",
                "2026-11-23 02:00:00+05:30",
                "2026-11-23T02:00:00",
                "",
                "yesterday",
                "0001-01-01T00:00:00+10:00",
                "9999-12-31T23:59:59-10:00",
                "1969-12-31T23:59:59.9999995Z",
            )
        ),
        "1732327200",
        "1732327200000",
        "-1",
        "0",
        "99999999999",
        "100000000000",
        "1732327200.5",
        "1732327200.1234565",
        "1e9",
        "null",
        "true",
        "9" * 30,
        "-62135596800",
        "253402300799",
        "253402300800",
        '{"a":1}',
        "-0",
        "1.0",
    ]
)
TEXTS = one_of(
    ['"x"', '""', '"é"', '"a b"', f'"{"y" * 2048}"', f'"{"é" * 2049}"', "null", "1", '"\\ud800"', '"\\u0041"']
)
VERSIONS = one_of(["1", "1", "2", "3", "4", "0", "-1", "1.0", '"2"', '"x"', "null", "true", "9999999999"])
SCHEMAS = quoted("https://example.com/t/1", "urn:t:v3", "t#2.json", "t", "", "t/9", "t/3\n")
STRAY = one_of([*INTS, *FRACTIONS, *BAD_NUMBERS, *RAW_STRINGS, "[]", "[" * 70 + "]" * 70, '{"a":{}}', "null", '"x"'])
GOOD_TIMES = one_of(['"2026-11-23T02:00:00Z"', '"2026-11-23T03:00:00.5+01:00"', "1732327200", "1732327200123", "-1"])
GOOD_TEXTS = one_of(['"x"', '"é"', '"\\u0041"'])
ALIEN = one_of(['"x"', "1", "[1,{}]", "null", "1.5", '"\\n"'])
JSON, XML = '"application/json"', '"text/xml"'


def document_of(types: dict[str, Texts], random: Random) -> str:
    """A document in one of the forms: its envelope sometimes incomplete, wrong, with extensions or keys twice."""
    name = random.choice([*types])
    form = random.choice(["nested", "flat", "cloud"])
    odd = random.random() < 0.25
    tag = random.choice([f'"{name}"'] * 9 + ['"v"', '" "', "null", "1", '"\\u0074"', '""']) if odd else f'"{name}"'
    texts, times, stray = (TEXTS, TIMES, STRAY) if odd else (GOOD_TEXTS, GOOD_TIMES, ALIEN)
    optional: dict[str, Texts]
    if form == "cloud":
        found = [("specversion", random.choice(['"1.0"'] * 9 + ['"0.3"', "1.0"]) if odd else '"1.0"'), ("type", tag)]
        found += [("id", texts(random)), ("source", texts(random))]
        optional = {
            "time": times,
            "subject": texts,
            "dataschema": SCHEMAS,
            "datacontenttype": one_of([JSON, XML] if odd else [JSON]),
        }
    else:
        found = [("eventType", tag)]
        optional = {"eventId": texts, "eventTime": times, "source": texts, "subject": texts, "schemaVersion": VERSIONS}
    found += [(key, values(random)) for key, values in optional.items() if random.random() < 0.2]
    if form != "flat":
        found.append(("data", types[name](random)))
    for _ in range(random.choice([0, 0, 0, 0, 1, 2])):
        key = random.choice(
            ["eventType", "type", "data", "specversion", "data_base64", "id", "a"] if odd else ["ext", "é"]
        )
        found.append((key, random.choice([stray, types[name]])(random)))
    if odd and random.random() < 0.2:
        found.append(random.choice(found))
    if odd and random.random() < 0.1:
        found.remove(random.choice(found))
    if random.random() < 0.3:
        random.shuffle(found)
    text = members(found)
    if form == "flat":
        data = types[name](random)
        text = text[:-1] + "," * (bool(found) and data != "{}") + data[1:]
    if random.random() < 0.1:
        text = text.replace(",", " ,\t").replace(":", " : ")
    if random.random() < 0.02:
        text = text[: random.randint(0, len(text))]
    return text


def lines(texts: list[str]) -> bytes:
    return b"\n".join(text.replace("\n", " ").encode("utf-8", "surrogateescape") for text in texts)


def receipt(**settings: Any) -> Receipt:
    return Receipt(
        id="r", received_at=1_732_327_200_000_000, content_type="application/x-ndjson", source="caller", **settings
    )


RANDOM = st.randoms(use_true_random=True)


@examples(150)
@given(RANDOM)
def test_fast_lanes_agree_with_the_careful_way(random: Random) -> None:
    catalog, types = catalog_of(random)
    agree(catalog, RawObject(receipt(), lines([document_of(types, random) for _ in range(25)])))


@examples(60)
@given(RANDOM)
def test_the_lane_of_a_foreign_source_agrees_with_the_careful_way(random: Random) -> None:
    catalog, types = catalog_of(random)
    pointers = [None, None, "/id", "/a", "/b", "/a/b", "/x~1y", "/", "/name", "/items/0"]
    catalog.source(
        "foreign",
        type=random.choice([*types, *types, "/type", "/name"]),
        id=random.choice(pointers),
        time=random.choice(pointers),
        subject=random.choice(pointers),
        origin=random.choice([None, "here", "/source", "/id"]),
        types=random.choice([None, {"red": "t", "a": [*types][-1]}]),
        records=random.choice(["", "", "/Records", "/a~1b/c"]),
    )
    drawn: list[Texts] = [*types.values(), partial(document_of, types)]
    found = [random.choice(drawn)(random) for _ in range(20)]
    if random.random() < 0.5:
        found = ['{"Records":[' + ",".join(found) + "]}", '{"a/b":{"c":' + found[0] + "}}", *found]
    agree(catalog, RawObject(receipt(foreign="foreign"), lines(found)))


PURCHASES = {
    "order_id": ['"o-1"', '""', "1", '"' + "x" * 201 + '"'],
    "customer_id": ['"c"', "null"],
    "amount": ["12.50", '"12.50"', "1000", "0", "-1", "12.505", "1e3", "1000000", *BAD_NUMBERS[:6], '"NaN"', "true"],
    "currency": ['"EUR"', '"USD"', '"eur"', "null"],
    "items": ["1", "0", "1.0", '"1"', "true"],
    "channel": ['"web"', '"app"', '"phone"'],
}
VIEWS = {
    "visitor_id": ['"v"', '"é"'],
    "url": ['"https://example.com/a?b"', '"//["', '"/"', '""'],
    "referrer": ['"https://a.example/x"', "null", '"http://[::1"'],
    "duration_ms": ["0", "15", "-1", "1.5"],
    "bot": ["false", "true", '"false"'],
}
SIGNUPS = {"customer_id": ['"c"'], "plan": ['"free"', '"gold"'], "country": ['"DE"', '"D"', "null"]}
CALLS = {
    "eventName": ['"PutObject"', "1"],
    "eventSource": ['"s3.amazonaws.com"', "null"],
    "awsRegion": ['"eu-central-1"'],
    "eventVersion": ['"1.08"', "1.08"],
    "userIdentity": ['{"type":"Root","arn":"x"}', "{}", "null", '{"type":1,"more":[1e5]}', "[]"],
    "eventType": ['"AwsApiCall"', "null"],
    "eventID": ['"1"', "7", "null", '""'],
    "eventTime": ['"2026-11-23T02:00:00Z"', "1732327200", '"now"', "null"],
    "readOnly": ["true", '"true"'],
    "errorCode": ['"AccessDenied"', "null"],
    "requestParameters": ['{"a":[1,{"b":null}]}', "1e400", '"\\ud800"', "[" * 70 + "]" * 70],
}


def of(fields: dict[str, list[str]]) -> Texts:
    """Objects with some of the fields; the first text of each is the usual one."""
    return objects([(key, one_of([texts[0]] * 4 * len(texts) + texts), False) for key, texts in fields.items()])


RETAIL = {"purchase": of(PURCHASES), "refund": of(PURCHASES), "page_view": of(VIEWS), "signup": of(SIGNUPS)}


@examples(10)
@given(RANDOM)
def test_fast_lanes_of_the_retail_catalog_agree_with_the_careful_way(random: Random) -> None:
    batch = agree(retail.catalog, RawObject(receipt(), lines([document_of(RETAIL, random) for _ in range(200)])))
    assert batch.records
    assert batch.letters


@examples(10)
@given(RANDOM)
def test_the_lane_of_cloudtrail_agrees_with_the_careful_way(random: Random) -> None:
    texts = ['{"Records":[' + ",".join(of(CALLS)(random) for _ in range(random.randrange(9))) + "]}" for _ in range(20)]
    batch = agree(cloudtrail.catalog, RawObject(receipt(foreign="cloudtrail"), lines(texts)))
    assert batch.records
