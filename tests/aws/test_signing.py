"""``Signer`` gives the signatures that botocore's own signer gives."""

import datetime
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from hypothesis import given
from hypothesis import strategies as st

from millrace.adapters.aws.signing import Signer

TYPE = "application/x-amz-json-1.0"
words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=30)
tokens = st.none() | st.text(st.sampled_from("abcXYZ019/+="), min_size=1, max_size=80)
hosts = st.sampled_from(["dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:4567", "localhost:8000"])
clocks = st.integers(0, 4_102_444_800)


def theirs(credentials: Credentials, region: str, host: str, target: str, body: bytes, now: int) -> dict[str, str]:
    """The headers after botocore has signed."""
    headers = {"Content-Type": TYPE, "X-Amz-Target": target, "User-Agent": "not signed"}
    request = AWSRequest("POST", f"https://{host}/", headers=headers, data=body)
    instant = datetime.datetime.fromtimestamp(now, datetime.UTC)
    with patch("botocore.auth.get_current_datetime", return_value=instant):
        SigV4Auth(credentials, "dynamodb", region).add_auth(request)
    return dict(request.headers.items())


@given(words, words, tokens, words, hosts, words, st.lists(st.tuples(st.binary(max_size=60), clocks), max_size=4))
def test_every_request_is_signed_as_botocore_signs_it(
    access: str, secret: str, token: str | None, region: str, host: str, name: str, requests: list[tuple[bytes, int]]
) -> None:
    credentials, target = Credentials(access, secret, token), f"DynamoDB_20120810.{name}"
    signer = Signer(credentials, "dynamodb", region, host)
    for body, now in requests:  # one signer for all, as days and with them keys come and go
        expected = theirs(credentials, region, host, target, body, now)
        del expected["User-Agent"]
        assert signer.headers(target, TYPE, body, now) == expected


def test_fresh_credentials_are_used_from_the_next_request_on() -> None:
    credentials = Credentials("a", "b")
    signer = Signer(credentials, "dynamodb", "eu-west-1", "h")
    signer.headers("t", TYPE, b"", 0)
    credentials.access_key, credentials.secret_key, credentials.token = "c", "d", "e"
    expected = theirs(credentials, "eu-west-1", "h", "t", b"", 0)["Authorization"]
    assert signer.headers("t", TYPE, b"", 0)["Authorization"] == expected


def test_a_request_without_a_given_time_is_signed_for_now() -> None:
    stamp = Signer(Credentials("a", "b"), "dynamodb", "r", "h").headers("t", TYPE, b"")["X-Amz-Date"]
    signed = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    assert abs(datetime.datetime.now(datetime.UTC) - signed) < datetime.timedelta(minutes=5)


@pytest.mark.parametrize("credentials", [None, Credentials("", ""), Credentials("a", "")])
def test_without_credentials_nothing_is_signed(credentials: Credentials | None) -> None:
    with pytest.raises(NoCredentialsError):
        Signer(credentials, "dynamodb", "r", "h").headers("t", TYPE, b"")
