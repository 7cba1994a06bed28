"""gzip content as it comes, in memory of bounded size, up to where it is damaged."""

from collections.abc import Iterable, Iterator
from typing import Any

try:
    from isal import isal_zlib as _zlib  # more than twice as fast, where there is a build of it
except ImportError:
    import zlib as _zlib  # type: ignore[no-redef]

_Damage: Any = _zlib.error
_PIECE = 4096
"""Bytes that are inflated at once, to 4 MiB at most: what they come to is lost where one of them is damaged."""
_MAGIC = b"\x1f\x8b"
_GZIP = 31
"""zlib's word for a gzip header with a window of 32 KiB."""


class Unreadable(Exception):
    """A file's bytes end early; all that came before them were handed out. ``rest`` are those that say nothing."""

    def __init__(self, message: str, rest: bytes | None = None) -> None:
        super().__init__(message)
        self.rest = rest


def inflated(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of gzip bytes of one or several members (RFC 1952), up to a little before they are damaged."""
    member, between = _zlib.decompressobj(_GZIP), True
    begun = False
    for block in blocks:
        for at in range(0, len(block), _PIECE):
            rest = block[at : at + _PIECE]
            while rest:
                if between:
                    rest = rest.lstrip(b"\0") if begun else rest  # padding, as tapes have it
                    if not rest:
                        break
                    member, between, begun = _zlib.decompressobj(_GZIP), False, True
                    if not _MAGIC.startswith(rest[:2]):  # zlib might wait for more of a header
                        raise Unreadable("is damaged: its gzip content does not read on", block[at:])
                try:
                    piece = member.decompress(rest)
                except _Damage:
                    raise Unreadable("is damaged: its gzip content does not read on", block[at:]) from None
                yield piece
                between = member.eof
                rest = member.unused_data
    if not between or not begun:
        yield member.flush()
        raise Unreadable("is cut off: its gzip content ends in the middle", b"")
