"""API keys: who may call, told apart in constant time."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

VARIABLE: Final = "MILLRACE_API_KEYS"
_SHORTEST: Final = 8


class Keys:
    """The keys of a server: ``NAME=SECRET`` or ``SECRET``, separated by commas or blanks. None: it is open to all."""

    def __init__(self, text: str) -> None:
        """Raises ``ValueError`` with a sentence that quotes no secret."""
        self._names: dict[bytes, str] = {}
        for place, entry in enumerate(text.replace(",", " ").split(), 1):
            name, separator, secret = entry.partition("=")
            if not separator or not secret.strip("="):  # base64 may end with =
                name, secret = "", entry
            if len(secret) < _SHORTEST:
                raise ValueError(f"key {place} of {VARIABLE} is shorter than {_SHORTEST} characters")
            digest = sha256(secret.encode()).digest()
            if digest in self._names:
                raise ValueError(f"key {place} of {VARIABLE} is there twice")
            self._names[digest] = name or digest.hex()[:8]

    def __bool__(self) -> bool:
        return bool(self._names)

    def caller(self, headers: Mapping[str, str]) -> str | None:
        """Who sent a request: ``api-key/NAME``; None where its ``X-Api-Key``, or bearer token, is no key."""
        given = headers.get("x-api-key") or _bearer(headers.get("authorization", ""))
        digest, found = sha256(given.encode()).digest(), None
        for known, name in self._names.items():  # all of them, so that the time does not tell which
            if hmac.compare_digest(known, digest):
                found = f"api-key/{name}"
        return found


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
