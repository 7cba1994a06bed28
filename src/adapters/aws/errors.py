"""The one table that turns errors of AWS and of botocore into Millrace's two branches.

Sources: botocore's own lists of what is worth retrying (``botocore.retries.standard``) and the error tables of the
API references of S3, SQS, DynamoDB, KMS and Step Functions. What is not in the table passes unchanged: an error that
nobody foresaw must be seen, not retried for ever and not taken for bad data.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
)

from ...core.errors import MillraceError, StoreError, TransientError

PASSING: Final = frozenset(
    {
        # Throttling, under each service's name for it.
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "ExecutionLimitExceeded",
        "KMS.ThrottlingException",
        "KmsThrottled",
        "KmsThrottlingException",
        "LimitExceededException",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
        # The service failed, or took too long.
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        # A race with another request on the same object or item.
        "ConditionalRequestConflict",
        "OperationAborted",
        "ReplicatedWriteConflictException",
        "TransactionConflictException",
        # An iterator of a stream is good for 15 minutes; the next read asks for a new one.
        "ExpiredIteratorException",
        # A signature that grew old on its way: a function was frozen between signing and sending.
        "RequestExpired",
        "RequestTimeTooSkewed",
        # Credentials that ran out; botocore fetches new ones.
        "ExpiredToken",
        "ExpiredTokenException",
    }
)
"""Error codes of what may succeed when tried again."""

PASSING_STATUS: Final = frozenset({429, 500, 502, 503, 504})
"""HTTP statuses of what may succeed when tried again, whatever the code (a proxy's answer has none)."""

LASTING: Final = {
    "AccessDenied": "permission is denied",
    "AccessDeniedException": "permission is denied",
    "AllAccessDisabled": "all access to it is disabled",
    "AWS.SimpleQueueService.NonExistentQueue": "the queue does not exist",
    "InvalidAccessKeyId": "the credentials are unknown",
    "InvalidArn": "its ARN is not valid",
    "InvalidClientTokenId": "the credentials are unknown",
    "InvalidObjectState": "it lies in an archive",
    "InvalidSignatureException": "the signature does not fit the credentials",
    "KMS.AccessDeniedException": "permission to its key is denied",
    "KMS.DisabledException": "its key is disabled",
    "KMS.InvalidStateException": "its key is not usable",
    "KMS.NotFoundException": "its key does not exist",
    "KmsAccessDenied": "permission to its key is denied",
    "KmsAccessDeniedException": "permission to its key is denied",
    "KmsDisabled": "its key is disabled",
    "KmsInvalidState": "its key is not usable",
    "KmsInvalidStateException": "its key is not usable",
    "KmsNotFound": "its key does not exist",
    "NoSuchBucket": "the bucket does not exist",
    "QueueDoesNotExist": "the queue does not exist",
    "ResourceNotFoundException": "it does not exist",
    "SignatureDoesNotMatch": "the signature does not fit the credentials",
    "StateMachineDeleting": "the state machine is being deleted",
    "StateMachineDoesNotExist": "the state machine does not exist",
    "UnrecognizedClientException": "the credentials are unknown",
}
"""Error codes of what somebody has to mend first, each with what is wrong."""

_PASSING_CLASSES = (
    ConnectionError,  # time-outs of connecting, refused and reset connections, TLS, proxies
    HTTPClientError,  # time-outs of reading, closed connections, broken streams
    CredentialRetrievalError,
    FlexibleChecksumError,  # the bytes were damaged on their way
    IncompleteReadError,
    MetadataRetrievalError,
)
_LASTING_CLASSES: Final[dict[type[BotoCoreError], str]] = {
    NoCredentialsError: "there are no credentials",
    NoRegionError: "no region is set",
    PartialCredentialsError: "the credentials are incomplete",
    ProfileNotFound: "there is no such profile",
    SSOError: "nobody is signed in",
}


def code_of(error: ClientError) -> str:
    """The error code without the namespace some protocols put before it, "" where the answer has none."""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]


def judged(code: str, status: int, message: str, place: str) -> MillraceError | None:
    """The branch of a service's answer: ``code`` of the error, HTTP ``status``; None where the table has neither."""
    if code in PASSING or status in PASSING_STATUS:
        return TransientError(f"{place} failed for the moment: {code or status}: {message}")
    sentence = LASTING.get(code)
    return StoreError(f"{place} cannot be used: {sentence} ({code}: {message})") if sentence else None


def translate(error: Exception, place: str) -> MillraceError | None:
    """The error as one of the two branches, or None where it is not known to be either."""
    if isinstance(error, ClientError):
        answer = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return judged(code_of(error), status, str(answer.get("Error", {}).get("Message", "")), place)
    if isinstance(error, _PASSING_CLASSES):
        return TransientError(f"{place} failed for the moment: {error}")
    for known, sentence in _LASTING_CLASSES.items():
        if isinstance(error, known):
            return StoreError(f"{place} cannot be used: {sentence} ({error})")
    return None


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise known errors of the block as Millrace's; unknown ones pass through unchanged."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        known = translate(error, place)
        if known is None:
            raise
        raise known from error
