"""The raw log in a second bucket: copied there or back, and verified by count, size and checksum.

Both buckets are listed prefix by prefix in the order of keys and compared while they are read, so that it does not
matter how long the log is. What is missing is copied by S3 itself, only where nothing is: an interrupted copy goes on,
and two at once do the same twice, which changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from operator import attrgetter
from typing import Any, Final

import attrs

from ...adapters.aws.account import Refused
from ...adapters.aws.raw import SHARDS
from ...core.errors import StoreError
from ...core.identity import LATEST
from ...core.times import to_micros
from .findings import Report
from .pairs import paired
from .stack import Stack

AT_ONCE: Final = 500
"""Objects that are copied before the listing goes on."""
REPLICATES_WITHIN: Final = 15 * 60_000_000
"""Microseconds; S3 replicates most objects within 15 minutes (S3 user guide, "Replication Time Control")."""
CHECKSUMS: Final = ("ChecksumCRC64NVME", "ChecksumSHA256", "ChecksumSHA1", "ChecksumCRC32C", "ChecksumCRC32")

Told = Callable[[int], None]
"""Is told how many objects more were looked at."""


@attrs.frozen
class Stored:
    """An object as a listing has it."""

    key: str
    size: int
    etag: str
    modified_at: int


@attrs.define
class Copied:
    """What a comparison of two buckets came to, and what was copied. ``young`` are missing and younger than what
    replication may take; ``further`` are in the second bucket only.
    """

    source: str
    target: str
    objects: int = 0
    bytes: int = 0
    same: int = 0
    copied: int = 0
    missing: int = 0
    young: int = 0
    further: int = 0
    different: list[str] = attrs.field(factory=list)

    @property
    def wrong(self) -> list[str]:
        """What somebody should see to."""
        found = []
        if self.missing:
            found.append(f"{self.target} lacks {self.missing:,} of {self.objects:,} objects of {self.source}")
        if self.different:
            first = self.different[0]
            found.append(f"{len(self.different):,} objects differ between {self.source} and {self.target}: {first}")
        return found

    def report(self) -> Report:
        """As a table of one row."""
        names = ("source", "target", "objects", "bytes", "same", "copied", "missing", "young", "further")
        row = {name: getattr(self, name) for name in names}
        return Report("Raw log", (*names, "different"), [{**row, "different": len(self.different)}], self.wrong)


def replicated_to(stack: Stack) -> str | None:
    """The bucket that S3 itself replicates the raw log to; None where it does not."""
    try:
        answer = stack.ask("s3", "get_bucket_replication", Bucket=stack.outputs["RawBucket"])
    except Refused as refused:
        if refused.code != "ReplicationConfigurationNotFoundError":
            raise
        return None
    rules = answer["ReplicationConfiguration"]["Rules"]
    for rule in rules:
        if rule.get("Status") == "Enabled":
            return str(rule["Destination"]["Bucket"]).rpartition(":")[2]
    return None


def replicate(
    stack: Stack,
    source: str,
    target: str,
    *,
    copy: bool,
    since: str = "",
    until: str = "",
    replicates: bool = False,
    told: Told = lambda _: None,
) -> Copied:
    """Compare the raw logs in two buckets, and with ``copy`` copy what the second one lacks; say what was found.

    ``since`` and ``until`` are beginnings of receipts' ids as ``bounds`` makes them: from the first to before the
    second; "" is no bound. ``replicates``: S3 does the same by itself, which takes its time. Nothing is ever
    overwritten. Raises ``StoreError`` where both are one bucket, or there is none.
    """
    if source == target:
        raise StoreError(f"{source} cannot be copied to itself")
    found = Copied(source, target)
    oldest = stack.clock.now() - REPLICATES_WITHIN if replicates else LATEST
    with ThreadPoolExecutor(stack.account.clients.parallelism) as pool:
        for shard in SHARDS:
            prefix = f"raw/{shard}/"
            ones, others = (_listed(stack, bucket, prefix, since, until) for bucket in (source, target))
            pairs = paired(ones, others, attrgetter("key"))
            while block := list(islice(pairs, AT_ONCE)):
                for outcome in pool.map(lambda pair: _judged(stack, source, target, pair, copy, oldest), block):
                    outcome(found)
                told(len(block))
    return found


# ------------------------------------------------------------------------------------------------------------- parts

Outcome = Callable[[Copied], None]


def _judged(
    stack: Stack, source: str, target: str, pair: tuple[Stored | None, Stored | None], copy: bool, oldest: int
) -> Outcome:
    """What a pair adds to what was found. A missing object is copied here, and its copy looked at."""
    one, other = pair
    if one is None:
        return _adding(further=1)
    copied = 0
    if other is None:
        if not copy:
            young = one.modified_at > oldest
            return _adding(objects=1, bytes=one.size, missing=int(not young), young=int(young))
        if not _copy(stack, source, target, one):
            return _adding()  # it was deleted since it was listed
        found = _head(stack, target, one.key)
        other, copied = attrs.evolve(one, size=int(found["ContentLength"]), etag=str(found["ETag"])), 1
    same = _is_same(stack, source, target, one, other)
    return _adding("" if same else one.key, objects=1, bytes=one.size, copied=copied, same=int(same))


def _adding(different: str = "", **counts: int) -> Outcome:
    def add(found: Copied) -> None:
        for name, count in counts.items():
            setattr(found, name, getattr(found, name) + count)
        if different:
            found.different.append(different)

    return add


def _copy(stack: Stack, source: str, target: str, one: Stored) -> bool:
    """Copy an object with its metadata where nothing is; False where it is gone from the source."""
    try:
        stack.ask(
            "s3",
            "copy_object",
            Bucket=target,
            Key=one.key,
            CopySource={"Bucket": source, "Key": one.key},
            CopySourceIfMatch=one.etag,
            IfNoneMatch="*",
        )
    except Refused as refused:
        if refused.code == "NoSuchKey":
            return False
        if refused.code != "PreconditionFailed":  # somebody else has just copied it: it is compared as it is
            raise
    return True


def _is_same(stack: Stack, source: str, target: str, one: Stored, other: Stored) -> bool:
    """Whether two objects have the same bytes: the same size, and equal ETags where both are hashes of the bytes
    alone, else equal checksums of a kind that both have, else the bytes themselves.
    """
    if one.size != other.size:
        return False
    if one.etag == other.etag:
        return True
    first, second = (_head(stack, bucket, one.key) for bucket in (source, target))
    for name in CHECKSUMS:
        ours, theirs = first.get(name), second.get(name)
        # A checksum of parts depends on how it was uploaded; it says so with a dash.
        if ours and theirs and "-" not in ours + theirs:
            return bool(ours == theirs)
    return _hash(stack, source, one.key) == _hash(stack, target, one.key)


def _head(stack: Stack, bucket: str, key: str) -> Mapping[str, Any]:
    return stack.ask("s3", "head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED")


def _hash(stack: Stack, bucket: str, key: str) -> str:
    body = stack.ask("s3", "get_object", Bucket=bucket, Key=key)["Body"]
    return hashlib.sha256(body.read()).hexdigest()


def _listed(stack: Stack, bucket: str, prefix: str, since: str, until: str) -> Iterator[Stored]:
    """The objects of a prefix in order, from one id to before another."""
    start: Mapping[str, str] = {"StartAfter": prefix + since} if since else {}
    pages = stack.account.pages("s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix, **start)
    for item in pages:
        if until and item["Key"] >= prefix + until:
            return
        yield Stored(item["Key"], int(item["Size"]), str(item["ETag"]), to_micros(item["LastModified"]))


def bounds(since: int | None, until: int | None) -> Sequence[str]:
    """The beginnings of the ids of receipts received from one instant, in microseconds, and from another; "" for None.

    Ids tell milliseconds: all of every millisecond that overlaps the range are within.
    """
    first = "" if since is None else _beginning(max(since, 0) // 1000)
    return first, "" if until is None else _beginning(-(-max(until, 0) // 1000))


def _beginning(millisecond: int) -> str:
    digits = f"{millisecond:012x}"
    return f"{digits[:8]}-{digits[8:]}"
