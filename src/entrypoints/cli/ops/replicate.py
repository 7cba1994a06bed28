"""``millrace ops replicate``: the raw log in a second bucket, copied and verified."""

from typing import TYPE_CHECKING

import click

from ..exits import Fault, warn
from ..options import Span, as_json, in_a_span
from .options import changing, on_a_stack
from .output import show
from .progress import counting

if TYPE_CHECKING:
    from ...ops.replication import Copied
    from ...ops.stack import Stack


@click.command
@click.option("--to", "target", metavar="BUCKET", help="The second bucket.  [default: that of the stack's replication]")
@click.option("--from", "source", metavar="BUCKET", help="Copy back from this bucket what the raw log lacks.")
@click.option("--fill", is_flag=True, help="Copy also to the bucket that S3 replicates to: what is older than that.")
@in_a_span
@changing
@as_json
@on_a_stack
def replicate(
    *,
    target: str | None,
    source: str | None,
    fill: bool,
    span: Span,
    dry_run: bool,
    yes: bool,
    form: str | None,
    stack: "Stack",
) -> int:
    """Copy the raw log to a second bucket, or back, and verify the copy by count, size and checksum.

    Nothing is ever overwritten, and what is there already is only compared: a copy that was interrupted goes on. Where
    S3 itself replicates the raw log to the bucket, this only verifies; receipts of the last 15 minutes may be under
    way. Exits with 1 where something is missing or differs.

    \b
    Examples:
      millrace ops replicate --store aws:millrace
      millrace ops replicate --to millrace-backup --store aws:millrace
      millrace ops replicate --from millrace-backup --dry-run --store aws:millrace
    """
    from ....core.identity import EARLIEST, LATEST
    from ...ops import replication

    if target is not None and source is not None:
        raise click.UsageError("--to and --from exclude each other.")
    raw = stack.outputs["RawBucket"]
    replicated = replication.replicated_to(stack) if source is None else None
    if source is None and (target := target or replicated) is None:
        raise Fault("S3 does not replicate the raw log; name a bucket to copy it to: --to BUCKET")
    by_s3 = target is not None and target == replicated
    copies = fill or not by_s3
    since, until = replication.bounds(
        None if span.since == EARLIEST else span.since, None if span.until > LATEST else span.until
    )
    first, second = (source, raw) if source is not None else (raw, str(target))

    def run(*, copy: bool) -> "Copied":
        with counting("objects") as told:
            return replication.replicate(
                stack, first, second, copy=copy, since=since, until=until, replicates=by_s3, told=told
            )

    if copies and yes and not dry_run:
        return show([run(copy=True).report()], form)
    found = run(copy=False)
    lacking = found.missing + found.young
    if copies and lacking and not dry_run:
        click.confirm(f"Copy {lacking:,} objects from {first} to {second}?", abort=True, err=True)
        found = run(copy=True)
    elif copies and lacking:
        warn(f"{lacking:,} objects would be copied")
    return show([found.report()], form)
