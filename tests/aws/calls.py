"""``Calls``: a hook on what botocore sends, which records every request and can answer or break it instead.

It sits on the event ``before-send``, as moto's in-process mock does, so it works with that mock, with a server on
loopback, and without any service; and for whatever else emits the event before it sends.
"""

import itertools
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping
from functools import cached_property
from threading import Lock
from typing import Any

import attrs
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber


@attrs.define(slots=False)
class Call:
    """One request, as it went out; every try of a call is one."""

    service: str
    operation: str
    request: AWSPreparedRequest
    url: str

    @cached_property
    def content(self) -> bytes:
        """The body as bytes."""
        body: Any = self.request.body
        if hasattr(body, "read"):
            content: bytes = body.read()
            body.seek(0)
            return content
        return body.encode() if isinstance(body, str) else bytes(body or b"")

    @cached_property
    def parameters(self) -> Any:
        """The body of a call of a JSON protocol, decoded."""
        return json.loads(self.content)

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The headers as texts, names in lower case."""
        return {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in dict[str, Any](self.request.headers).items()
        }


Send = Callable[[], AWSResponse]
Fault = Callable[[Call, Send], AWSResponse]
"""What happens instead of a call: returns an answer or raises; ``send`` makes the call as it is by then and answers."""


class Calls:
    """Attach it to a session before that makes clients. ``made`` has the requests in order."""

    def __init__(self) -> None:
        self.made: list[Call] = []
        self._planned: dict[str, deque[Fault | None]] = {}
        self._always: dict[str, Fault] = {}
        self._lock = Lock()

    def attach(self, session: botocore.session.Session) -> botocore.session.Session:
        """Record what every client sends that the session makes from now on. Returns the session."""
        session.get_component("event_emitter").register_first("before-send", self._before_send)
        return session

    def next(self, operation: str, *faults: Fault | None) -> None:
        """What happens to the next calls of an operation ("PutObject"), one after the other; None: nothing."""
        with self._lock:
            self._planned.setdefault(operation, deque()).extend(faults)

    def always(self, operation: str, fault: Fault | None) -> None:
        """What happens to all calls of an operation, "*" for every one, beyond those planned; None ends it."""
        if fault is None:
            self._always.pop(operation, None)
        else:
            self._always[operation] = fault

    def of(self, operation: str) -> list[Call]:
        """The requests of one operation in order."""
        return [call for call in self.made if call.operation == operation]

    def counts(self) -> Counter[str]:
        """How many requests each operation made."""
        return Counter(call.operation for call in self.made)

    def clear(self) -> None:
        """Forget what was recorded."""
        self.made.clear()

    def _before_send(self, event_name: str, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        service, operation = event_name.split(".")[1:]
        call = Call(service, operation, request, str(request.url))
        with self._lock:
            self.made.append(call)
            planned = self._planned.get(operation)
            fault = planned.popleft() if planned else self._always.get(operation, self._always.get("*"))
        if fault is None:
            return None

        def send() -> AWSResponse:
            request.url = call.url
            try:
                return botocore_stubber(event_name, request) or URLLib3Session().send(request)
            finally:
                request.url = "https://answered.invalid/"

        # Every handler of the event runs, the mock's too: an address that it does not know keeps it out of this call.
        request.url = "https://answered.invalid/"
        return fault(call, send)


def answer(status: int, body: bytes | str, headers: Mapping[str, str] | None = None) -> AWSResponse:
    """An answer as botocore takes it from the network."""
    return AWSResponse("https://answered.invalid/", status, dict(headers or {}), MockRawResponse(body))  # type: ignore[arg-type]


def error(code: str, status: int = 400, message: str = "by the test") -> Fault:
    """The service refuses the call, which has no effect."""

    def refuse(call: Call, send: Send) -> AWSResponse:
        if call.service == "s3":
            document = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return answer(status, document, {"content-type": "application/xml"})
        document = json.dumps({"__type": code, "message": message})
        return answer(status, document, {"content-type": "application/x-amz-json-1.0"})

    return refuse


def canned(status: int, body: bytes | str, headers: Mapping[str, str] | None = None) -> Fault:
    """The service gives this answer, whatever is asked."""
    return lambda call, send: answer(status, body, headers)


def throttled(call: Call, send: Send) -> AWSResponse:
    """Refused because there is too much: no effect."""
    code, status = ("SlowDown", 503) if call.service == "s3" else ("ThrottlingException", 400)
    return error(code, status)(call, send)


def unavailable(call: Call, send: Send) -> AWSResponse:
    """A load balancer's 503, which is neither XML nor JSON: no effect."""
    return answer(503, "<html>Service Unavailable</html>", {"content-type": "text/html"})


def lost(call: Call, send: Send) -> AWSResponse:
    """The connection broke before the request arrived: no effect."""
    raise ConnectionClosedError(endpoint_url=call.request.url)


def timed_out(call: Call, send: Send) -> AWSResponse:
    """The call took effect, but its answer never came."""
    send()
    raise ReadTimeoutError(endpoint_url=call.request.url)


def only_first(number: int, code: str = "InternalError", *, sender: bool = False) -> Fault:
    """Of a batch of SQS only the first entries take effect; the others are reported as failed."""

    def partly(call: Call, send: Send) -> AWSResponse:
        entries = call.parameters["Entries"]
        answered: dict[str, Any] = {"Successful": []}
        if number:
            call.request.body = json.dumps({**call.parameters, "Entries": entries[:number]}).encode()
            answered = json.loads(send().content)
        failed = [{"Id": entry["Id"], "Code": code, "SenderFault": sender} for entry in entries[number:]]
        document = json.dumps({**answered, "Failed": [*answered.get("Failed", []), *failed]})
        return answer(200, document, {"content-type": "application/x-amz-json-1.0"})

    return partly


def keys_at_most(number: int) -> Fault:
    """S3 lists fewer keys than it was asked for, as it may."""

    def shorter(call: Call, send: Send) -> AWSResponse:
        call.url = re.sub("&max-keys=[0-9]+", "", call.url) + f"&max-keys={number}"
        return send()

    return shorter


def in_turn(*faults: Fault | None) -> Fault:
    """One fault after the other, over and over; None lets the call be made."""
    turns = itertools.cycle(faults)
    lock = Lock()

    def turn(call: Call, send: Send) -> AWSResponse:
        with lock:
            fault = next(turns)
        return fault(call, send) if fault else send()

    return turn
