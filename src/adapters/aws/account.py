"""``Account``: any call of any AWS service, for those who look after a stack rather than process events."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ...core.errors import PermanentError
from .clients import Clients
from .errors import code_of, translate


class Refused(PermanentError):
    """AWS refused a call for a reason that the table of errors does not have. ``code`` is AWS's name for it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Account:
    """Calls by service and operation, in botocore's names for them ("lambda", "get_alias").

    Raises ``Refused``; ``StoreError`` where permission, credentials or the thing itself are missing, with AWS's own
    sentence, which names the permission; ``TransientError``.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @property
    def clients(self) -> Clients:
        """For the adapters, which need more than calls."""
        return self._clients

    @property
    def region(self) -> str:
        """The region of every call; "" where none is set."""
        return self._clients.region or ""

    def ask(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """The answer to one call."""
        try:
            answer: Mapping[str, Any] = getattr(self._clients.get(service), operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            raise _as_ours(error, service, operation) from error
        return answer

    def pages(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        """The items under ``key`` of every page of a listing, in order."""
        try:
            for page in self._clients.get(service).get_paginator(operation).paginate(**parameters):
                yield from page.get(key) or ()
        except (ClientError, BotoCoreError) as error:
            raise _as_ours(error, service, operation) from error


def _as_ours(error: Exception, service: str, operation: str) -> Exception:
    place = f"{service} {operation.replace('_', '-')}"
    if isinstance(error, ClientError):
        code, answer = code_of(error), error.response.get("Error", {})
        # What is not there is an answer that a caller may be waiting for.
        if code not in ("ResourceNotFoundException", "AWS.SimpleQueueService.NonExistentQueue"):
            known = translate(error, place)
            if known is not None:
                return known
        return Refused(f"{place}: {answer.get('Message') or code}", code)
    return translate(error, place) or error
