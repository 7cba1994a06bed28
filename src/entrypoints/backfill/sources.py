"""What a backfill reads: which files or objects a source names, and which of their chunks are done."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256

import msgspec

from ...core.errors import StoreError
from ...core.ports import Files
from ...core.services.ingest import Reserved
from ..files import Input, find_inputs, kind_of

S3 = "s3://"
_STORES = ("file:", "aws:", "memory:")


def is_store(source: str) -> bool:
    """Whether it is the URL of a store, not a path or a prefix of objects."""
    return source.startswith(_STORES)


@contextmanager
def open_inputs(source: str) -> Iterator[Iterator[Input]]:
    """The files that a path names, or the objects below an s3:// prefix, in order.

    Raises ``InputError`` and ``StoreError``. What is no JSON by its name is passed over.
    """
    if not source.startswith(S3):
        yield iter(find_inputs([source]))
        return
    try:
        from ...adapters.aws.clients import Clients
        from ...adapters.aws.foreign import Archive
    except ModuleNotFoundError as error:
        if error.name != "botocore":
            raise
        raise StoreError("archives on S3 need the extra aws: pip install 'millrace[aws]'") from None
    clients = Clients()
    archive = Archive(clients)

    def inputs() -> Iterator[Input]:
        for found in archive.objects(source):
            if (kind := kind_of(found.key)) is not None:
                lines, gzip = kind
                yield Input(
                    found.url, found.url, lines, gzip, found.size, partial(archive.opened, found), found.version
                )

    try:
        yield inputs()
    finally:
        clients.close()


class Mark(msgspec.Struct, frozen=True):
    """How far an input was taken in: so many of its chunks, or all of it; and what the receipt of the next chunk is to
    be called, which may be there already. Of another version of the input it says nothing.
    """

    name: str
    version: str
    chunks: int = 0
    whole: bool = False
    reserved: Reserved | None = None


class Marks:
    """The marks of one backfill among a store's job files. Losing one only means that chunks are taken in again."""

    def __init__(self, files: Files, *asked: str) -> None:
        """``asked`` is all that the outcome depends on."""
        self._files = files
        self.folder = f"backfill-{sha256(msgspec.json.encode(asked)).hexdigest()[:16]}"

    def of(self, source: Input) -> Mark:
        """How far an input was taken in before."""
        body = self._files.read(self.folder, self._name(source)) if source.version else None
        found = None if body is None else msgspec.json.decode(body, type=Mark)
        return found if found is not None and found.version == source.version else Mark(source.name, source.version)

    def set(self, source: Input, chunks: int, *, whole: bool = False, reserved: Reserved | None = None) -> None:
        """Note it."""
        if source.version:  # standard input has none: nobody can tell whether it is the same again
            mark = Mark(source.name, source.version, chunks, whole, reserved)
            self._files.write(self.folder, self._name(source), msgspec.json.encode(mark))

    @staticmethod
    def _name(source: Input) -> str:
        return f"{sha256(source.name.encode()).hexdigest()[:32]}.json"
