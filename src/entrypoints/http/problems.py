"""``Problem``: every answer that is an error, as RFC 9457 has it, and the errors of the core as problems."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from ...core.errors import BodyError
from ...core.services.ingest import NothingAccepted, Rejected
from .messages import PROBLEM, Response

RETRY_SECONDS: Final = 5
"""When a client may try again what failed because of the surroundings."""

TITLES: Final = {
    HTTPStatus.BAD_REQUEST: "Malformed",
    HTTPStatus.UNAUTHORIZED: "Not known",
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.METHOD_NOT_ALLOWED: "Method not allowed",
    HTTPStatus.REQUEST_TIMEOUT: "Too slow",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Too large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Not supported",
    HTTPStatus.UNPROCESSABLE_ENTITY: "No event",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "Too large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Failed",
    HTTPStatus.SERVICE_UNAVAILABLE: "Try again later",
}
SHOWN: Final = 100
"""How many elements a problem tells of: of thousands that are wrong, the first say why."""

_NO_JSON: Final = frozenset({"json", "encoding", "depth"})
_STATUS: Final = {
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "content-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "encoding": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


class Problem(Exception):
    """A request is answered with an error. ``code`` is one word a program can switch on."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        rejected: Sequence[Rejected] = (),
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.rejected = headers or {}, rejected

    def response(self) -> Response:
        """The answer, as ``application/problem+json``."""
        body: dict[str, Any] = {
            "type": f"urn:millrace:problem:{self.code}",
            "title": TITLES[self.status],
            "status": int(self.status),
            "detail": self.detail,
        }
        if self.rejected:
            body["rejected"] = list(self.rejected[:SHOWN])
        headers = {"content-type": PROBLEM, "cache-control": "no-store", **self.headers}
        return Response(
            status=self.status, headers=headers, body=msgspec.json.encode(body), facts={"problem": self.code}
        )


def of_body(error: BodyError) -> Problem:
    """A body that cannot be taken as a whole."""
    status = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST)
    headers = {"accept-encoding": "gzip"} if error.code == "encoding" else {}  # RFC 9110 §12.5.3
    return Problem(status, error.code, error.message, headers=headers)


def of_nothing(error: NothingAccepted) -> Problem:
    """A body in which nothing is an event: too large, no JSON, or JSON that says something else."""
    codes = {violation.code for element in error.rejected for violation in element.violations}
    if codes == {"too-large"}:
        status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large"
    elif codes <= _NO_JSON:
        status, code = HTTPStatus.BAD_REQUEST, "malformed"
    else:
        status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "no-event"
    first = error.rejected[0].violations[0]
    return Problem(status, code, f"Nothing in the body is an event: {_sentence(first)}", rejected=error.rejected)


def unavailable() -> Problem:
    """The surroundings fail. What they are is for the logs."""
    headers = {"retry-after": str(RETRY_SECONDS)}
    detail = "A part of the platform does not answer at the moment. Send the same request again, with the same ids."
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", detail, headers=headers)


def bad_request(code: str, detail: str) -> Problem:
    """A part of the request, other than its body, is not understood."""
    return Problem(HTTPStatus.BAD_REQUEST, code, detail)


def not_found(detail: str) -> Problem:
    """There is no such thing."""
    return Problem(HTTPStatus.NOT_FOUND, "not-found", detail)


def _sentence(violation: Any) -> str:
    where = f"{violation.pointer} " if violation.pointer else ""
    return f"{where}{violation.message.rstrip('.')}."
