"""The API of the template: who may call it, how often, who answers, and what the gateway says itself."""

import pytest

from millrace.entrypoints.secrets import VARIABLE

from .stacks import Node, of_type, references, text, translated

THROTTLED = [
    ("*", "/*", "1000", "2000"),
    ("POST", "/ingest", "500", "1000"),
    ("POST", "/ingest/{source}", "500", "1000"),
]


def test_the_stage_throttles_logs_and_traces(production: dict[str, Node]) -> None:
    [stage] = of_type(production, "AWS::ApiGateway::Stage").values()
    limits = [
        (s["HttpMethod"], s["ResourcePath"], str(s["ThrottlingRateLimit"]), str(s["ThrottlingBurstLimit"]))
        for s in stage["MethodSettings"]
    ]
    assert limits == THROTTLED
    assert not any(setting["DataTraceEnabled"] for setting in stage["MethodSettings"])  # payloads stay out of the logs
    assert stage["TracingEnabled"] is True
    assert text(stage["AccessLogSetting"]["DestinationArn"]) == "${ApiAccessLogs.Arn}"


def test_a_usage_plan_throttles_each_key(production: dict[str, Node]) -> None:
    [plan] = of_type(production, "AWS::ApiGateway::UsagePlan").values()
    assert (str(plan["Throttle"]["RateLimit"]), str(plan["Throttle"]["BurstLimit"])) == ("1000", "2000")
    [stage] = plan["ApiStages"]
    ingest = stage["Throttle"]["/ingest/POST"]
    assert (str(ingest["RateLimit"]), str(ingest["BurstLimit"])) == ("500", "1000")


@pytest.mark.parametrize(("parameters", "scheme"), [({}, "api_key"), ({"Authorization": "iam"}, "sigv4")])
def test_every_call_but_a_preflight_is_authorized(parameters: dict[str, str], scheme: str) -> None:
    template = translated(**parameters)
    paths = of_type(template, "AWS::ApiGateway::RestApi")["ApiApi"]["Body"]["paths"]
    secured = {(path, verb): operation["security"] for path, item in paths.items() for verb, operation in item.items()}
    assert secured == {(path, verb): [] if verb == "options" else [{scheme: []}] for path, verb in secured}
    assert bool(of_type(template, "AWS::ApiGateway::ApiKey")) == (scheme == "api_key")


@pytest.mark.parametrize("authorization", ["api-key", "iam"])
def test_with_the_secrets_of_webhooks_everybody_can_call_foreign_sources_and_nothing_else(authorization: str) -> None:
    closed, opened = (
        of_type(translated(Authorization=authorization, **given), "AWS::ApiGateway::RestApi")["ApiApi"]["Body"]["paths"]
        for given in ({}, {"WebhookSecrets": "millrace/webhooks"})
    )
    changed = {
        (path, verb): (closed[path][verb]["security"] != [], operation["security"])
        for path, item in opened.items()
        for verb, operation in item.items()
        if operation != closed[path][verb]
    }
    assert changed == {("/ingest/{source}", "post"): (True, [])}


def test_only_the_function_that_checks_signatures_is_told_their_secrets() -> None:
    given = {"WebhookSecrets": "millrace/webhooks", "WebhookSecretsVersion": "7"}
    for parameters, reference in (
        ({}, None),
        (given, "{{resolve:secretsmanager:millrace/webhooks:SecretString:::7}}"),
    ):
        functions = of_type(translated(**parameters), "AWS::Lambda::Function")
        told = {name: f["Environment"]["Variables"].get(VARIABLE) for name, f in functions.items()}
        assert told == {name: reference if name == "IngestionFunction" else None for name in functions}


def test_other_secrets_are_another_version_of_the_function() -> None:
    versions = [
        {*of_type(translated(WebhookSecrets="millrace/webhooks", WebhookSecretsVersion=v), "AWS::Lambda::Version")}
        for v in ("1", "2")
    ]
    [before], [after] = versions[0] - versions[1], versions[1] - versions[0]
    assert before[:24] == after[:24] == "IngestionFunctionVersion"


def test_each_path_is_answered_by_its_function_which_the_api_may_call(production: dict[str, Node]) -> None:
    answers = {"/ingest": "Ingestion", "/ingest/{source}": "Ingestion", "/validate": "Validation", "/{proxy+}": "Query"}
    paths = of_type(production, "AWS::ApiGateway::RestApi")["ApiApi"]["Body"]["paths"]
    assert set(paths) == set(answers)
    for path, item in paths.items():
        for operation in item.values():
            called = references(operation["x-amazon-apigateway-integration"]["uri"]) - {"AWS::Partition", "AWS::Region"}
            assert called == {f"{answers[path]}FunctionAliasprod"}
    permissions = {
        (permission["Principal"], *references(permission["FunctionName"]))
        for permission in of_type(production, "AWS::Lambda::Permission").values()
    }
    assert {("apigateway.amazonaws.com", f"{name}FunctionAliasprod") for name in answers.values()} <= permissions


def test_what_the_gateway_refuses_is_a_problem_that_pages_can_read(staging: dict[str, Node]) -> None:
    body = of_type(staging, "AWS::ApiGateway::RestApi")["ApiApi"]["Body"]
    answers = body["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "INTEGRATION_TIMEOUT", "REQUEST_TOO_LARGE"} <= set(answers)
    for answer in answers.values():
        headers = answer["responseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'https://one.example.com'"
    assert answers["THROTTLED"]["responseParameters"]["gatewayresponse.header.Retry-After"] == "'1'"


def test_functions_behind_the_api_give_up_before_the_gateway_does(production: dict[str, Node]) -> None:
    functions = of_type(production, "AWS::Lambda::Function")
    for name in ("Ingestion", "Query"):
        assert functions[f"{name}Function"]["Timeout"] < 29
