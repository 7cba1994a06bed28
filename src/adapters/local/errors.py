"""The one place where errors of SQLite and the file system become Millrace's two branches."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...core.errors import MillraceError, StoreError, TransientError

_PASSING_SQLITE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
}
_LASTING_SQLITE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the database is damaged or no database at all",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
    sqlite3.SQLITE_READONLY: "it is open for reading only",
    sqlite3.SQLITE_PERM: "permission to the database is denied",
}
_PASSING_OS = {
    errno.EINTR,
    errno.EAGAIN,
    errno.EBUSY,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
    errno.ETIMEDOUT,
}
_LASTING_OS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file may not grow any larger",
    errno.EACCES: "permission is denied",
    errno.EPERM: "the operation is not permitted on this file system",
    errno.EOPNOTSUPP: "the file system does not support the operation",
    errno.EROFS: "the file system is read-only",
    errno.ENOTDIR: "a part of the path is no folder",
    errno.EEXIST: "a file is in the way",
    errno.ENAMETOOLONG: "the path is too long",
}


def translate(error: Exception, place: Path) -> MillraceError | None:
    """The error as one of the two branches, or None where it is not known to be either."""
    if isinstance(error, sqlite3.Error):
        # Errors of the module itself (misuse, a closed connection) carry no code.
        code = getattr(error, "sqlite_errorcode", -1) & 0xFF
        passing, sentence = code in _PASSING_SQLITE, _LASTING_SQLITE.get(code)
    elif isinstance(error, OSError):
        passing, sentence = error.errno in _PASSING_OS, _LASTING_OS.get(error.errno or 0)
    else:
        return None
    if passing:
        return TransientError(f"the store at {place} failed for the moment: {error}")
    return StoreError(f"the store at {place} cannot be used: {sentence} ({error})") if sentence else None


@contextmanager
def translated(place: Path) -> Iterator[None]:
    """Raise known errors of the block as Millrace's; unknown ones pass through unchanged."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        known = translate(error, place)
        if known is None:
            raise
        raise known from error
