"""``ConsoleSite``: what the console is answered from, and what it may set off."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..site import Site

if TYPE_CHECKING:
    from ....core.redriving import Choice


class ConsoleSite(Site, Protocol):
    """A site that can redrive, wherever its dead letters are written."""

    @property
    def redrive(self) -> "Callable[[Choice, bool], dict[str, Any]]":
        """Redrives what is chosen, or tells what would become of it (``True``: a dry run), and answers as
        ``entrypoints.redriving.redrive`` does.
        """
        ...
