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


def _encode(line: dict[str, Any], **_: Any) -> str:
    return msgspec.json.encode(line, enc_hook=str).decode()
