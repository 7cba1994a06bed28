"""Jobs of the simulation: each with what was there when it was planned, and what must be true once it is proved."""

from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from random import Random

import attrs

from millrace.core.errors import DataQualityError, JobMismatch
from millrace.core.jobs import COUNTS, JobSpec, Shard, Tally
from millrace.core.ports import Stores
from millrace.core.services.jobs import Jobs
from millrace.entrypoints.platform import Platform

from .laws import Broken, receipts_of, require
from .rules import claims


@attrs.define
class Job:
    """A job over the store's own log. ``known`` are the receipts that were there before it was first planned, and that
    it is about: None until then.
    """

    name: str
    spec: JobSpec
    known: frozenset[str] | None = None

    def begin(self, stores: Stores) -> None:
        """Note what is there; to be called before every attempt to plan it."""
        if self.known is None:
            self.known = frozenset(self.meant(stores))

    def meant(self, stores: Stores) -> Iterator[str]:
        """The receipts of the log that the job is about, as the rules see them."""
        types = set(self.spec.types)
        for receipt in receipts_of(stores):
            if not types or types & {claim.type for claim in claims(stores.raw.read(receipt))}:
                yield receipt

    def steps(self, jobs: Jobs, stores: Stores, order: Random) -> Iterator[str]:
        """The steps as an orchestrator has them done, shards in any order and some twice, telling of each."""
        self.begin(stores)
        jobs.plan(self.name, self.spec)
        yield "planned"
        for shard in _shuffled(order, jobs.shards(self.name)):
            jobs.validate(self.name, shard)
            yield "validated"
        with suppress(DataQualityError):
            jobs.gate(self.name)
            yield "passed"
            for shard in _shuffled(order, jobs.shards(self.name)):
                jobs.load(self.name, shard)
                yield "loaded"
            try:
                jobs.reconcile(self.name)
            except JobMismatch:
                # What was taken in since then under an old id may wait in the queue still; nothing else may.
                self.check_proved(stores)
                if len(stores.ledger.entries(meant := [*self.meant(stores)])) == len(meant):
                    raise
            else:
                self.check_proved(stores)
                yield "proved"

    def check_proved(self, stores: Stores) -> None:
        """What a job that was reconciled has proved, at any moment from then on."""
        entries = stores.ledger.entries(sorted(self.known or ()))
        require(2, sorted(set(self.known or ()) - entries.keys()), [], f"receipts of {self.name} without an entry")

    def finish(self, platform: Platform) -> None:
        """Go on until it is over, when nothing else happens any more: it must succeed, unless its gate says why not."""
        stores = platform.stores
        self.begin(stores)
        try:
            for _ in platform.jobs.run(self.name, self.spec):
                pass
        except DataQualityError:
            refused = sum(claim.refused is not None for r in self.meant(stores) for claim in claims(stores.raw.read(r)))
            if not refused or self.spec.allowed_rejections == 1:
                raise Broken(7, f"the gate of {self.name} refuses what nothing is wrong with") from None
            require(2, platform.jobs.summary(self.name), None, f"the summary of {self.name}, which its gate stopped")
            return
        self.check_proved(stores)
        entries = stores.ledger.entries([*self.meant(stores)]).values()
        found = platform.jobs.summary(self.name) or Tally()
        # What was taken in under old ids since it was loaded is the queue's, and no part of the sums.
        if found.receipts < len(self.known or ()) or found.receipts == len(entries):
            sums = {name: sum(getattr(entry, name) for entry in entries) for name in COUNTS[1:]}
            told = {name: getattr(found, name) for name in COUNTS}
            require(2, told, {"receipts": len(entries), **sums}, f"the summary of {self.name}")


def drawn_job(number: int, random: Random) -> Job:
    """A job to be done at some time."""
    types = random.choice([(), (), ("sale",), ("basket", "note")])
    shard, allowed = random.choice([1, 2, 5]), Decimal(random.choice([0, 1, 1, 1]))
    return Job(f"job-{number}", JobSpec(types=types, receipts_per_shard=shard, allowed_rejections=allowed))


def _shuffled(order: Random, shards: list[Shard]) -> list[Shard]:
    again = order.choices(shards, k=order.randint(0, 2)) if shards else []
    return order.sample([*shards, *again], len(shards) + len(again))
