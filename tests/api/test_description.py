"""The OpenAPI description: that it is one, that it is whole, and that its examples are what the API does."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import attrs
import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from millrace import Catalog
from millrace.core.catalogs import cloudtrail, retail, webhooks
from millrace.entrypoints.http.application import ROUTES
from millrace.entrypoints.http.exchanges import Exchange, exchanges
from tests.unit.test_http_requests import ask, platform

from . import shop
from .servers import Server

CATALOGS = [shop.catalog, retail.catalog, cloudtrail.catalog, webhooks.catalog]
EXCHANGES = exchanges(shop.catalog)
NOT_THE_SAME_TWICE = {"receipt", "curatedAt"}


def described(catalog: Catalog) -> Any:
    return json.loads(ask(platform(catalog), "GET", "/openapi.json").body)


def validator(document: Any, schema: Any) -> Draft202012Validator:
    """Of a schema within a description."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:description", resource)
    within = json.loads(json.dumps(schema).replace('"$ref": "#/', '"$ref": "urn:description#/'))
    return Draft202012Validator(within, registry=registry)


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda catalog: catalog.name)
def test_the_description_is_openapi(catalog: Catalog) -> None:
    document = described(catalog)
    assert document["openapi"] == "3.1.0"
    assert [*OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_is_described_under_a_name_of_its_own() -> None:
    found = [*operations(described(retail.catalog))]
    assert sorted((method.upper(), path) for path, method, _ in found) == sorted((r.method, r.path) for r in ROUTES)
    assert len({operation["operationId"] for _, __, operation in found}) == len(ROUTES)


def test_every_type_and_version_has_its_schema_and_events_lead_to_it() -> None:
    schemas = described(retail.catalog)["components"]["schemas"]
    assert {"data.purchase.1", "data.purchase.2", "data.signup.1"} <= schemas.keys()
    assert schemas["PlainEvent"]["discriminator"]["mapping"]["purchase"] == "#/components/schemas/plain.purchase"
    data = schemas["plain.purchase"]["properties"]["data"]
    assert data == {"anyOf": [{"$ref": f"#/components/schemas/data.purchase.{n}"} for n in (2, 1)]}
    assert "currency" in schemas["data.purchase.2"]["required"]
    assert "currency" not in schemas["data.purchase.1"]["required"]


def test_the_schema_of_data_reaches_its_nested_classes() -> None:
    document = described(shop.catalog)
    judge = validator(document, {"$ref": "#/components/schemas/data.order.2"})
    assert judge.is_valid({"order": "o-1", "lines": [{"sku": "a", "price": 1}]})
    assert not judge.is_valid({"order": "o-1", "lines": [{"sku": "a", "price": 0}]})


def test_names_that_openapi_does_not_know_are_told_apart() -> None:
    catalog = Catalog("odd")
    for name in ("a:b", "a_b", "ä"):
        catalog.event(name)(attrs.make_class("Odd", {"field": attrs.field(type=str)}))
    document = described(catalog)
    assert [*OpenAPIV31SpecValidator(document).iter_errors()] == []
    mapping = document["components"]["schemas"]["CloudEvent"]["discriminator"]["mapping"]
    assert len({*mapping.values()}) == 3


# ------------------------------------------------------------------------------------------------------------ examples


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda catalog: catalog.name)
def test_every_example_fits_the_schema_beside_it(catalog: Catalog) -> None:
    document = described(catalog)
    seen = 0
    for media in _media(document):
        judge = validator(document, media["schema"])
        for name, example in media.get("examples", {}).items():
            assert not [*judge.iter_errors(example["value"])], name
            seen += 1
    assert seen > 30


def _media(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "schema" in value and "in" not in value:
            yield value
        for inner in value.values():
            yield from _media(inner)


def test_every_form_of_request_has_an_example_of_the_request_and_its_answer() -> None:
    ingest = described(retail.catalog)["paths"]["/ingest"]["post"]
    sent = {
        name: kind for kind, media in ingest["requestBody"]["content"].items() for name in media.get("examples", {})
    }
    assert sent.keys() == ingest["responses"]["202"]["content"]["application/json"]["examples"].keys()
    assert sent == {
        **dict.fromkeys(("event", "short", "array", "gzip", "empty", "binary"), "application/json"),
        "lines": "application/x-ndjson",
        "partlyRejected": "application/x-ndjson",
        "structured": "application/cloudevents+json",
        "batched": "application/cloudevents-batch+json",
    }
    headers = {each["name"]: set(each.get("examples", {})) for each in ingest["parameters"]}
    assert {name for name, examples in headers.items() if "binary" in examples} == {
        "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time", "ce-dataschema",
    }  # fmt: skip
    assert headers["Content-Encoding"] == {"gzip"}


def test_each_problem_that_a_client_can_meet_has_an_example() -> None:
    responses = described(retail.catalog)["components"]["responses"]
    shown = {
        status: {example["value"]["type"].rpartition(":")[2] for example in media["examples"].values()}
        for status, response in responses.items()
        for media in response["content"].values()
        if "examples" in media
    }
    assert shown == {
        "400": {"malformed", "gzip", "idempotency-key", "parameter", "cursor"},
        "401": {"key"},
        "404": {"not-found"},
        "405": {"method"},
        "413": {"too-large"},
        "415": {"content-type", "encoding"},
        "422": {"no-event"},
        "429": {"too-many"},
        "503": {"unavailable"},
    }


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda each: f"{each.method} {each.path} {each.name}")
def test_the_example_of_a_request_gets_the_answer_that_the_description_shows(
    server: Server, exchange: Exchange
) -> None:
    document = httpx.get(f"{server.url}/openapi.json").json()
    request, expected = exchange.request, exchange.response
    assert expected is not None
    answer = httpx.request(
        request.method,
        f"{server.url}{request.path}",
        params=dict(exchange.query),
        headers={"content-type": "application/json", **request.headers},
        content=request.body,
    )
    assert answer.status_code == expected.status
    if exchange.path in ("/events/{type}", "/views/{view}", "/health"):
        return  # what they answer depends on what else there is
    assert _same(answer.json()) == _same(json.loads(expected.body))
    if expected.status < 400:
        shown = document["paths"][exchange.path][exchange.method.lower()]["responses"][str(int(expected.status))]
        [kind] = shown["content"]
        assert _same(shown["content"][kind]["examples"][exchange.name]["value"]) == _same(answer.json())


def _same(value: Any) -> Any:
    """Without what is another one for each request."""
    if isinstance(value, dict):
        return {key: _same(item) for key, item in value.items() if key not in NOT_THE_SAME_TWICE}
    return [_same(item) for item in value] if isinstance(value, list) else value


def test_a_request_put_together_from_the_description_alone_gets_the_answer_it_shows(server: Server) -> None:
    """As a reader would: the example's body, the parameters that have an example of that name, compressed if so."""
    operation = httpx.get(f"{server.url}/openapi.json").json()["paths"]["/ingest"]["post"]
    answers = operation["responses"]["202"]["content"]["application/json"]["examples"]
    for kind, media in operation["requestBody"]["content"].items():
        for name, example in media.get("examples", {}).items():
            headers = {
                parameter["name"]: parameter["examples"][name]["value"]
                for parameter in operation["parameters"]
                if name in parameter.get("examples", {})
            }
            value = example["value"]
            body = (value if isinstance(value, str) else json.dumps(value)).encode()
            if headers.get("Content-Encoding") == "gzip":
                body = gzip.compress(body)
            answer = httpx.post(f"{server.url}/ingest", content=body, headers={"Content-Type": kind, **headers})
            assert answer.status_code == 202, (name, answer.text)
            assert _same(answer.json()) == _same(answers[name]["value"])
