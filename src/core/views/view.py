"""``View``: what is measured, over which events, in which windows and groups."""

from collections.abc import Mapping

import attrs

from .measures import Measure


@attrs.frozen(eq=False)
class View:
    """A projection: measures over tumbling windows of event time, grouped by fields.

    ``over`` is the event type; ``every`` is the window in microseconds; windows start at multiples of it since the
    epoch.
    """

    name: str
    over: str
    every: int
    by: tuple[str, ...]
    measures: Mapping[str, Measure]
    place: str

    @property
    def signature(self) -> str:
        """Names the view and all that its rows depend on: another definition has rows of its own."""
        measures = ",".join(f"{name}={measure.signature}" for name, measure in self.measures.items())
        return f"{self.name}({self.over};{self.every};{','.join(self.by)};{measures})"
