"""Running the command line in this process, and what every expected failure looks like."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from millrace.entrypoints.cli import main


def millrace(*arguments: str | Path | int, store: Path | None = None, stdin: bytes | None = None) -> Result:
    """The result of a command; ``store`` is the folder of its store."""
    where = [] if store is None else ["--store", f"file:{store}"]
    result = CliRunner(env={"MILLRACE_STORE": None, "MILLRACE_CATALOG": None}).invoke(
        main, [*map(str, arguments), *where], input=stdin
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def succeeds(*arguments: str | Path | int, store: Path | None = None, stdin: bytes | None = None) -> Result:
    result = millrace(*arguments, store=store, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result


def fails(code: int, *arguments: str | Path | int, store: Path | None = None, stdin: bytes | None = None) -> str:
    """The one sentence that a command which fails says on standard error."""
    result = millrace(*arguments, store=store, stdin=stdin)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    sentence = result.stderr.removesuffix("\n")
    assert "\n" not in sentence
    assert sentence.startswith("millrace")
    return sentence


def document(*arguments: str | Path | int, store: Path | None = None, stdin: bytes | None = None) -> Any:
    """What a command prints with --json."""
    return json.loads(succeeds(*arguments, "--json", store=store, stdin=stdin).stdout)


def objects(*arguments: str | Path | int, store: Path | None = None) -> list[dict[str, Any]]:
    """What a command prints with --ndjson."""
    return [json.loads(line) for line in succeeds(*arguments, "--ndjson", store=store).stdout.splitlines()]


def purchase(event_id: str, amount: str = '"10.00"', **more: Any) -> dict[str, Any]:
    """A purchase in the morning of 2026-11-23, at 02:30 unless said otherwise."""
    data = {"order_id": f"o-{event_id}", "customer_id": "c-1", "amount": json.loads(amount), "currency": "EUR"}
    envelope = {"eventType": "purchase", "eventId": event_id, "eventTime": "2026-11-23T02:30:00Z", "source": "shop"}
    return {**envelope, "data": data, **more}


def lines(*events: Any) -> bytes:
    """Events, or text that is taken as it is, one a line."""
    texts = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    return b"".join(text + b"\n" for text in texts)
