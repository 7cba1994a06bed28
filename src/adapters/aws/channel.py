"""``Channel``: how requests get out to DynamoDB: signed, sent, and the answer's bytes checked.

What botocore's client knows is used: endpoint, credentials, time-outs, pool size. Before sending, the event
``before-send.dynamodb.<Operation>`` is emitted on the client's emitter, as botocore's own endpoint does, so that mocks
and hooks see no difference.
"""

import socket
from typing import Final
from urllib.parse import urlsplit
from zlib import crc32

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from ...core.errors import TransientError
from .clients import Clients
from .signing import Signer

_CONTENT_TYPE: Final = "application/x-amz-json-1.0"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Channel:
    """Made once, when the first request gets out. Threads may share it."""

    def __init__(self, clients: Clients) -> None:
        client = clients.get("dynamodb")
        meta, config = client.meta, client.meta.config
        parts = urlsplit(meta.endpoint_url)
        standard = parts.port in (None, _DEFAULT_PORTS.get(parts.scheme))
        host = parts.hostname if standard else f"{parts.hostname}:{parts.port}"
        self._url = f"{parts.scheme}://{host}/"
        self._emit = meta.events.emit
        session = clients.session
        self._signer = Signer(session.get_credentials(), "dynamodb", meta.region_name, str(host))
        authorities = session.get_config_variable("ca_bundle")
        self._http = URLLib3Session(
            verify=True if authorities is None else authorities,
            proxies=config.proxies or get_environ_proxies(self._url),
            timeout=(config.connect_timeout, config.read_timeout),  # type: ignore[arg-type]
            max_pool_connections=config.max_pool_connections,
            # Without it every request waits some 40 ms for an acknowledgement: headers and body go out separately.
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # type: ignore[list-item]
        )

    def send(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request. Raises botocore's errors of the network, and
        ``TransientError`` for an answer that was damaged.
        """
        headers = self._signer.headers(f"DynamoDB_20120810.{operation}", _CONTENT_TYPE, body)
        request = AWSPreparedRequest("POST", self._url, HeadersDict(headers), body, False)  # type: ignore[arg-type]
        answers = self._emit(f"before-send.dynamodb.{operation}", request=request)
        response: AWSResponse | None = next((answer for _, answer in answers if answer is not None), None)
        if response is None:
            response = self._http.send(request)
        content: bytes = response.content
        checksum = response.headers.get("x-amz-crc32")
        # The pool does not compare lengths, so this is also how a body that was cut off shows.
        if checksum is not None and crc32(content) != int(checksum):
            raise TransientError(f"DynamoDB's answer to {operation} was damaged on its way")
        return response.status_code, content

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
