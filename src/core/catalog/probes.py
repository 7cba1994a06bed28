"""The type of probes: events that ask whether a platform curates what it is sent, and that mean nothing else.

Every catalog has it without declaring it. A probe takes the way of every event, raw log, ledger and archive included,
so that all that is proved of events holds with probes among them: they neither expire nor are left out of any count.
No view can be over them, since there is no class that an author could name.
"""

from typing import Final

import attrs

from ..schema.shapes import shape_of
from .declarations import EventType

PROBE: Final = "millrace.probe"


@attrs.frozen
class Probe:
    """Asks whether events are curated, and says nothing: its data is dropped."""


def probe_type() -> EventType:
    """The type, as a catalog holds it."""
    place = f"{__file__}: {Probe.__name__}"
    return EventType(PROBE, Probe, shape_of(Probe, place), 1, 1, 1, "time", 1, "drop", place)
