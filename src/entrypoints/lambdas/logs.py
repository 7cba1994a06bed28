"""Log lines of functions: structlog to standard output as JSON, flat keys, never payloads."""

import sys
from typing import Any

import msgspec
import structlog


def logger(**keys: Any) -> Any:
    """A logger whose every line has these keys."""
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stdout),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        wrapper_class=structlog.BoundLogger,
        **keys,
    )


def place_of(error: BaseException) -> str:
    """Where an error was raised, as the last three frames: what may be told of one whose message may quote data."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " > ".join(frames[-3:])


def _encode(line: dict[str, Any], **_: Any) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()
