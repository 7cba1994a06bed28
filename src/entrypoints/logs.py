"""Log lines of commands and of the server: structlog on standard error, flat keys, never payloads."""

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

    def warning(self, event: str, **keys: Any) -> None:
        self._logger.warning(event, **keys)

    def error(self, event: str, **keys: Any) -> None:
        self._logger.error(event, **keys)

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


def place_of(error: BaseException) -> str:
    """Where an error was raised, as the last three frames: what may be told of one whose message may quote data."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " > ".join(frames[-3:])
