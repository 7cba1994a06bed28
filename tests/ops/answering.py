"""``Answers``: answers that moto does not have, as the API references document them, for calls of ``Account``.

Every call, of moto's operations too, is checked against botocore's description of the service: the library itself does
not, since ``Clients`` turns that off. What is answered here is checked in the same way.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import attrs
from botocore.validate import ParamValidator

from millrace.adapters.aws.account import Account, Refused

Send = Callable[..., Mapping[str, Any]]
Answer = Callable[..., Mapping[str, Any]]
"""Is called with ``send``, which asks moto, and the parameters of the call."""


@attrs.define
class Answers:
    """What is answered instead of by moto, and every call that was made."""

    calls: list[tuple[str, str, dict[str, Any]]] = attrs.field(factory=list)
    _given: dict[tuple[str, str], Answer] = attrs.field(factory=dict)

    def give(self, service: str, operation: str, answer: Answer) -> None:
        """From now on, this is what answers calls of the operation."""
        self._given[service, operation] = answer

    def refuse(self, service: str, operation: str, code: str, message: str = "no") -> None:
        """From now on, calls of the operation are refused."""

        def refused(send: Send, **_: Any) -> Mapping[str, Any]:
            raise Refused(message, code)

        self._given[service, operation] = refused

    def of(self, *operations: str) -> list[dict[str, Any]]:
        """The parameters of the calls of some operations, in order."""
        return [parameters for _, operation, parameters in self.calls if operation in operations]


@contextmanager
def answering() -> Iterator[Answers]:
    """Answers for all accounts, for as long as the block lasts."""
    answers = Answers()
    plain_ask, plain_pages = Account.ask, Account.pages

    def ask(account: Account, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        _check(account, service, operation, "input_shape", parameters)
        answers.calls.append((service, operation, parameters))
        answer = answers._given.get((service, operation))
        if answer is None:
            return plain_ask(account, service, operation, **parameters)
        found = answer(lambda **given: plain_ask(account, service, operation, **given), **parameters)
        _check(account, service, operation, "output_shape", found)
        return found

    def pages(account: Account, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
        _check(account, service, operation, "input_shape", parameters)
        answers.calls.append((service, operation, parameters))
        answer = answers._given.get((service, operation))
        if answer is None:
            yield from plain_pages(account, service, operation, key, **parameters)
            return
        for page in answer(lambda **given: {}, **parameters)["pages"]:
            _check(account, service, operation, "output_shape", page)
            yield from page.get(key, ())

    with patch.object(Account, "ask", ask), patch.object(Account, "pages", pages):
        yield answers


def _check(account: Account, service: str, operation: str, side: str, given: Mapping[str, Any]) -> None:
    client = account.clients.get(service)
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    shape = getattr(model, side)
    told = {name: value for name, value in given.items() if name != "ResponseMetadata"}
    if shape is None:
        assert not told, f"{service} {operation} takes nothing"
        return
    report = ParamValidator().validate(told, shape)
    assert not report.has_errors(), f"{service} {operation}: {report.generate_report()}"
    unknown = told.keys() - shape.members.keys()
    assert not unknown, f"{service} {operation} knows no {sorted(unknown)}"
