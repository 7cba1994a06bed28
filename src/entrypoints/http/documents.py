"""A document of a foreign source, made so that the source finds in it what it looks for."""

from typing import Any

from ...core.decoding.foreign import HEADER, Source


def document_of(source: Source, event_type: str, data: dict[str, Any], time: str) -> tuple[Any, dict[str, str]]:
    """A document that holds one event of a type, and the headers that say the rest."""
    foreign = next((theirs for theirs, ours in source.types.items() if ours == event_type), event_type)
    values = {"type": foreign, "id": f"{source.name}-1", "time": time, "subject": "example", "origin": source.name}
    record: Any = _within(source.data, dict(data))
    headers = {}
    for label, place in source.places.items():
        if place.startswith(HEADER):
            headers[place.removeprefix(HEADER).lower()] = values[label]
        elif place.startswith("/"):
            _put(record, place, values[label])
    return _within(source.records, [record] if source.records else record), headers


def _within(pointer: str, value: Any) -> Any:
    """The value, in as many objects as the pointer to it has tokens."""
    for token in reversed(_tokens(pointer)):
        value = {token: value}
    return value


def _put(record: dict[str, Any], pointer: str, value: str) -> None:
    *path, last = _tokens(pointer)
    for token in path:
        inner = record.get(token)
        record[token] = record = inner if isinstance(inner, dict) else {}
    record[last] = value


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
