"""``Connection``: uvicorn's HTTP/1.1, with a time for every head and a place for every newcomer."""

import asyncio
from collections import OrderedDict
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..http.problems import Problem

HEAD_SECONDS: Final = 15.0
"""The longest that a request's head may take, from its connection or from its first byte on."""
LINGER_SECONDS: Final = 2.0
"""How long a client is listened to that was refused, before it is hung up on."""
MOST_HEAD_BYTES: Final = 32 * 1024


class Connections:
    """Those that wait for a request, the longest waiting first: where there are too many, it has to go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._all = 0
        self._idle: OrderedDict[Connection, None] = OrderedDict()

    def opened(self, connection: "Connection") -> None:
        self._all += 1
        self.idle(connection)
        if self._all > self._most and self._idle:
            self._idle.popitem(last=False)[0].transport.close()

    def closed(self, connection: "Connection") -> None:
        self._all -= 1
        self._idle.pop(connection, None)

    def idle(self, connection: "Connection") -> None:
        self._idle[connection] = None

    def busy(self, connection: "Connection") -> None:
        self._idle.pop(connection, None)


class Connection(H11Protocol):
    """One connection of a client."""

    connections_of_server: Connections
    """Set by ``protocol``."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head: asyncio.TimerHandle | None = None
        self._refused = False
        self.connections_of_server.opened(self)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        self.connections_of_server.closed(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        # A head that has begun after an earlier request has its time, too.
        if self._head is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:  # a request's head is complete
            self._forget_head()
            self.connections_of_server.busy(self)

    def on_response_complete(self) -> None:
        self.connections_of_server.idle(self)
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What is no HTTP gets a problem, as everything else that is wrong does."""
        too_large = len(self.conn.trailing_data[0]) > MOST_HEAD_BYTES
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST
        words = f"The head has more than {MOST_HEAD_BYTES} bytes." if too_large else "This is no HTTP/1.1 request."
        self._refuse(Problem(status, "head", words))

    def _late(self) -> None:
        self._head = None
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            self._refuse(Problem(HTTPStatus.REQUEST_TIMEOUT, "slow", "The rest of the head did not come in time."))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        """Answer, and take nothing more; but do not hang up on a client that is still sending, or it sees no answer."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        response = problem.response()
        head: list[Any] = [*response.headers.items(), ("connection", "close")]
        head.append(("content-length", str(len(response.body))))
        events = h11.Response(status_code=response.status, headers=head), h11.Data(data=response.body)
        self.transport.writelines([self.conn.send(event) or b"" for event in (*events, h11.EndOfMessage())])
        self.transport.write_eof()
        self._refused = True
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(HEAD_SECONDS, self._late)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None


def protocol(most: int) -> type[Connection]:
    """The protocol of a server with up to ``most`` connections."""
    return type("Connection", (Connection,), {"connections_of_server": Connections(most)})
