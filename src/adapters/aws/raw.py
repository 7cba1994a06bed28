"""The raw log in S3: ``raw/<last hex digit of the receipt>/<receipt>``, gzip, written only where nothing is.

Sixteen prefixes share the load, since S3 takes some 3,500 writes a second for each; within a prefix the ids of
UUIDv7 sort by time.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from heapq import merge
from itertools import islice, takewhile
from math import isqrt
from typing import Final

import msgspec
from botocore.exceptions import ClientError

from ...core.errors import ReceiptConflict, StoreError, UnknownReceipt
from ...core.records import RawObject, Receipt
from .clients import Clients
from .errors import code_of, translated
from .messages import ascii_json

SHARDS: Final = "0123456789abcdef"
MOST_METADATA: Final = 1800
"""Bytes of a receipt kept in the object's metadata; S3 allows 2,048 for all of it."""
IN_BODY: Final = "in-body"
"""What the metadata says where the receipt is the first gzip member instead, the bytes being the second."""

_GZIP: Final = 31  # zlib's word for a gzip header with a window of 32 KiB
_PAGE: Final = 1000  # the most keys of one listing
_TRIES: Final = 3
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_NOT_PLAIN = re.compile(r"[^!-~]", re.ASCII)
_LAST_MILLISECOND: Final = 253_402_300_799_999
_decode_receipt = msgspec.json.Decoder(Receipt).decode


def key_of(receipt: str) -> str:
    """The key of a receipt's object. Raises ``UnknownReceipt`` for what is no UUIDv7 within the years 1970 to 9999."""
    if not _ID.fullmatch(receipt) or _millisecond(receipt) > _LAST_MILLISECOND:
        raise UnknownReceipt(f"{receipt!r} is no receipt id: those are UUIDs of version 7 in lower case")
    return f"raw/{receipt[-1]}/{receipt}"


class S3Raw:
    """Immutable objects: ``If-None-Match: *`` lets S3 itself refuse a second write, whoever races."""

    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients, self._bucket = clients, bucket
        self._place = f"the raw log in bucket {bucket}"

    def append(self, raw: RawObject) -> None:
        key = key_of(raw.receipt.id)
        body, metadata = _stored(raw)
        for attempt in range(_TRIES):
            with translated(self._place):
                try:
                    self._clients.get("s3").put_object(
                        Bucket=self._bucket,
                        Key=key,
                        Body=body,
                        ContentType="application/gzip",
                        Metadata=metadata,
                        IfNoneMatch="*",
                    )
                except ClientError as error:
                    code = code_of(error)
                    # An earlier try of the same call is still under way: S3 asks to send it again.
                    if code == "ConditionalRequestConflict" and attempt < _TRIES - 1:
                        continue
                    if code != "PreconditionFailed":
                        raise
                    if self.read(raw.receipt.id) != raw:
                        raise ReceiptConflict(f"receipt {raw.receipt.id} is taken by other bytes") from None
            return

    def append_all(self, raws: Sequence[RawObject]) -> None:
        if len(raws) < 2:
            for raw in raws:
                self.append(raw)
            return
        with ThreadPoolExecutor(min(self._clients.parallelism, len(raws))) as pool:
            for _ in pool.map(self.append, raws):  # raises what any of them raised
                pass

    def read(self, receipt: str) -> RawObject:
        key = key_of(receipt)
        with translated(self._place):
            try:
                found = self._clients.get("s3").get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if code_of(error) == "NoSuchKey":
                    raise UnknownReceipt(f"there is no receipt {receipt}") from None
                raise
            stored = found["Body"].read()
        try:
            return _opened(stored, found["Metadata"])
        except (zlib.error, msgspec.MsgspecError, KeyError) as error:
            raise StoreError(f"{self._place} is damaged: {key} is no receipt ({error!r})") from error

    def list(self, *, since: int, until: int, after: str | None, limit: int) -> Sequence[str]:
        """As the port says; one listing for each of the 16 prefixes, in parallel, more only where one runs out."""
        if limit <= 0 or since >= until or until <= 0 or since // 1000 > _LAST_MILLISECOND:
            return []
        # Any text may be given; S3 is told what of it can be told, and no id beyond the text is before that.
        told = _NOT_PLAIN.split(after or "", maxsplit=1)[0][:36]
        start = max(_beginning_at(max(since, 0) // 1000), told)
        # One page of each prefix holds its share of the answer, and some more, since shares differ by chance.
        share = limit // len(SHARDS) + 1
        size = min(share + 4 * isqrt(share), _PAGE)
        with ThreadPoolExecutor(min(self._clients.parallelism, len(SHARDS))) as pool:
            pages = list(pool.map(lambda shard: self._page(shard, start, size), SHARDS))
        merged = merge(*(self._ids(shard, *page, size) for shard, page in zip(SHARDS, pages, strict=True)))
        # Ids sort by time: the first one beyond the range ends the listing.
        in_range = takewhile(lambda receipt: _millisecond(receipt) * 1000 < until, merged)
        return [*islice((receipt for receipt in in_range if receipt > (after or "")), limit)]

    def _page(self, shard: str, start: str, size: int) -> tuple[Sequence[str], bool]:
        """Up to ``size`` keys of a prefix beyond an id or the beginning of one; whether there are more."""
        with translated(self._place):
            answer = self._clients.get("s3").list_objects_v2(
                Bucket=self._bucket, Prefix=f"raw/{shard}/", StartAfter=f"raw/{shard}/{start}", MaxKeys=size
            )
        return [item["Key"] for item in answer.get("Contents", ())], answer.get("IsTruncated", False)

    def _ids(self, shard: str, keys: Sequence[str], more: bool, size: int) -> Iterator[str]:
        """The receipts of a prefix in order: those among the keys, then those of the pages that follow."""
        prefix = f"raw/{shard}/"
        while keys:
            for key in keys:
                receipt = key.removeprefix(prefix)
                # Whatever else somebody put into the bucket is not listed.
                if _ID.fullmatch(receipt) and receipt[-1] == shard:
                    yield receipt
            keys, more = self._page(shard, keys[-1].removeprefix(prefix), size) if more else ((), False)


def _stored(raw: RawObject) -> tuple[bytes, Mapping[str, str]]:
    """The bytes of the object and its metadata. Raises ``PermanentError`` for a receipt that holds no Unicode."""
    receipt = ascii_json(raw.receipt)
    # A header's value must survive every hop: no DEL, no runs of spaces (signatures fold them), nothing that looks
    # like an encoded word of RFC 2047. JSON can escape any character, so the value stays the same JSON.
    header = receipt.replace("\x7f", "\\u007f").replace("  ", "\\u0020\\u0020").replace("=?", "=\\u003f")
    body = _zipped(raw.body)
    if len(header) <= MOST_METADATA:
        return body, {"receipt": header}
    return _zipped(receipt.encode("ascii")) + body, {"receipt": IN_BODY}


def _opened(stored: bytes, metadata: Mapping[str, str]) -> RawObject:
    """What ``_stored`` made. Raises ``zlib.error``, ``msgspec.MsgspecError``, ``KeyError`` for anything else."""
    header = metadata["receipt"].encode()
    if header == IN_BODY.encode():
        header, stored = _unzipped(stored)
    body, rest = _unzipped(stored)
    if rest:
        raise zlib.error(f"{len(rest)} bytes too many")
    return RawObject(_decode_receipt(header), body)


def _zipped(content: bytes) -> bytes:
    # Level 1: a fifth of the CPU of level 6, for objects a tenth larger. The header holds no time: same bytes in,
    # same bytes out.
    compressor = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return compressor.compress(content) + compressor.flush()


def _unzipped(stored: bytes) -> tuple[bytes, bytes]:
    """The content of the first gzip member, whose checksum zlib verifies, and what comes after it."""
    member = zlib.decompressobj(_GZIP)
    content = member.decompress(stored)
    if not member.eof:
        raise zlib.error("it ends too early")
    return content, member.unused_data


def _millisecond(receipt: str) -> int:
    return int(receipt[:8] + receipt[9:13], 16)


def _beginning_at(millisecond: int) -> str:
    """What every id of that millisecond begins with; greater than every id before."""
    digits = f"{millisecond:012x}"
    return f"{digits[:8]}-{digits[8:]}"
