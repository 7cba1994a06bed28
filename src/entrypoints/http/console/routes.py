"""``CONSOLE``: the routes of the console's data, beside those of the API."""

from typing import Final

from ..application import Answer, Route


def _causes() -> Answer:
    from .letters import causes

    return causes


def _letters() -> Answer:
    from .letters import letters

    return letters


def _letter() -> Answer:
    from .letters import letter

    return letter


def _redrive() -> Answer:
    from .redrive import redrive

    return redrive


def _receipts() -> Answer:
    from .receipts import receipts

    return receipts


def _receipt() -> Answer:
    from .receipts import receipt

    return receipt


def _example() -> Answer:
    from .example import example

    return example


CONSOLE: Final = (
    Route("GET", "/console/causes", _causes),
    Route("GET", "/console/letters", _letters),
    Route("GET", "/console/letters/{id}", _letter),
    Route("POST", "/console/redrive", _redrive),
    Route("GET", "/console/receipts", _receipts),
    Route("GET", "/console/receipts/{id}", _receipt),
    Route("GET", "/console/examples/{type}", _example),
)
