"""``Clients``: one botocore client per service, made when it is first used and kept; safe to use from any thread.

Only botocore is imported, not boto3: that is half of a function's cold start. Clients are thread-safe, making one is
not (the session behind them is shared), so a lock makes them one after the other.
"""

import os
from threading import RLock
from typing import Any, Final

import botocore.session
from botocore.config import Config

PARALLELISM: Final = 10
ATTEMPTS: Final = 4
CONNECT_SECONDS: Final = 2.0
READ_SECONDS: Final = {"dynamodb": 4.0, "s3": 10.0, "sqs": 25.0, "stepfunctions": 10.0}
"""How long an answer may take, by service. The queue's is longer than its longest long poll (20 s)."""
OTHER_READ_SECONDS: Final = 10.0


class Clients:
    """Every client of one process: same session, region and retries; connection pools as large as the parallelism.

    Parameters are not validated by botocore, which would cost half of a call's CPU; the service does it again anyway.
    """

    def __init__(
        self,
        region: str | None = None,
        *,
        parallelism: int = PARALLELISM,
        attempts: int = ATTEMPTS,
        session: botocore.session.Session | None = None,
    ) -> None:
        """Makes no client and reads no credentials yet.

        ``region``: unless given ``AWS_REGION``, else the session's own (``AWS_DEFAULT_REGION``, the profile's).
        ``parallelism``: threads that use one client at a time. ``attempts``: tries of a call in all, with the jittered
        backoff of botocore's mode "standard" between them (up to 1, 2, 4… seconds).
        """
        self.parallelism, self.attempts = parallelism, attempts
        self._region = region
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = RLock()

    @property
    def session(self) -> botocore.session.Session:
        """The session behind all clients; itself not thread-safe."""
        with self._lock:
            if self._session is None:
                self._session = botocore.session.Session()
            return self._session

    @property
    def region(self) -> str | None:
        """The region of every client."""
        with self._lock:
            if self._region is None:
                # AWS_REGION is what Lambda and all other SDKs go by; botocore itself does not read it.
                self._region = os.environ.get("AWS_REGION") or self.session.get_config_variable("region")
            return self._region

    def get(self, service: str) -> Any:
        """The client of a service, by botocore's name for it: "s3", "sqs", "dynamodb", "stepfunctions"…"""
        client = self._clients.get(service)
        if client is None:
            with self._lock:
                client = self._clients.get(service)
                if client is None:
                    client = self._clients[service] = self._make(service)
        return client

    def close(self) -> None:
        """Close the connections. A client that is asked for later is made anew."""
        with self._lock:
            clients, self._clients = self._clients, {}
        for client in clients.values():
            client.close()

    def _make(self, service: str) -> Any:
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS.get(service, OTHER_READ_SECONDS),
            retries={"mode": "standard", "total_max_attempts": self.attempts},
            max_pool_connections=self.parallelism,
            parameter_validation=False,
        )
        return self.session.create_client(service, region_name=self.region, config=config)
