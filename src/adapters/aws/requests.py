"""``RequestSigner``: AWS Signature Version 4 of requests to an API behind API Gateway that wants IAM."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from ...core.errors import StoreError
from .clients import Clients
from .errors import translated

SERVICE: Final = "execute-api"
_HOST: Final = re.compile(r"[^.]+\.execute-api\.(?P<region>[^.]+)\.amazonaws\.com(\.cn)?")


class RequestSigner:
    """Signs with the credentials of the session."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers to send. The region is that of the host, or where it has a name of one's own, the session's.

        Raises ``StoreError`` without credentials or region.
        """
        found = _HOST.fullmatch(urlsplit(url).hostname or "")
        region = found["region"] if found else self._clients.region
        credentials = self._clients.session.get_credentials()
        if credentials is None:
            raise StoreError("The request cannot be signed: there are no credentials")
        if not region:
            raise StoreError("The request cannot be signed: no region is set")
        request = AWSRequest(method, url, headers=dict(headers), data=body)
        with translated("Signing the request"):
            SigV4Auth(credentials.get_frozen_credentials(), SERVICE, region).add_auth(request)
        return {name: str(value) for name, value in request.headers.items()}
