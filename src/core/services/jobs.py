"""Jobs: the steps of processing many receipts again, each a call that may be repeated.

What a step found out lies in the job's files, so that steps can run in different processes, and those that are done
need not run again: ``plan`` and ``manifest``, ``validated/N`` and ``loaded/N`` of each shard, ``summary``.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from ..decoding.events import NoEvent
from ..errors import DataQualityError, JobMismatch
from ..jobs import COUNTS, JobSpec, Plan, Progress, Shard, Step, Tally
from ..pipeline.pipeline import Pipeline
from ..ports import Clock, Files, Stores
from ..records import LedgerEntry
from .process import Process, require_catalog

PAGE = 1000
MANIFEST = "manifest.json"

_plan = msgspec.json.Decoder(Plan)
_tally = msgspec.json.Decoder(Tally)
_shards = msgspec.json.Decoder(list[Shard])


class Done(NamedTuple):
    """A step of a job is done, or one more of the shards that it is done for."""

    step: Step
    shards: int = 0
    of: int = 0
    detail: str = ""

    @property
    def whole(self) -> bool:
        """Whether the step is done, for every shard where it is one for shards."""
        return self.shards == self.of


class Jobs:
    """The steps of jobs over one platform's stores."""

    def __init__(self, pipeline: Pipeline, process: Process, stores: Stores, clock: Clock) -> None:
        self._pipeline, self._process, self._stores, self._clock = pipeline, process, stores, clock

    @property
    def _files(self) -> Files:
        return self._stores.job_files

    def plan(self, job: str, spec: JobSpec) -> Plan:
        """Cut the receipts into shards. A job that was planned before keeps its plan."""
        if (planned := self._files.read(job, "plan.json")) is not None:
            return _plan.decode(planned)
        # Encoded one by one: what is held of a million receipts is some hundred kilobytes of text.
        manifest, shards, receipts = bytearray(b"["), 0, 0
        for shard in self._cut(spec):
            manifest += (b",\n" if shards else b"") + msgspec.json.encode(shard)
            shards, receipts = shards + 1, receipts + shard.receipts
        plan = Plan(spec=spec, shards=shards, receipts=receipts)
        self._files.write(job, MANIFEST, bytes(manifest + b"]"))
        self._files.write(job, "plan.json", msgspec.json.encode(plan))  # last: who finds it finds the manifest
        return plan

    def shards(self, job: str) -> list[Shard]:
        """The shards that were planned."""
        manifest = self._files.read(job, MANIFEST)
        return [] if manifest is None else _shards.decode(manifest)

    def validate(self, job: str, shard: Shard) -> Tally:
        """What would be rejected of a shard. Asks no store and writes none."""
        return self._once(job, f"validated/{shard.shard:06}.json", lambda: self._validated(job, shard))

    def gate(self, job: str) -> Tally:
        """The whole job's validation. Raises ``DataQualityError`` where more is rejected than the job allows."""
        spec, total = self._spec(job), self._total(job, "validated/")
        if total.events and Decimal(total.dead_lettered) > spec.allowed_rejections * total.events:
            reasons = ", ".join(f"{reason} {count}" for reason, count in total.dead_letters.items())
            raise DataQualityError(
                f"{total.dead_lettered} of {total.events} events would be rejected ({reasons}); "
                f"the job allows a share of {spec.allowed_rejections}."
            )
        return total

    def load(self, job: str, shard: Shard) -> Tally:
        """Process the receipts of a shard."""
        return self._once(job, f"loaded/{shard.shard:06}.json", lambda: self._loaded(job, shard))

    def reconcile(self, job: str) -> Tally:
        """The job's totals, proved: every shard was loaded, every receipt has a ledger entry, every entry adds up.

        Raises ``JobMismatch`` naming what does not.
        """
        self._spec(job)  # of a job that was never planned, nothing would be missing
        shards, loaded = self.shards(job), self._files.names(job, "loaded/")
        if missing := len(shards) - len(loaded):
            raise JobMismatch(f"{missing} of {len(shards)} shards were not loaded.")
        total = self._total(job, "loaded/")
        off, ledger = 0, Tally()
        for shard in shards:
            entries = [*self._entries(job, shard)]
            off += sum(not entry.balanced for entry in entries)
            ledger = Tally.total([ledger, _tally_of(entries)])
        if not total.balanced or off or ledger.events < total.events:
            raise JobMismatch(f"The job counted {total.events} events, the ledger {ledger.events}, or an entry is off.")
        self._files.write(job, "summary.json", msgspec.json.encode(total))
        return total

    def summary(self, job: str) -> Tally | None:
        """What ``reconcile`` proved; None before."""
        body = self._files.read(job, "summary.json")
        return None if body is None else _tally.decode(body)

    def progress(self, job: str) -> Progress:
        """How far it has come, as its files tell, to any process that can read them."""
        planned = self._files.read(job, "plan.json")
        if planned is None:
            return Progress()
        plan = _plan.decode(planned)
        validated, loaded = (len(self._files.names(job, f"{done}/")) for done in ("validated", "loaded"))
        return Progress(receipts=plan.receipts, shards=plan.shards, validated=validated, loaded=loaded)

    def run(self, job: str, spec: JobSpec) -> Iterator[Done]:
        """All steps in order, in this process, telling after each and after each shard. What was done is not done
        again. Whoever stops asking stops the job.
        """
        plan = self.plan(job, spec)
        yield Done(Step.PLAN, detail=f"{plan.receipts} receipts in {plan.shards} shards")
        yield from self._for_shards(job, Step.VALIDATE, self.validate)
        checked = self.gate(job)
        yield Done(Step.GATE, detail=f"{checked.dead_lettered} of {checked.events} events would be rejected")
        yield from self._for_shards(job, Step.LOAD, self.load)
        total = self.reconcile(job)
        yield Done(Step.RECONCILE, detail=f"{total.events} events")

    # ------------------------------------------------------------------------------------------------------------ parts

    def _for_shards(self, job: str, step: Step, work: Callable[[str, Shard], Tally]) -> Iterator[Done]:
        shards = self.shards(job)
        for number, shard in enumerate(shards, 1):
            work(job, shard)
            yield Done(step, number, len(shards))
        if not shards:
            yield Done(step)

    def _cut(self, spec: JobSpec) -> Iterator[Shard]:
        number, before, last, count = 0, None, "", 0
        for receipt in self._receipts(spec, None):
            last, count = receipt, count + 1
            if count == spec.receipts_per_shard:
                yield Shard(shard=number, after=before, last=last, receipts=count)
                number, before, count = number + 1, last, 0
        if count:
            yield Shard(shard=number, after=before, last=last, receipts=count)

    def _receipts(self, spec: JobSpec, after: str | None) -> Iterator[str]:
        while page := self._stores.raw.list(since=spec.since, until=spec.until, after=after, limit=PAGE):
            yield from page
            after = page[-1]

    def _receipts_of(self, job: str, shard: Shard) -> Iterator[str]:
        spec = self._spec(job)
        for receipt in self._receipts(spec, shard.after):
            if receipt > shard.last:
                return
            if not spec.types or self._holds(receipt, spec.types):
                yield receipt

    def _holds(self, receipt: str, types: Collection[str]) -> bool:
        """Whether one of the receipt's events is of one of these types."""
        raw = self._stores.raw.read(receipt)
        decoder = self._pipeline.decoder
        for index, document in enumerate(decoder.documents(raw)):
            try:
                if decoder.read(raw, index, document).type in types:
                    return True
            except NoEvent:
                continue
        return False

    def _validated(self, job: str, shard: Shard) -> Tally:
        return Tally.total(self._check(receipt) for receipt in self._receipts_of(job, shard))

    def _check(self, receipt: str) -> Tally:
        raw = self._stores.raw.read(receipt)
        require_catalog(raw.receipt, self._pipeline.catalog.name)
        batch = self._pipeline.run(raw, self._clock.now())
        reasons: dict[str, int] = {}
        for letter in batch.letters:
            reasons[letter.reason] = reasons.get(letter.reason, 0) + 1
        return Tally(
            receipts=1,
            events=batch.events,
            filtered=batch.filtered,
            dead_lettered=len(batch.letters),
            dead_letters=reasons,
        )

    def _loaded(self, job: str, shard: Shard) -> Tally:
        return _tally_of(self._process.receipt(receipt) for receipt in self._receipts_of(job, shard))

    def _entries(self, job: str, shard: Shard) -> Iterator[LedgerEntry]:
        receipts = [*self._receipts_of(job, shard)]
        found = self._stores.ledger.entries(receipts)
        if gone := [receipt for receipt in receipts if receipt not in found]:
            raise JobMismatch(f"{len(gone)} receipts have no ledger entry, the first is {gone[0]}.")
        yield from found.values()

    def _once(self, job: str, name: str, work: Callable[[], Tally]) -> Tally:
        if (done := self._files.read(job, name)) is not None:
            return _tally.decode(done)
        tally = work()
        self._files.write(job, name, msgspec.json.encode(tally))
        return tally

    def _total(self, job: str, prefix: str) -> Tally:
        bodies = (self._files.read(job, name) for name in self._files.names(job, prefix))
        return Tally.total(_tally.decode(body) for body in bodies if body is not None)

    def _spec(self, job: str) -> JobSpec:
        planned = self._files.read(job, "plan.json")
        if planned is None:
            raise JobMismatch(f"Job {job} was not planned.")
        return _plan.decode(planned).spec


def _tally_of(entries: Iterable[LedgerEntry]) -> Tally:
    return Tally.total(
        Tally(receipts=1, **{name: getattr(entry, name) for name in COUNTS[1:]}, dead_letters=entry.dead_letters)
        for entry in entries
    )
