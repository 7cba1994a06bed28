"""What a dry run says: totals, and a sample of the events in each category."""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from .output import cell, print_facts, print_table, printable

if TYPE_CHECKING:
    from ...core.comparison import Difference
    from ...core.diffs import EventDiff

SAMPLED = 5
"""Events shown of each category."""
UNSAMPLED = frozenset({"same", "duplicate"})
"""Categories of which nobody wants to see examples."""
TO_REACH_THE_ARCHIVE = "millrace restore, millrace backfill --replace, and millrace archive again"
"""How a catalog is applied to archived events."""
_PLACES = 20
_LONGEST = 60


class Report:
    """Takes in events one by one; holds the totals, and the first events of each category."""

    def __init__(self, sampled: int = SAMPLED) -> None:
        from ...core.diffs import Totals

        self.totals = Totals()
        self._sampled = sampled
        self._sample: dict[str, list[dict[str, Any]]] = {}

    def add(self, diff: "EventDiff") -> None:
        """Take an event in."""
        self.totals.add(diff)
        category = diff.category.value
        if category not in UNSAMPLED and self.totals.categories[category] <= self._sampled:
            self._sample.setdefault(category, []).append(diff_row(diff))

    def rows(self, diffs: Iterable["EventDiff"], categories: Collection[str]) -> Iterator[dict[str, Any]]:
        """Take events in, and give the rows of those in some categories."""
        for diff in diffs:
            self.add(diff)
            if diff.category in categories:
                yield diff_row(diff)

    def sample(self) -> list[dict[str, Any]]:
        """The rows of the sample, category by category."""
        from ...core.diffs import Category

        return [row for category in Category for row in self._sample.get(category, ())]

    def as_dict(self) -> dict[str, Any]:
        """Totals and sample as JSON shows them."""
        return {**self.totals.as_dict(), "sample": self.sample()}

    def print(self) -> None:
        """Totals and sample for people."""
        from ...core.diffs import Category

        totals = self.totals
        counts = {category.value: totals.categories[category] for category in Category}
        print_facts({name: f"{count:,}".rjust(12) for name, count in {"events": totals.events, **counts}.items()})
        if totals.types:
            names = [name for name, count in counts.items() if count]
            click.echo()
            print_table(
                ["type", *names],
                [{"type": name or "–", **{n: found[n] for n in names}} for name, found in sorted(totals.types.items())],
            )
        for title, groups in (("reasons", totals.reasons), ("changed", totals.fields)):
            rows = [
                {title: group or "–", "what": what, "events": count}
                for group, found in sorted(groups.items())
                for what, count in found.most_common(_PLACES)
            ]
            if rows:
                click.echo()
                print_table([title, "what", "events"], rows)
        if sample := self.sample():
            click.echo()
            print_table(["category", "type", "id", "what", "receipt", "index"], [*map(_line, sample)])
        if totals.out_of_reach:
            click.echo()
            click.echo(told_of_archived(totals.out_of_reach))


def told_of_archived(count: int) -> str:
    """The sentence about archived events that would be lost or changed."""
    return (
        f"{count:,} of the events that would be lost or changed are archived; replacing leaves these as they are. "
        f"What applies the catalog to them: {TO_REACH_THE_ARCHIVE}."
    )


def diff_row(diff: "EventDiff") -> dict[str, Any]:
    """An event as JSON shows it; what it does not have is left out."""
    row: dict[str, Any] = {
        "category": diff.category.value,
        "eventType": diff.type,
        "eventId": diff.id,
        "source": diff.source,
        "receipt": diff.receipt,
        "index": diff.index,
    }
    if diff.archived:
        row["archived"] = True
    if diff.reason is not None:
        row["reason"] = diff.reason
    if diff.violations:
        row["violations"] = [{"pointer": v.pointer, "code": v.code, "message": v.message} for v in diff.violations]
    if diff.changes:
        row["changes"] = [*map(_change, diff.changes)]
    return row


def _change(change: "Difference") -> dict[str, Any]:
    from msgspec import UNSET

    sides = {"from": change.before, "to": change.after}
    return {"pointer": change.pointer, **{name: value for name, value in sides.items() if value is not UNSET}}


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the sample as a table shows it."""
    what = [f"{v['pointer']} {v['message']}".strip() for v in row.get("violations", ())]
    for change in row.get("changes", ()):
        sides = " → ".join(_brief(change[side]) if side in change else "nothing" for side in ("from", "to"))
        what.append(f"{change['pointer']}: {sides}")
    more = f" (and {len(what) - 1} more)" if len(what) > 1 else ""
    return {
        "category": row["category"],
        "type": row["eventType"],
        "id": row["eventId"],
        "what": what[0] + more if what else row.get("reason", ""),
        "receipt": row["receipt"],
        "index": row["index"],
    }


def _brief(value: Any) -> str:
    text = "null" if value is None else f'"{value}"' if isinstance(value, str) else cell(value)
    return printable(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
