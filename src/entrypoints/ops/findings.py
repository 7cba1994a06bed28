"""What operations come to: reports of what was found, and changes that can be shown before they are made."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

Row = Mapping[str, Any]


@attrs.frozen
class Report:
    """A table of what was found. ``wrong`` has a sentence for each thing that somebody should see to; a report without
    any is good news.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    wrong: Sequence[str] = ()

    def as_dict(self) -> dict[str, Any]:
        """For programs: the rows and what is wrong."""
        return {"title": self.title, "rows": [dict(row) for row in self.rows], "wrong": [*self.wrong]}


@attrs.frozen
class Change:
    """One thing that will be another one once ``apply`` was called.

    Applying it when it is made already changes nothing; where somebody else has changed the same thing since it was
    looked at, ``apply`` raises rather than undo that.
    """

    of: str
    before: Any
    after: Any
    apply: Callable[[], None]

    @property
    def needed(self) -> bool:
        """Whether there is anything to change."""
        return bool(self.before != self.after)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"of": self.of, "before": self.before, "after": self.after}
