"""Signatures of requests: HMAC-SHA256 of a body, in the two forms in which webhooks carry it.

What is signed is what was sent: the body as it came over the wire, before any content encoding is undone. Headers are
not signed, nor are those that say an event's type or id: whoever overhears a request may send it again with others.
"""

import base64
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Final, Literal, TypeAlias

import attrs

from ..errors import PermanentError

_LONGEST_TIME: Final = 15


class SignatureError(PermanentError):
    """A request is not signed as its source has it. The message is a sentence that quotes nothing of the request."""


@attrs.frozen
class Signature:
    """The HMAC-SHA256 (RFC 2104) of the body in a header, in hex or base64, after a ``prefix``.

    ``secrets`` is the name of the environment variable that holds the secrets, separated by commas or blanks: several
    while one takes the place of another. As GitHub signs: "Validating webhook deliveries" in its documentation.
    """

    header: str
    secrets: str = attrs.field(eq=False)  # where they are is no part of how requests are signed
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: int) -> None:  # noqa: ARG002
        """Return only if the body is signed with one of the secrets; names of headers are in lower case.

        Raises ``SignatureError``, also where there are no secrets.
        """
        given = _given(headers, self.header).encode(errors="replace")
        _require([given], [(self.prefix + self._text(mac)).encode() for mac in _macs(secrets, body)], self.header)

    def _text(self, mac: bytes) -> str:
        return mac.hex() if self.encoding == "hex" else base64.b64encode(mac).decode()


@attrs.frozen
class TimestampedSignature:
    """The HMAC-SHA256 of a time, a point and the body, with that time: ``t=SECONDS,v1=HEX``, and perhaps further v1.

    A request whose time is further from now than ``tolerance`` is refused, so that one that was overheard cannot be
    sent again for ever. ``secrets`` as of ``Signature``. As Stripe signs: "Verify webhook signatures manually" in its
    documentation.
    """

    header: str
    secrets: str = attrs.field(eq=False)
    tolerance: timedelta = timedelta(minutes=5)

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: int) -> None:
        """Return only if time and body are signed with one of the secrets, and the time is about ``now``
        (microseconds). Raises ``SignatureError``, also where there are no secrets.
        """
        parts = [part.strip().partition("=") for part in _given(headers, self.header).split(",")]
        times = [value for name, _, value in parts if name == "t"]
        given = [value.encode(errors="replace") for name, _, value in parts if name == "v1"]
        if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > _LONGEST_TIME:
            raise SignatureError(f"The header {self.header} has no single time (t=SECONDS) in it.")
        macs = _macs(secrets, times[0].encode() + b"." + body)
        _require(given, [mac.hex().encode() for mac in macs], self.header)
        if abs(now - int(times[0]) * 1_000_000) > self.tolerance // timedelta(microseconds=1):
            seconds = self.tolerance // timedelta(seconds=1)
            raise SignatureError(f"The request was signed more than {seconds} seconds ago, or ahead: sign it again.")


AnySignature: TypeAlias = Signature | TimestampedSignature


def _given(headers: Mapping[str, str], name: str) -> str:
    if name.lower() not in headers:
        raise SignatureError(f"The request is not signed: it has no header {name}.")
    return headers[name.lower()]


def _macs(secrets: Iterable[str], message: bytes) -> list[bytes]:
    return [hmac.digest(secret.encode(errors="surrogateescape"), message, "sha256") for secret in secrets]


def _require(given: Sequence[bytes], expected: Sequence[bytes], header: str) -> None:
    # All are compared, and each in constant time, so that how long it takes tells nothing.
    if not sum(hmac.compare_digest(one, other) for one in given for other in expected):
        raise SignatureError(f"The signature in the header {header} is not that of this request.")
