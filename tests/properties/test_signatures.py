"""Signatures of requests: what is signed with any secret passes, and nothing that differs by a byte."""

import base64
import hmac
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace import Signature, TimestampedSignature
from millrace.core.decoding.signatures import AnySignature, SignatureError

NOW = 1_795_399_200_500_000
SECONDS = NOW // 1_000_000
GITHUB = Signature("X-Hub-Signature-256", "GITHUB_SECRETS", prefix="sha256=")
BASE64 = Signature("X-Signature", "SECRETS", encoding="base64")
STRIPE = TimestampedSignature("Stripe-Signature", "STRIPE_SECRETS")

schemes = st.sampled_from([GITHUB, BASE64, STRIPE])
secret = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "Cc"], exclude_characters=","), min_size=1)
rotations = st.lists(secret, min_size=1, max_size=4, unique=True)


def signed(scheme: AnySignature, key: str, body: bytes, seconds: int = SECONDS) -> str:
    """The header of a body, made without the code under test."""
    match scheme:
        case TimestampedSignature():
            mac = hmac.new(key.encode(), f"{seconds}.".encode() + body, "sha256")
            return f"t={seconds},v1={mac.hexdigest()}"
        case Signature(encoding="base64"):
            return base64.b64encode(hmac.new(key.encode(), body, "sha256").digest()).decode()
        case _:
            return "sha256=" + hmac.new(key.encode(), body, "sha256").hexdigest()


def passes(scheme: AnySignature, header: str | None, body: bytes, secrets: Sequence[str], now: int = NOW) -> str | None:
    """None where the request passes, else why not."""
    headers = {} if header is None else {scheme.header.lower(): header}
    try:
        scheme.verify(headers, body, secrets, now)
    except SignatureError as error:
        return str(error)
    return None


@given(schemes, st.binary(), rotations, st.data())
def test_what_is_signed_with_any_of_the_secrets_passes(
    scheme: AnySignature, body: bytes, secrets: list[str], data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(secrets))
    assert passes(scheme, signed(scheme, key, body), body, secrets) is None


@given(schemes, st.binary(), rotations, secret)
def test_what_is_signed_with_another_secret_fails(
    scheme: AnySignature, body: bytes, secrets: list[str], other: str
) -> None:
    # HMAC pads keys with zero bytes (RFC 2104 §2), which no secret here has.
    assert passes(scheme, signed(scheme, other, body), body, [one for one in secrets if one != other]) is not None


@given(schemes, st.binary(min_size=1), secret, st.data())
def test_a_flipped_bit_of_the_body_fails(scheme: AnySignature, body: bytes, key: str, data: st.DataObject) -> None:
    place, bit = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(0, 7))
    other = bytearray(body)
    other[place] ^= 1 << bit
    assert passes(scheme, signed(scheme, key, body), bytes(other), [key]) is not None


@given(schemes, st.binary(), secret, st.data())
def test_a_flipped_bit_of_the_signature_or_its_time_fails(
    scheme: AnySignature, body: bytes, key: str, data: st.DataObject
) -> None:
    header = signed(scheme, key, body).encode()
    place, bit = data.draw(st.integers(0, len(header) - 1)), data.draw(st.integers(0, 7))
    other = bytearray(header)
    other[place] ^= 1 << bit
    assert passes(scheme, other.decode("latin-1"), body, [key]) is not None


@given(schemes, st.one_of(st.none(), st.text()), st.binary(), rotations)
def test_nothing_that_is_no_signature_passes_or_raises_anything_else(
    scheme: AnySignature, header: str | None, body: bytes, secrets: list[str]
) -> None:
    why = passes(scheme, header, body, secrets)
    assert why is not None
    assert why.endswith(".")


@given(schemes, st.binary(), secret)
def test_without_secrets_nothing_passes(scheme: AnySignature, body: bytes, key: str) -> None:
    assert passes(scheme, signed(scheme, key, body), body, []) is not None


@given(st.binary(), secret, st.integers(0, 10**15), st.integers(1, 10**6))
def test_a_time_passes_within_the_tolerance_only(body: bytes, key: str, micros: int, seconds: int) -> None:
    scheme = TimestampedSignature("Stripe-Signature", "SECRETS", timedelta(seconds=seconds))
    at = micros // 1_000_000
    header = signed(scheme, key, body, at)
    for now, within in (
        (at * 1_000_000 - seconds * 1_000_000, True),
        (at * 1_000_000 + seconds * 1_000_000, True),
        (at * 1_000_000 - seconds * 1_000_000 - 1, False),
        (at * 1_000_000 + seconds * 1_000_000 + 1, False),
    ):
        assert (passes(scheme, header, body, [key], now) is None) == within


# ----------------------------------------------------------------------------------------------------- examples of each


def test_the_example_of_githubs_documentation_passes() -> None:
    # "Validating webhook deliveries", testing the webhook payload validation.
    header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert passes(GITHUB, header, b"Hello, World!", ["It's a Secret to Everybody"]) is None


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (None, "The request is not signed: it has no header X-Hub-Signature-256."),
        ("", "The signature in the header X-Hub-Signature-256 is not that of this request."),
        ("sha1=0123", "The signature in the header X-Hub-Signature-256 is not that of this request."),
    ],
)
def test_a_plain_signature_that_is_none_is_told_so(header: str | None, why: str) -> None:
    assert passes(GITHUB, header, b"{}", ["key"]) == why


def test_a_plain_signature_needs_its_prefix_and_stands_alone() -> None:
    header = signed(GITHUB, "key", b"{}")
    for wrong in (header.removeprefix("sha256="), f"{header}, {header}", header.upper(), f"{header} "):
        assert passes(GITHUB, wrong, b"{}", ["key"]) is not None


def test_one_of_several_timestamped_signatures_is_enough() -> None:
    header, rolled = signed(STRIPE, "new", b"{}"), signed(STRIPE, "old", b"{}").partition(",")[2]
    for given_ in (f"{header},{rolled}", f"{rolled},{header}", f"{header}, v0=6ffb, {rolled}"):
        for secrets in (["new"], ["old"], ["other", "old"]):
            assert passes(STRIPE, given_, b"{}", secrets) is None


@pytest.mark.parametrize("header", ["", "t=1", "v1=00", "t=x,v1=00", "t=1,t=1,v1=00", "t=-1,v1=0", "t=²,v1=0", "=,=,"])
def test_a_timestamped_signature_without_its_parts_is_refused(header: str) -> None:
    why = passes(STRIPE, header, b"{}", ["key"])
    assert why is not None
    assert "Stripe-Signature" in why


def test_two_times_are_refused_though_one_is_signed() -> None:
    assert passes(STRIPE, f"t=1,{signed(STRIPE, 'key', b'{}')}", b"{}", ["key"]) is not None
    assert passes(STRIPE, f"{signed(STRIPE, 'key', b'{}')},t=1", b"{}", ["key"]) is not None


def test_an_old_signature_says_that_it_is_old_and_a_forged_old_one_does_not() -> None:
    header = signed(STRIPE, "key", b"{}", SECONDS - 301)
    old = "The request was signed more than 300 seconds ago, or ahead: sign it again."
    assert passes(STRIPE, header, b"{}", ["key"]) == old
    assert passes(STRIPE, header, b"{}", ["other"]) != old
