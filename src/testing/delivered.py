"""``Delivered``: a document as it was sent, and what is to become of it."""

import attrs


@attrs.frozen
class Delivered:
    """One event of a history: the bytes of its document, and the reason of the dead letter that it must become.

    None is an event that is in order: it is curated, filtered, or a duplicate.
    """

    document: bytes
    dead: str | None = None
