"""Claims about the one table of errors: what may pass, what somebody must mend, and what nobody foresaw."""

from typing import Any

import botocore.exceptions as known
import pytest
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from millrace.adapters.aws.errors import LASTING, PASSING, PASSING_STATUS, code_of, translate, translated
from millrace.core.errors import PermanentError, StoreError, TransientError

URL = "https://sqs.eu-west-1.amazonaws.com/"


def refusal(code: str, status: int = 400) -> known.ClientError:
    answer = {"Error": {"Code": code, "Message": "by the test"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return known.ClientError(answer, "SomeCall")  # type: ignore[arg-type]


@pytest.mark.parametrize("code", sorted(PASSING))
def test_what_passes_is_transient_and_names_the_place_and_the_code(code: str) -> None:
    told = rf"^the queue failed for the moment: {code}: by the test$"
    with pytest.raises(TransientError, match=told) as raised, translated("the queue"):
        raise refusal(code)
    assert isinstance(raised.value.__cause__, known.ClientError)


@pytest.mark.parametrize("code", sorted(LASTING))
def test_what_somebody_must_mend_is_an_unusable_store(code: str) -> None:
    with pytest.raises(StoreError, match=f"^the queue cannot be used: {LASTING[code]} "), translated("the queue"):
        raise refusal(code, 403)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_the_status_decides_where_the_code_says_nothing(status: int) -> None:
    assert isinstance(translate(refusal(str(status), status), "it"), TransientError)
    assert isinstance(translate(refusal("", status), "it"), TransientError)


@pytest.mark.parametrize(
    "code", ["ValidationException", "InvalidMessageContents", "PreconditionFailed", "NoSuchKey", ""]
)
def test_what_nobody_foresaw_passes_unchanged(code: str) -> None:
    error = refusal(code)
    with pytest.raises(known.ClientError) as raised, translated("the queue"):
        raise error
    assert raised.value is error


@pytest.mark.parametrize(
    "error",
    [
        known.ConnectTimeoutError(endpoint_url=URL),
        known.EndpointConnectionError(endpoint_url=URL),
        known.ConnectionClosedError(endpoint_url=URL),
        known.ReadTimeoutError(endpoint_url=URL),
        known.SSLError(endpoint_url=URL, error=OSError("handshake")),
        known.ProxyConnectionError(proxy_url=URL),
        known.ResponseStreamingError(error="reset by peer"),
        known.IncompleteReadError(actual_bytes=1, expected_bytes=2),
        known.FlexibleChecksumError(error_msg="Expected checksum a did not match calculated checksum b"),
        known.CredentialRetrievalError(provider="container-role", error_msg="timed out"),
        known.MetadataRetrievalError(error_msg="timed out"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_network_that_fails_is_transient(error: known.BotoCoreError) -> None:
    assert isinstance(translate(error, "it"), TransientError)


@pytest.mark.parametrize(
    "error",
    [
        known.NoCredentialsError(),
        known.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        known.NoRegionError(),
        known.ProfileNotFound(profile="p"),
        known.UnauthorizedSSOTokenError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_process_without_credentials_or_region_is_told_so(error: known.BotoCoreError) -> None:
    assert isinstance(translate(error, "it"), StoreError)


def test_what_is_wrong_with_a_call_itself_passes_unchanged() -> None:
    error = known.ParamValidationError(report="Missing required parameter")
    with pytest.raises(known.ParamValidationError) as raised, translated("it"):
        raise error
    assert raised.value is error


def test_millraces_own_errors_pass_unchanged() -> None:
    error = PermanentError("no")
    with pytest.raises(PermanentError) as raised, translated("it"):
        raise error
    assert raised.value is error


def test_the_table_has_everything_that_botocore_itself_would_try_again() -> None:
    throttled: Any = ThrottledRetryableChecker
    transient: Any = TransientRetryableChecker
    assert {*throttled._THROTTLED_ERROR_CODES, *transient._TRANSIENT_ERROR_CODES} <= PASSING
    assert set(transient._TRANSIENT_STATUS_CODES) <= PASSING_STATUS


def test_no_code_is_in_both_parts() -> None:
    assert not PASSING & LASTING.keys()


def test_a_code_may_come_with_its_namespace() -> None:
    error = refusal("com.amazonaws.dynamodb.v20120810#ThrottlingException")
    assert code_of(error) == "ThrottlingException"
    assert isinstance(translate(error, "it"), TransientError)
