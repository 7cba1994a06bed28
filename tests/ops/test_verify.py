"""Verify: how soon a probe is curated, by whose clock, and what is said where it is not."""

import hmac
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from typing import Any
from unittest.mock import patch

import attrs
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request as Received
from werkzeug.wrappers import Response as Sent

from millrace.adapters.aws.clients import Clients
from millrace.adapters.aws.requests import RequestSigner
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds, SystemClock
from millrace.core.catalog.probes import PROBE
from millrace.core.catalogs.retail import catalog
from millrace.core.errors import StoreError, TransientError
from millrace.core.identity import EARLIEST, LATEST
from millrace.entrypoints.http.application import Application
from millrace.entrypoints.http.messages import Request
from millrace.entrypoints.ops import access
from millrace.entrypoints.ops.endpoint import Endpoint, Reply
from millrace.entrypoints.ops.verification import Probed, judged, received_at, verify
from millrace.entrypoints.platform import Platform
from tests.aws.opened import REGION, SURROUNDINGS, new_session
from tests.e2e.cli import millrace

from .answering import answering
from .standing import Stand

NOON = 1_795_399_200_000_000
ANSWER = 10_000
"""Microseconds that every request takes."""


@attrs.define
class Simulated:
    """The API over stores in memory, in a time of its own: events are curated ``latencies`` (µs) after they came in."""

    latencies: Iterator[int]
    url: str = "https://api.example/prod"
    time: int = NOON
    answers: dict[str, list[Reply]] = attrs.field(factory=dict)
    slept: list[float] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)
    platform: Platform = attrs.field(init=False)
    _due: int | None = None

    def __attrs_post_init__(self) -> None:
        self.platform = Platform.assemble(catalog, memory_stores(), self, RandomReceiptIds())

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += int(seconds * 1_000_000)

    def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        self.asked.append(f"{method} {path}")
        self.time += ANSWER
        if self._due is not None and self.time >= self._due:
            self.time, now = self._due, self.time
            list(self.platform.work.drain())
            self.time, self._due = now, None
        if canned := self.answers.get(f"{method} {path}"):
            return canned.pop(0)
        sent = {name: [text] for name, text in (query or {}).items()}
        request = Request(method=method, path=path, body=body or b"", headers={}, query=sent, caller="ops")
        response = Application(self.platform).respond(request)
        if method == "POST":
            self._due = self.time + next(self.latencies)
        return Reply(response.status, response.body)

    def verified(self, **settings: Any) -> list[Any]:
        ids = (f"probe-{number}" for number in count(1))
        chosen: dict[str, Any] = {"probes": 3, "within": 500, "patience": 30.0, **settings}
        return verify(self, self, lambda: next(ids), sleep=self.sleep, **chosen)


def curating_in(*milliseconds: int) -> Simulated:
    return Simulated(iter([each * 1000 for each in milliseconds]))


# ---------------------------------------------------------------------------------------------------- what is measured


@given(st.integers(0, 499), st.integers(0, 999))
def test_the_milliseconds_are_those_between_received_and_curated(milliseconds: int, micros: int) -> None:
    api = Simulated(iter([milliseconds * 1000 + micros]))
    _, probes = api.verified()
    [row] = probes.rows
    # The receipt's id tells its instant to a quarter of a microsecond.
    assert row["curated_ms"] in (milliseconds, (milliseconds * 1000 + micros + 1) // 1000)
    assert row["answered_ms"] == 10
    assert row["seen_ms"] >= row["curated_ms"]
    assert probes.wrong == []


def test_one_probe_that_is_in_time_is_enough_and_the_first_may_be_slow() -> None:
    health, probes = curating_in(900, 120).verified()
    assert [row["curated_ms"] for row in probes.rows] == [900, 120]
    assert (health.wrong, probes.wrong) == ([], [])
    _, probes = curating_in(499).verified()
    assert (len(probes.rows), probes.wrong) == (1, [])


def test_probes_that_are_all_too_slow_are_wrong() -> None:
    _, probes = curating_in(500, 700, 600).verified()
    assert len(probes.rows) == 3
    assert probes.wrong == [
        "Curating takes too long: the quickest of 3 probes took 500 ms, less than 500 ms are allowed"
    ]
    _, probes = curating_in(900).verified(probes=1)
    assert "the probe took 900 ms" in probes.wrong[0]


def test_a_probe_that_is_never_curated_is_waited_for_as_long_as_was_said_and_no_further_one_is_sent() -> None:
    api = curating_in(10**9)
    _, probes = api.verified(patience=7.0)
    [row] = probes.rows
    assert (row["curated_ms"], row["seen_ms"]) == (None, None)
    assert "probe-1 was not curated within 7 s" in probes.wrong[0]
    assert row["receipt"] in probes.wrong[0]
    assert 7.0 <= (api.time - NOON) / 1e6 < 9.0
    assert api.asked.count("POST /ingest") == 1


def test_queries_that_fail_for_the_moment_only_take_time() -> None:
    api = curating_in(100)
    path = f"GET /events/{PROBE}"
    api.answers[path] = [Reply(503, b""), Reply(429, b"{}"), Reply(502, b"<html>")]
    _, probes = api.verified()
    assert (len(probes.rows), probes.wrong) == (1, [])
    assert api.asked.count(path) >= 4


def test_probes_are_no_part_of_any_view() -> None:
    api = curating_in(100, 100)
    api.verified()
    for view in catalog.views.values():
        rows = api.platform.stores.views.rows(view.signature, since=EARLIEST, until=LATEST + 1, after=None, limit=9)
        assert not rows
    assert api.platform.reconcile.run(types=catalog.types).holds


@given(st.integers(0, 2**48 * 1000 - 1))
def test_the_instant_of_a_receipt_is_read_from_its_id(instant: int) -> None:
    assert instant - 1 <= received_at(RandomReceiptIds().new(instant)) <= instant


# ------------------------------------------------------------------------------------------------- what is told besides


def test_a_dependency_that_fails_is_wrong_and_keeps_no_probe_from_being_sent() -> None:
    api = curating_in(100)
    told = {"status": "failing", "dependencies": {"curated": "ok", "views": "failing"}}
    api.answers["GET /health"] = [Reply(503, json.dumps(told).encode())]
    health, probes = api.verified()
    assert health.wrong == ["The API says that views is failing"]
    assert len(probes.rows) == 1
    api = curating_in(100)
    api.answers["GET /health"] = [Reply(503, b'{"title": "The gateway failed", "detail": "no integration"}')]
    assert api.verified()[0].wrong == ["The API says that it is not well: no integration"]


def test_what_knows_no_probes_is_sent_none() -> None:
    api = curating_in()
    api.answers[f"GET /catalog/{PROBE}"] = [Reply(404, b"{}")]
    with pytest.raises(StoreError, match="knows no probes"):
        api.verified()
    assert "POST /ingest" not in api.asked


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (403, b'{"message": "Forbidden"}', StoreError, "refuses the request .403: Forbidden.; it wants a key"),
        (401, b"{}", StoreError, "refuses the request"),
        (400, b'{"detail": "no JSON"}', StoreError, "answered 400: no JSON"),
        (503, b'{"detail": "the queue is down"}', TransientError, "answered 503: the queue is down"),
        (429, b"", TransientError, "answered 429: nothing"),
        (202, b"<html>", StoreError, "does not answer as Millrace does"),
    ],
    ids=["forbidden", "unauthorised", "bad-request", "unavailable", "throttled", "something-else"],
)
def test_a_probe_that_is_not_accepted_says_why(status: int, body: bytes, error: type[Exception], said: str) -> None:
    api = curating_in(100)
    api.answers["POST /ingest"] = [Reply(status, body)]
    with pytest.raises(error, match=said):
        api.verified()


def test_nothing_is_judged_by_probes_that_were_not_sent() -> None:
    assert judged([Probed("p", "r", 1, 100, 200)], 500, 30).wrong == []
    assert len(judged([Probed("p", "r", 1), Probed("q", "r", 1, 100, 200)], 500, 30).wrong) == 1


# ---------------------------------------------------------------------------------------------------------- over HTTP


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing."""


@attrs.define
class Served:
    """The API over HTTP, over stores in memory."""

    url: str = ""
    stuck: bool = False
    key: str | None = None
    secret: str | None = None
    signatures: list[str] = attrs.field(factory=list)
    headers: list[dict[str, str]] = attrs.field(factory=list)
    platform: Platform = attrs.field(
        factory=lambda: Platform.assemble(catalog, memory_stores(), SystemClock(), RandomReceiptIds())
    )

    def __call__(self, environ: Any, start_response: Any) -> Any:
        received = Received(environ)
        headers = {name.lower(): text for name, text in received.headers.items()}
        self.headers.append(headers)
        if received.path == "/elsewhere/health":
            return Sent("", 302, {"Location": "/prod/health"})(environ, start_response)
        if self.key is not None and headers.get("x-api-key") != self.key:
            return Sent('{"message":"Forbidden"}', 403)(environ, start_response)
        if self.secret is not None:
            self.signatures.append(signature_of(received, self.secret))
        request = Request(
            method=received.method,
            path=received.path.removeprefix("/prod"),
            body=received.get_data(),
            headers=headers,
            query={name: received.args.getlist(name) for name in received.args},
            caller="ops",
        )
        response = Application(self.platform).respond(request)
        if not self.stuck:
            list(self.platform.work.drain())
        return Sent(response.body, int(response.status), dict(response.headers))(environ, start_response)


@contextmanager
def served(**settings: Any) -> Iterator[Served]:
    application = Served(**settings)
    server = make_server("127.0.0.1", 0, application, request_handler=_Quiet)
    application.url = f"http://127.0.0.1:{server.port}/prod"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield application
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_api_is_verified_by_its_url_and_key() -> None:
    with served(key="secret") as api:
        result = millrace("ops", "verify", api.url, "--key", "secret", "--within", 30_000)
        assert result.exit_code == 0, result.output
        assert "secret" not in result.output
        told = json.loads(millrace("ops", "verify", api.url + "/", "--key", "secret", "--json").stdout)
        assert [report["title"] for report in told] == ["Health", "Probes"]
        assert len(told[1]["rows"][0]["receipt"]) == 36
        result = millrace("ops", "verify", api.url, "--key", "wrong")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "refuses the request (403: Forbidden)" in result.stderr


def test_a_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_API_KEY", "from-outside")
    with served(key="from-outside") as api:
        assert millrace("ops", "verify", api.url, "--within", 30_000).exit_code == 0


def test_a_platform_that_is_stuck_is_told_with_exit_code_1() -> None:
    with served(stuck=True) as api:
        result = millrace("ops", "verify", api.url, "--wait", 0)
    assert result.exit_code == 1
    assert "was not curated within 0 s" in result.stderr


def test_what_does_not_answer_is_told_in_a_sentence() -> None:
    with served() as api:
        gone = api.url
    result = millrace("ops", "verify", gone)
    assert result.exit_code == 1
    assert "does not answer" in result.stderr
    for wrong in ("ftp://api.example", "api.example", "file:///etc/passwd"):
        result = millrace("ops", "verify", wrong)
        assert (result.exit_code, "is no URL of an API" in result.stderr) == (2, True)
    assert millrace("ops", "verify").exit_code == 2


def test_a_url_needs_no_sdk_and_what_does_says_which_extra_is_missing() -> None:
    script = "import sys; sys.modules['botocore'] = None; from millrace.entrypoints.cli import main; main(sys.argv[1:])"
    with served() as api:
        plain = [sys.executable, "-c", script, "ops", "verify", api.url, "--within", "30000"]
        done = subprocess.run(plain, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for more in (["--iam"], []):
            command = [*plain[:5], *([api.url, *more] if more else ["--store", "aws:millrace"])]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 2
            assert done.stderr == "millrace: Operations need the extra aws: pip install 'millrace[aws]'.\n"


def test_a_key_is_not_sent_where_an_api_sends_one_elsewhere() -> None:
    with served() as api:
        endpoint = Endpoint(api.url.replace("/prod", "/elsewhere"), key="secret")
        assert endpoint.ask("GET", "/health").status == 302
        assert len(api.headers) == 1


# -------------------------------------------------------------------------------------------------------------- signed


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://a1.execute-api.us-west-2.amazonaws.com/prod/events/x?since=1%3A2", "us-west-2"),
        ("https://a1.execute-api.cn-north-1.amazonaws.com.cn/prod/health", "cn-north-1"),
        ("https://api.example.com/ingest", REGION),
    ],
    ids=["gateway", "china", "own-name"],
)
def test_requests_are_signed_for_the_region_of_the_host(url: str, region: str) -> None:
    with patch.dict("os.environ", SURROUNDINGS):
        signed = RequestSigner(Clients(REGION, session=new_session())).headers("GET", url, {"Accept": "a/b"}, b"")
    assert f"/{region}/execute-api/aws4_request" in signed["Authorization"]
    assert signed["Accept"] == "a/b"


def signature_of(received: Received, secret: str) -> str:
    """The signature that a request must have (IAM user guide, "Create a signed AWS API request")."""
    told = dict(part.strip().split("=", 1) for part in received.headers["Authorization"].partition(" ")[2].split(","))
    names = told["SignedHeaders"].split(";")
    day, region, service, end = told["Credential"].split("/")[1:]
    canonical = "\n".join(
        [
            received.method,
            received.path,
            "&".join(sorted(received.query_string.decode().split("&"))),
            *(f"{name}:{received.headers[name]}" for name in names),
            "",
            told["SignedHeaders"],
            sha256(received.get_data()).hexdigest(),
        ]
    )
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            received.headers["X-Amz-Date"],
            f"{day}/{region}/{service}/{end}",
            sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, end):
        key = hmac.digest(key, part.encode(), "sha256")
    assert hmac.digest(key, text.encode(), "sha256").hex() == told["Signature"]
    return told["Signature"]


def test_without_credentials_nothing_is_signed() -> None:
    class Nobody:
        region = REGION

        class session:
            @staticmethod
            def get_credentials() -> None:
                return None

    with pytest.raises(StoreError, match="there are no credentials"):
        RequestSigner(Nobody()).headers("GET", "https://x", {}, b"")  # type: ignore[arg-type]


def test_a_signature_is_what_the_api_gets() -> None:
    with served(secret=SURROUNDINGS["AWS_SECRET_ACCESS_KEY"]) as api, patch.dict("os.environ", SURROUNDINGS):
        result = millrace("ops", "verify", api.url, "--iam", "--within", 30_000)
    assert result.exit_code == 0, result.output
    assert len(api.signatures) == len(api.headers) >= 4
    assert not any("x-api-key" in sent for sent in api.headers)


# ---------------------------------------------------------------------------------------------------------- on a stack


def test_the_api_of_a_stack_is_found_with_its_key(cloud: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    value = cloud.client("apigateway").get_api_key(apiKey=cloud["ApiKeyId"], includeValue=True)["value"]
    with served(key=value) as api:
        monkeypatch.setattr(access, "Endpoint", lambda url, key: Endpoint(api.url, key=key))
        _, probes = cloud.told("verify", "--within", 30_000)
        assert len(probes["rows"]) == 1
        assert value not in cloud.ops("verify", "--within", 30_000).output


def test_a_stack_that_wants_signatures_gets_them(cloud: Stand) -> None:
    signed = attrs.evolve(cloud.stack, outputs={**cloud.stack.outputs, "ApiKeyId": ""})
    sent: list[urllib.request.Request] = []
    endpoint = access.endpoint_of(signed)

    def taken(request: urllib.request.Request, timeout: float) -> Any:
        sent.append(request)
        return _reply()

    with patch.object(endpoint._opener, "open", taken):
        endpoint.ask("GET", "/health")
    assert sent[0].get_header("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential=")


@contextmanager
def _reply() -> Iterator[Any]:
    class Answered:
        status = 200

        @staticmethod
        def read() -> bytes:
            return b"{}"

    yield Answered()


def test_somebody_who_may_not_read_the_key_is_told_the_right_that_is_missing(cloud: Stand) -> None:
    message = "User is not authorized to perform: apigateway:GET on resource: arn:aws:apigateway:…"
    with answering() as answers:

        def denied(send: Any, **_: Any) -> Mapping[str, Any]:
            raise StoreError(f"apigateway get-api-key cannot be used: permission is denied ({message})")

        answers.give("apigateway", "get_api_key", denied)
        assert "apigateway:GET" in cloud.ops("verify", code=2).stderr


def test_there_is_nothing_to_verify_in_an_empty_account(nothing: Callable[..., Result]) -> None:
    result = nothing("verify")
    assert result.exit_code == 2
    assert "there is no stack millrace" in result.output
