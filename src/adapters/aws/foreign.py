"""Foreign archives: the objects below an ``s3://`` prefix, listed and read as streams."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from ...core.errors import StoreError, TransientError
from .clients import Clients
from .errors import translated

SCHEME: Final = "s3://"
TRIES: Final = 5
"""How often in a row the rest of an object is asked for where a connection breaks before a byte of it came."""


class Object(NamedTuple):
    """An object as a listing tells of it; ``version`` is its ETag, ``key`` its name in the bucket."""

    bucket: str
    key: str
    size: int
    version: str

    @property
    def url(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"


class Archive:
    """Objects of buckets that are not the platform's own. Only reads them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def objects(self, url: str) -> Iterator[Object]:
        """Those below ``s3://BUCKET/PREFIX``, in order of key, page by page. Raises ``StoreError``."""
        bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
        while True:
            with translated(f"{SCHEME}{bucket}/{prefix}"):
                page = self._clients.get("s3").list_objects_v2(**asked)
            for found in page.get("Contents", ()):
                yield Object(bucket, found["Key"], found["Size"], found["ETag"])
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    @contextmanager
    def opened(self, found: Object) -> Iterator["Stream"]:
        """The object's bytes as they were when it was listed."""
        stream = Stream(self._clients, found)
        try:
            yield stream
        finally:
            stream.close()


class Stream:
    """The bytes of one object. Where a connection breaks it goes on at that byte with another one."""

    def __init__(self, clients: Clients, found: Object) -> None:
        self._clients, self._object = clients, found
        self._at = 0
        self._body: Any = None

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, none at the end. Raises ``TransientError``; ``StoreError`` where the object changed
        or went away since it was listed.
        """
        if self._at >= self._object.size:
            return b""
        failed: TransientError | None = None
        for _ in range(TRIES):
            try:
                with translated(self._object.url):
                    if self._body is None:
                        self._body = self._ask()
                    piece: bytes = self._body.read(size)
            except TransientError as error:
                failed = error
                self.close()
                continue
            if piece:
                self._at += len(piece)
                return piece
            self.close()  # it ended early; the rest is asked for
        raise failed or TransientError(f"{self._object.url} failed for the moment: its bytes end early")

    def close(self) -> None:
        """Let the connection go."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _ask(self) -> Any:
        client = self._clients.get("s3")
        asked = {"Bucket": self._object.bucket, "Key": self._object.key, "IfMatch": self._object.version}
        if self._at:
            asked["Range"] = f"bytes={self._at}-"
        try:
            return client.get_object(**asked)["Body"]
        except client.exceptions.ClientError as error:
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (404, 412):
                raise StoreError(f"{self._object.url} is another one than was listed; run it again") from error
            raise
