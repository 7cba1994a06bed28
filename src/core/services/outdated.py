"""Outdated: which views were built before stored events of their type were replaced, and so need a rebuild.

A note for each type, among the files of jobs, says which generation of views was the last one given when something of
the type was about to be replaced. It is durable before the replacing is, and it stays: who is asked later, or after a
crash, knows as much. A generation with a greater number was begun after that.
"""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from ..ports import Stores
from ..views.view import View
from .generations import Generations

FOLDER = "replaced.types"
"""No job can have this name."""


class _Note(msgspec.Struct, frozen=True):
    type: str
    generation: int


_decode = msgspec.json.Decoder(_Note).decode


class Outdated:
    """Writes and reads the notes of a platform's stores."""

    def __init__(self, stores: Stores) -> None:
        self._files, self._generations = stores.job_files, Generations(stores.views)

    def note(self, types: Iterable[str]) -> None:
        """Views over these types are outdated from now on, as far as there are any."""
        last = self._generations.read().last
        for name in types:
            if last > self._noted(name):
                self._files.write(FOLDER, _name_of(name), msgspec.json.encode(_Note(name, last)))

    def of(self, views: Iterable[View]) -> list[View]:
        """Those of the views whose readers see a generation that is outdated."""
        registry = self._generations.read()
        return [view for view in views if registry.current(view).number <= self._noted(view.over)]

    def _noted(self, event_type: str) -> int:
        """The last generation that is outdated; below all of them where nothing was replaced."""
        body = self._files.read(FOLDER, _name_of(event_type))
        return -1 if body is None else _decode(body).generation


def _name_of(event_type: str) -> str:
    return f"{sha256(event_type.encode()).hexdigest()[:32]}.json"
