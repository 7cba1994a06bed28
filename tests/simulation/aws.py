"""The AWS adapters on moto as a place of the simulation, where single calls of the services fail."""

from contextlib import ExitStack
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from botocore.awsrequest import AWSResponse

from millrace.core.ports import Stores

from ..aws.calls import Call, Fault, Send, lost, only_first, throttled, timed_out, unavailable
from ..aws.opened import mocked_account
from ..aws.stores import stores_in
from ..aws.tables import create_tables
from .world import World

RATES = [0, 0.02, 0.1]
ATTEMPTS = 2
"""Tries of a call: a second one may find what the first one did, and sometimes both fail."""


class AwsWorld(World):
    """Workers' calls fail by chance, before or after their effect or in parts; those from outside never do."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self._random = Random(f"calls {seed}")
        self._rate = self._random.choice(RATES)
        self._opened = ExitStack()
        self._account = account = self._opened.enter_context(mocked_account(attempts=ATTEMPTS))
        self._opened.enter_context(patch("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None)))
        tables = create_tables(account.unrecorded.get("dynamodb"))
        for clients in (account.clients, account.unrecorded):
            clients.parallelism = 1  # so that chance falls the same way each time
        self._exposed = self._opened.enter_context(stores_in(account, tables, account.clients))
        self.stores = self._opened.enter_context(stores_in(account, tables, account.unrecorded))
        self._account.calls.always("*", self._perhaps)

    @property
    def exposed(self) -> Stores:
        return self._exposed

    def expire(self) -> None:
        self._account.pass_time(self._account.queue_url)
        self._account.pass_time(self._account.dlq_url)  # a reader whose call failed may not have given it back

    def close(self) -> None:
        self._opened.close()

    def _perhaps(self, call: Call, send: Send) -> AWSResponse:
        if self._random.random() >= self._rate:
            return send()
        faults: list[Fault] = [throttled, unavailable, lost, timed_out]
        if call.operation in ("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"):
            faults.append(only_first(self._random.randint(0, 1)))
        fault = self._random.choice(faults)
        self.faults[f"{getattr(fault, '__name__', 'fault')} call"] += 1
        return fault(call, send)
