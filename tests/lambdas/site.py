"""``Site``: functions over stores in memory, and what they write to standard output."""

from typing import Any

import attrs
import msgspec
import pytest

from millrace.adapters.system import RandomReceiptIds
from millrace.core.ports import Stores
from millrace.entrypoints.lambdas import wiring
from millrace.entrypoints.lambdas.settings import Settings
from millrace.entrypoints.platform import Platform

START = 1_795_399_200_000_000
"""2026-11-23T02:00:00Z in microseconds."""

SETTINGS = Settings(
    catalog="retail", environment="test", analysis_bucket="analysis", cors_origins=("https://console.example.com",)
)


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.micros = START

    def now(self) -> int:
        return self.micros


@attrs.frozen
class Output:
    """Lines of standard output: of the log, and of metrics."""

    logs: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    text: str

    def log(self, event: str) -> dict[str, Any]:
        """The only line of that name."""
        [line] = [line for line in self.logs if line["event"] == event]
        return line

    def metric(self, name: str, **dimensions: str) -> Any:
        """The values of a metric in the only line that has it with these dimensions and no more."""
        wanted = {"environment", "service", *dimensions}
        [found] = [
            line[name]
            for line in self.metrics
            if name in line
            and set(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) == wanted
            and dimensions.items() <= line.items()
        ]
        return found


@attrs.frozen
class Site:
    """A platform that the functions work with, its clock, and what they wrote."""

    platform: Platform
    clock: Clock
    capture: pytest.CaptureFixture[str]

    @property
    def stores(self) -> Stores:
        return self.platform.stores

    def use(self, **stores: Any) -> None:
        """Let the functions work with other stores in the place of some."""
        changed = attrs.evolve(self.stores, **stores)
        assembled = Platform.assemble(self.platform.catalog, changed, self.clock, RandomReceiptIds())
        wiring.use(assembled, SETTINGS)

    def output(self) -> Output:
        """What was written since the last look. Every line is JSON."""
        text = self.capture.readouterr().out
        lines = [msgspec.json.decode(line) for line in text.splitlines()]
        logs = [line for line in lines if "_aws" not in line]
        return Output(logs, [line for line in lines if "_aws" in line], text)


def received(answer: Any) -> tuple[int, dict[str, str], Any]:
    """Status, headers and decoded body of a proxy's answer."""
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    body = answer["body"]
    return answer["statusCode"], answer["headers"], msgspec.json.decode(body) if body else None
