"""What the API, its server and its gateway answer where something is wrong: each answer is one that is described."""

import json
import re
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pytest
from jsonschema import Draft202012Validator

from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs import retail, webhooks
from millrace.core.errors import TransientError
from millrace.entrypoints.http.application import ROUTES, Application
from millrace.entrypoints.http.messages import Request, Response
from millrace.entrypoints.http.openapi import describe
from millrace.entrypoints.platform import Platform
from tests.unit.test_http_queries import BAD
from tests.unit.test_http_requests import FORMS, REFUSED, Clock, ask, platform

from .conftest import CATALOG
from .servers import SECONDS, served

NAMES = {"{type}": "purchase", "{view}": "revenue", "{source}": "none"}
DOCUMENT: Any = describe(retail.catalog)
KEYS = "shop=0123456789abcdef till=fedcba9876543210"


def _filled(path: str) -> str:
    """The path of a route with names in the place of braces."""
    return "/".join(NAMES.get(part, part) for part in path.split("/"))


def described(document: Any, method: str, path: str, status: int) -> Any:
    """How an answer is described; None where it is not."""
    parts = path.split("/")
    for template, item in document["paths"].items():
        wanted = template.split("/")
        if len(wanted) == len(parts) and all(
            w == p or (w[:1] == "{" and p) for w, p in zip(wanted, parts, strict=True)
        ):
            operation = item.get(method.lower()) or next(item[name] for name in item if name != "parameters")
            found = operation["responses"].get(str(int(status)))
            if found is not None and "$ref" in found:
                found = document["components"]["responses"][found["$ref"].rpartition("/")[2]]
            return found
    return None


def required_headers(found: Any) -> set[str]:
    return {name.lower() for name, header in found.get("headers", {}).items() if header["required"]}


def assert_described(document: Any, method: str, path: str, response: Response) -> None:
    found = described(document, method, path, response.status)
    assert found is not None, (method, path, response.status)
    assert response.headers["content-type"] in found["content"]
    assert required_headers(found) <= {*response.headers}


@pytest.mark.parametrize("case", [case for case in REFUSED if case not in ("an unknown path", "the root", "no source")])
def test_every_refusal_of_a_request_is_described(case: str) -> None:
    method, path, body, headers, status, _ = REFUSED[case]
    response = ask(platform(), method, path, body, headers)
    assert response.status == status
    assert_described(DOCUMENT, method, path, response)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("path", ["/ingest", "/validate"])
def test_every_answer_to_a_form_of_request_is_described(form: str, path: str) -> None:
    body, headers, _ = FORMS[form]
    assert_described(DOCUMENT, "POST", path, ask(platform(), "POST", path, body, headers))


@pytest.mark.parametrize(("path", "query", "_"), BAD)
def test_every_refusal_of_a_parameter_is_described(path: str, query: dict[str, Any], _: str) -> None:
    texts = {name: value if isinstance(value, list) else [value] for name, value in query.items()}
    response = ask(platform(), "GET", path, query=texts)
    assert response.status == 400
    assert_described(DOCUMENT, "GET", path, response)


@pytest.mark.parametrize("path", ["/events/{type}", "/views/{view}", "/catalog/{type}"])
def test_the_parameters_that_a_query_knows_are_those_that_are_described(path: str) -> None:
    response = ask(platform(), "GET", _filled(path), query={"unheard-of": ["1"]})
    known = re.findall(r"[a-z]+", json.loads(response.body)["detail"].partition(";")[2])
    names = [parameter["name"] for parameter in DOCUMENT["paths"][path]["get"]["parameters"]]
    assert {*known} - {"there", "is", "are"} == {*names}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_what_any_route_answers_where_a_store_is_down_is_described(route: Any) -> None:
    class Down:
        def __getattr__(self, _: str) -> Any:
            def fail(*_: Any, **__: Any) -> None:
                raise TransientError("down")

            return fail

    down: Any = Down()
    stores = attrs.evolve(memory_stores(), raw=down, queue=down, curated=down, views=down)
    site = Platform.assemble(retail.catalog, stores, Clock(), RandomReceiptIds())
    path = _filled(route.path)
    body = json.dumps({"eventType": "purchase"}).encode()
    response = Application(site).respond(Request(method=route.method, path=path, body=body))
    asks_stores = route.path in ("/ingest", "/events/{type}", "/views/{view}", "/health")
    assert (response.status == 503) == asks_stores
    assert_described(DOCUMENT, route.method, path, response)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_another_method_is_refused_as_described(route: Any) -> None:
    path = _filled(route.path)
    response = ask(platform(), "DELETE", path)
    assert response.status == 405
    assert_described(DOCUMENT, "DELETE", path, response)


# -------------------------------------------------------------------------------------------------------- the server


def assert_problem(document: Any, answer: httpx.Response, *, example: str | None = None) -> None:
    """The answer is the problem that is described for its path, and the example shown if it is named."""
    path = urlsplit(str(answer.request.url)).path
    found = described(document, answer.request.method, path, answer.status_code)
    [(kind, media)] = found["content"].items()
    assert answer.headers["content-type"] == kind
    assert required_headers(found) <= {*answer.headers}
    assert Draft202012Validator(document["components"]["schemas"]["Problem"] | {"properties": {}}).is_valid(
        answer.json()
    )
    if example is not None:
        assert media["examples"][example]["value"] == answer.json()


def test_with_keys_either_scheme_lets_in_and_nothing_else_does(tmp_path: Path) -> None:
    with served(CATALOG, tmp_path, MILLRACE_API_KEYS=KEYS) as server:
        document = httpx.get(f"{server.url}/openapi.json").json()
        schemes = document["components"]["securitySchemes"]
        assert schemes["key"] == {"type": "apiKey", "in": "header", "name": "x-api-key"}
        assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
        for headers in ({"x-api-key": "0123456789abcdef"}, {"Authorization": "Bearer fedcba9876543210"}):
            assert httpx.get(f"{server.url}/catalog", headers=headers).status_code == 200
        for headers in ({}, {"x-api-key": "0123456789abcdeg"}, {"Authorization": "Basic fedcba9876543210"}):
            for route in ROUTES:
                path = route.path.replace("{", "").replace("}", "")
                answer = httpx.request(route.method, f"{server.url}{path}", headers=headers)
                if route.path in ("/health", "/openapi.json"):
                    assert answer.status_code == 200
                else:
                    assert answer.status_code == 401
                    assert_problem(document, answer, example="key")


def test_what_the_server_itself_refuses_is_described(tmp_path: Path) -> None:
    with served(CATALOG, tmp_path) as server:
        url = f"{server.url}/ingest"
        document = httpx.get(f"{server.url}/openapi.json").json()
        elsewhere = httpx.post(url, json={"eventType": "order"}, headers={"Host": "shop.example"})
        assert elsewhere.status_code == 403
        large = httpx.post(url, content=b" " * (5 * 1024 * 1024 + 1))
        assert large.status_code == 413
        for answer in (elsewhere, large):
            assert_problem(document, answer)
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as connection:
            connection.sendall(b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000)
            head = connection.makefile("rb").readline()
        assert int(head.split()[1]) == 431
        assert described(document, "POST", "/ingest", 431) is not None


def test_more_than_a_server_takes_at_once_is_refused_as_the_example_shows(tmp_path: Path) -> None:
    announced = b"POST /ingest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5242880\r\n\r\n"
    with served(CATALOG, tmp_path) as server, ExitStack() as connections:
        document = httpx.get(f"{server.url}/openapi.json").json()
        address = urlsplit(server.url).hostname, urlsplit(server.url).port
        for _ in range(60):
            connections.enter_context(socket.create_connection(address)).sendall(announced)
        end = time.monotonic() + SECONDS
        while (answer := httpx.post(f"{server.url}/ingest", json=[])).status_code == 202:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert answer.status_code == 429
        assert_problem(document, answer, example="too-many")


def test_a_request_of_a_signed_source_that_is_not_signed_is_refused_as_described() -> None:
    site, document = platform(webhooks.catalog), describe(webhooks.catalog)
    for name, source in webhooks.catalog.sources.items():
        path = f"/ingest/{name}"
        response = ask(site, "POST", path, b"{}")
        assert response.status in (401, 503)  # 503: there are no secrets to check it with
        found = described(document, "POST", path, response.status)
        assert response.headers["content-type"] in found["content"]
        assert source.signature is not None
        parameters = document["paths"]["/ingest/{source}"]["post"]["parameters"]
        assert source.signature.header.lower() in {parameter["name"].lower() for parameter in parameters}
