"""Log lines of commands: structlog on standard error, one line per batch, flat keys, never payloads."""

import sys
from functools import cached_property
from typing import Any


class Log:
    """Says something at ``info``; at ``debug`` only where it is verbose. structlog is imported for the first line."""

    def __init__(self, *, verbose: bool) -> None:
        self.verbose = verbose

    def debug(self, event: str, **keys: Any) -> None:
        if self.verbose:
            self._logger.debug(event, **keys)

    def info(self, event: str, **keys: Any) -> None:
        self._logger.info(event, **keys)

    @cached_property
    def _logger(self) -> Any:
        import structlog

        return structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
            ],
            wrapper_class=structlog.BoundLogger,
        )
