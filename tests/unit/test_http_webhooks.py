"""POST /ingest/{source} of signed sources, over the API itself and over ingestion-lambda."""

import gzip
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from millrace import Catalog
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs import cloudtrail, webhooks
from millrace.entrypoints.bootstrap import open_platform
from millrace.entrypoints.cli import main
from millrace.entrypoints.http.application import Application
from millrace.entrypoints.http.messages import Request
from millrace.entrypoints.lambdas import ingestion, wiring
from millrace.entrypoints.lambdas.settings import Settings
from millrace.entrypoints.platform import Platform
from millrace.entrypoints.secrets import VARIABLE, missing_secrets

from ..lambdas.arriving import Context, api_event
from ..lambdas.site import START, Clock, received

GOLDEN = Path(__file__).parents[1] / "golden"
PUSH = (GOLDEN / "github/github.push-v1.json").read_bytes()
CHARGE = (GOLDEN / "stripe/charge.succeeded-v1.json").read_bytes()
KEYS = {"GITHUB_WEBHOOK_SECRETS": "old-key, new-key", "STRIPE_WEBHOOK_SECRETS": "whsec_1 whsec_2"}

Answered = tuple[int, Mapping[str, str], Any]
Send = Callable[..., Answered]


def github(body: bytes = PUSH, event: str = "push", delivery: str = "d-1", key: str = "new-key") -> dict[str, str]:
    """The headers of a delivery, as GitHub sends them."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": "292430182",
        "X-Hub-Signature-256": "sha256=" + hmac.new(key.encode(), body, "sha256").hexdigest(),
    }


def stripe(body: bytes = CHARGE, *, key: str = "whsec_2", seconds: int = START // 1_000_000) -> dict[str, str]:
    """The headers of a delivery, as Stripe sends them while a secret is replaced: signed with two."""
    macs = [hmac.new(k.encode(), b"%d." % seconds + body, "sha256").hexdigest() for k in ("whsec_0", key)]
    signature = (
        f"t={seconds},v1={macs[0]},v1={macs[1]},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
    )
    return {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}


SIGNED: dict[str, tuple[bytes, Callable[..., dict[str, str]]]] = {"github": (PUSH, github), "stripe": (CHARGE, stripe)}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    for name, text in KEYS.items():
        monkeypatch.setenv(name, text)
    return assembled(webhooks.catalog)


def assembled(catalog: Catalog) -> Platform:
    return Platform.assemble(catalog, memory_stores(), Clock(), RandomReceiptIds())


@pytest.fixture(params=["api", "lambda"])
def send(request: pytest.FixtureRequest, platform: Platform) -> Iterator[Send]:
    """Post to a source of the platform, anonymously."""
    if request.param == "lambda":
        wiring.use(platform, Settings(catalog="webhooks"))
    yield over_lambda if request.param == "lambda" else lambda *given: over_api(platform, *given)
    wiring.use(None)


def over_api(site: Platform, source: str, body: bytes, headers: Mapping[str, str]) -> Answered:
    names = {name.lower(): text for name, text in headers.items()}
    response = Application(site).respond(Request(method="POST", path=f"/ingest/{source}", body=body, headers=names))
    return int(response.status), response.headers, json.loads(response.body)


def over_lambda(source: str, body: bytes, headers: Mapping[str, str]) -> Answered:
    event = api_event(path=f"/ingest/{source}", body=body, headers=dict(headers))
    return received(ingestion.handler(event, Context()))


def rows(site: Platform, view: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        Application(site).respond(Request(method="GET", path=f"/views/{view}")).body
    )
    return found


def stored(site: Platform) -> list[str]:
    return [*site.stores.raw.list(since=0, until=2**60, after=None, limit=100)]


def curated(site: Platform, name: str) -> list[dict[str, Any]]:
    found = site.stores.curated.query(name, since=-(2**60), until=2**60, after=None, limit=100)
    return [{"id": each.id, "source": each.source, "time": each.time, **each.fields} for each in found]


# ---------------------------------------------------------------------------------------------------- what is accepted


def test_a_delivery_of_github_becomes_the_event_that_its_headers_say(platform: Platform, send: Send) -> None:
    status, _, answer = send("github", PUSH, github())
    assert (status, answer["events"]) == (202, [{"index": 0, "id": "d-1", "type": "github.push"}])
    receipt = platform.stores.raw.read(answer["receipt"])
    assert receipt.body == PUSH
    assert receipt.receipt.headers == {"x-github-delivery": "d-1", "x-github-event": "push"}
    [entry] = platform.work.drain()
    assert entry.curated == 1
    [event] = curated(platform, "github.push")
    assert (event["source"], event["repository"], event["commits"]) == ("github", "mill/race", 2)


def test_a_delivery_of_stripe_becomes_the_event_that_it_is(platform: Platform, send: Send) -> None:
    status, _, answer = send("stripe", CHARGE, stripe())
    assert (status, answer["events"]) == (202, [{"index": 0, "id": "evt_1", "type": "charge.succeeded"}])
    assert platform.stores.raw.read(answer["receipt"]).receipt.headers == {}
    assert len([*platform.work.drain()]) == 1
    [event] = curated(platform, "charge.succeeded")
    assert (event["time"], event["amount"], event["currency"]) == (1_795_399_200_000_000, 1999, "eur")


@pytest.mark.parametrize("key", ["old-key", "new-key"])
def test_each_secret_of_a_rotation_is_taken(send: Send, key: str) -> None:
    assert send("github", PUSH, github(key=key))[0] == 202


def test_what_is_signed_is_what_was_sent(platform: Platform, send: Send) -> None:
    sent = gzip.compress(PUSH)
    assert send("github", sent, github(sent) | {"Content-Encoding": "gzip"})[0] == 202
    assert send("github", sent, github(PUSH) | {"Content-Encoding": "gzip"})[0] == 401
    assert len(stored(platform)) == 1


def test_a_ping_is_filtered_and_an_event_of_another_kind_waits_among_the_dead_letters(
    platform: Platform, send: Send
) -> None:
    ping = (GOLDEN / "github/github.ping-v1.json").read_bytes()
    assert send("github", ping, github(ping, "ping"))[0] == 202
    status, _, answer = send("github", b'{"action": "started"}', github(b'{"action": "started"}', "watch", "d-2"))
    assert (status, answer["events"][0]["type"]) == (202, "watch")
    entries = [*platform.work.drain()]
    assert [(entry.filtered, dict(entry.dead_letters)) for entry in entries] == [(1, {}), (0, {"unknown-type": 1})]


# ------------------------------------------------------------------------------------------------ what counts only once


@pytest.mark.parametrize("store", ["memory:", "file:"])
def test_the_same_delivery_sent_again_counts_once_and_other_content_is_a_conflict(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in KEYS.items():
        monkeypatch.setenv(name, text)
    other = PUSH.replace(b"Sharpen", b"Blunten")
    again = CHARGE.replace(b'"pending_webhooks": 1', b'"pending_webhooks": 0')
    dearer = CHARGE.replace(b"1999", b"2000")
    assert len({PUSH, other}) == len({CHARGE, again}) == len({CHARGE, dearer}) == 2
    with open_platform(f"file:{tmp_path}" if store == "file:" else store, webhooks.catalog, write=True) as site:
        now = site.clock.now() // 1_000_000
        for body in (PUSH, PUSH, other):
            assert over_api(site, "github", body, github(body))[0] == 202
        for body in (CHARGE, CHARGE, again, dearer):
            assert over_api(site, "stripe", body, stripe(body, seconds=now))[0] == 202
        entries = [*site.work.drain()]
        assert [(e.curated, e.duplicate, dict(e.dead_letters)) for e in entries] == [
            (1, 0, {}),
            (0, 1, {}),
            (0, 0, {"conflict": 1}),
            (1, 0, {}),
            (0, 1, {}),
            (0, 1, {}),
            (0, 0, {"conflict": 1}),
        ]
        assert [row["pushes"] for row in rows(site, "pushes")] == [1]
        assert [row["amount"] for row in rows(site, "charges")] == [1999]


def test_the_state_made_from_the_raw_log_alone_is_the_live_one(platform: Platform) -> None:
    for source, (body, headers) in [*SIGNED.items()] * 2:
        assert over_api(platform, source, body, headers())[0] == 202
        cast(Clock, platform.clock).micros += 1_000_000
    ping = (GOLDEN / "github/github.ping-v1.json").read_bytes()
    assert over_api(platform, "github", ping, github(ping, "ping", "d-3"))[0] == 202
    live = [*platform.work.drain()]
    rebuilt = assembled(webhooks.catalog)
    for receipt in stored(platform):
        raw = platform.stores.raw.read(receipt)
        rebuilt.stores.raw.append(raw)
        rebuilt.stores.queue.send(receipt)
    assert [*rebuilt.work.drain()] == live
    for name in ("github.push", "charge.succeeded"):
        assert curated(rebuilt, name) == curated(platform, name) != []


# ----------------------------------------------------------------------------------------------------- what is refused


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name not in names}


REFUSED: dict[str, tuple[str, bytes, dict[str, str], int, str]] = {
    "unsigned": ("github", PUSH, without(github(), "X-Hub-Signature-256"), 401, "signature"),
    "signed with another secret": ("github", PUSH, github(key="other"), 401, "signature"),
    "another body": ("github", PUSH + b" ", github(), 401, "signature"),
    "the older kind of signature only": (
        "github",
        PUSH,
        github() | {"X-Hub-Signature-256": "sha1=00"},
        401,
        "signature",
    ),
    "stripe, unsigned": ("stripe", CHARGE, {}, 401, "signature"),
    "stripe, signed as github does": ("stripe", CHARGE, github(CHARGE), 401, "signature"),
    "an old time": ("stripe", CHARGE, stripe(seconds=START // 1_000_000 - 301), 401, "signature"),
    "a time to come": ("stripe", CHARGE, stripe(seconds=START // 1_000_000 + 301), 401, "signature"),
    "signed, but no json": ("github", b"payload=%7B%7D", github(b"payload=%7B%7D"), 400, "malformed"),
    "signed, but a form": (
        "github",
        b"payload=%7B%7D",
        github(b"payload=%7B%7D") | {"Content-Type": "application/x-www-form-urlencoded"},
        415,
        "content-type",
    ),
    "signed, but without the header of the type": (
        "github",
        PUSH,
        without(github(), "X-GitHub-Event"),
        422,
        "no-event",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_signed_or_no_event_is_refused_and_nothing_of_it_is_kept(
    platform: Platform, send: Send, case: str
) -> None:
    source, body, headers, expected, code = REFUSED[case]
    status, answered, problem = send(source, body, headers)
    assert (status, problem["type"]) == (expected, f"urn:millrace:problem:{code}")
    assert (status == 401) == ("www-authenticate" in answered)
    assert stored(platform) == []


def test_an_old_signature_is_told_apart_from_a_wrong_one(send: Send) -> None:
    _, __, old = send("stripe", CHARGE, stripe(seconds=START // 1_000_000 - 301))
    _, __, wrong = send("stripe", CHARGE, stripe(key="other"))
    assert "more than 300 seconds ago" in old["detail"]
    assert old["detail"] != wrong["detail"]


@pytest.mark.parametrize("text", [None, "", " , "])
def test_without_secrets_a_signed_source_refuses_everything_and_says_what_is_not_set(
    platform: Platform, send: Send, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    if text is None:
        monkeypatch.delenv("GITHUB_WEBHOOK_SECRETS")
    else:
        monkeypatch.setenv("GITHUB_WEBHOOK_SECRETS", text)
    for key in ("new-key", ""):
        status, headers, problem = send("github", PUSH, github(key=key))
        assert (status, problem["type"]) == (503, "urn:millrace:problem:secrets")
        assert "GITHUB_WEBHOOK_SECRETS is not set" in problem["detail"]
        assert int(headers["retry-after"]) > 0
    assert stored(platform) == []
    assert [*missing_secrets(platform.catalog.sources.values())] == ["github"]
    assert send("stripe", CHARGE, stripe())[0] == 202


def test_secrets_may_stand_together_in_one_variable(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WEBHOOK_SECRETS")
    monkeypatch.setenv(
        VARIABLE, json.dumps({"GITHUB_WEBHOOK_SECRETS": "kept elsewhere", "STRIPE_WEBHOOK_SECRETS": "x"})
    )
    assert send("github", PUSH, github(key="elsewhere"))[0] == 202
    assert send("stripe", CHARGE, stripe())[0] == 202  # a variable of its own comes first


@pytest.mark.parametrize("text", ["new-key", "[]", '{"GITHUB_WEBHOOK_SECRETS": 7}', "{"])
def test_secrets_that_cannot_be_read_are_told_so_and_never_quoted(
    send: Send, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("GITHUB_WEBHOOK_SECRETS")
    monkeypatch.setenv(VARIABLE, text)
    status, _, problem = send("github", PUSH, github())
    assert status == 503
    assert problem["detail"].endswith(f"{VARIABLE} is no JSON object of texts.")


def test_neither_secrets_nor_signatures_are_answered_logged_or_kept(
    platform: Platform, send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [send("github", PUSH, github())[2]["receipt"], send("stripe", CHARGE, stripe())[2]["receipt"]]
    answers = [send("github", PUSH, github(key="other")), send("stripe", CHARGE, stripe(seconds=1))]
    said = capsys.readouterr().out + str(answers) + "".join(str(platform.stores.raw.read(each)) for each in kept)
    secrets = " ".join(KEYS.values()).replace(",", " ").split()
    signatures = [
        text for headers in (github(), stripe()) for text in headers.values() if "sha256=" in text or "v1=" in text
    ]
    assert len(signatures) == 2
    assert not [text for text in (*secrets, *signatures) if text in said]


# ------------------------------------------------------------------------------------------ who must be known otherwise


def test_behind_the_gateway_other_sources_are_for_callers_that_it_knows() -> None:
    site = assembled(cloudtrail.catalog)
    wiring.use(site, Settings(catalog="cloudtrail"))
    record = {"eventID": "e", "eventName": "n", "eventSource": "s", "awsRegion": "r", "eventVersion": "1"}
    body = json.dumps({"Records": [record]}).encode()
    try:
        for source in ("cloudtrail", "nothing"):
            status, _, problem = over_lambda(source, body, {})
            assert (status, problem["type"]) == (403, "urn:millrace:problem:unsigned")
        assert stored(site) == []
        for identity in ({"apiKeyId": "key-7"}, {"userArn": "arn:aws:iam::123456789012:user/shop"}):
            event = api_event(path="/ingest/cloudtrail", body=body, identity=identity)
            assert received(ingestion.handler(event, Context()))[0] == 202
    finally:
        wiring.use(None)
    assert len(stored(site)) == 2


# ------------------------------------------------------------------------------------------------------- what is shown


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_the_commands_show_sources_and_how_they_are_signed(form: list[str]) -> None:
    catalog = ["--catalog", "millrace.core.catalogs.webhooks:catalog"]
    shown = ran(["catalog", "list", *form, *catalog])
    assert re.search(r"header:X-GitHub-Delivery.*X-Hub-Signature-256", shown, re.DOTALL)
    assert re.search(r"/created.*/data/object.*Stripe-Signature", shown, re.DOTALL)
    checked = ran(["catalog", "check", *form, *catalog])
    assert json.loads(checked)["sources"] == 2 if form else checked.endswith("15 types, 9 views, 2 sources.\n")


def ran(command: list[str]) -> str:
    """What a command says that goes well."""
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    return done.output


def test_the_description_of_the_api_tells_what_sources_read_and_how_they_are_signed(platform: Platform) -> None:
    response = Application(platform).respond(Request(method="GET", path="/openapi.json"))
    operation = json.loads(response.body)["paths"]["/ingest/{source}"]["post"]
    headers = {each["name"]: each for each in operation["parameters"] if each["in"] == "header"}
    assert {"x-github-event", "x-github-delivery", "x-hub-signature-256", "stripe-signature"} <= set(headers)
    assert headers["x-github-event"]["examples"]["github"] == {"value": "ping"}
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert examples["stripe"]["value"]["type"] == "charge.succeeded"
    assert "401" in operation["responses"]


def test_pages_of_a_configured_origin_may_send_the_headers_that_a_source_reads(platform: Platform) -> None:
    asked = {"origin": "https://a.example", "access-control-request-method": "POST"}
    allowed = {
        path: Application(platform, origins=["*"])
        .respond(Request(method="OPTIONS", path=path, headers=asked))
        .headers["access-control-allow-headers"]
        .split(", ")
        for path in ("/ingest", "/ingest/github", "/ingest/stripe", "/ingest/nothing")
    }
    assert allowed["/ingest/github"] == [*allowed["/ingest"], "x-github-delivery", "x-github-event"]
    assert allowed["/ingest"] == allowed["/ingest/stripe"] == allowed["/ingest/nothing"]
