from collections import Counter

import attrs
import pytest

from millrace.adapters.faults import Fault

from .aws import AwsWorld
from .sabotage import SABOTAGES
from .schedule import SOUND, Report, Setting, run
from .world import LocalWorld, World

BLOCK = 200
DONE = {
    "generations deleted",
    "jobs proved",
    "receipts taken in",
    "records archived",
    "records restored",
    "views rebuilt",
}
LOCAL = Setting(LocalWorld)
AWS = Setting(AwsWorld)


class ForgetfulWorld(World):
    """In memory, but workers act as they must where the feed forgets."""

    forgets = True


def _whole(reports: list[Report]) -> None:
    broken = [f"python -m tests.simulation 1 --first-seed {r.seed}: {r.broken!r}" for r in reports if r.broken]
    assert not broken, "\n".join(broken)


def _faults(reports: list[Report]) -> Counter[str]:
    return sum((report.faults for report in reports), Counter())


@pytest.mark.parametrize("block", range(2))
def test_the_laws_hold_under_every_schedule(block: int) -> None:
    reports = [run(seed) for seed in range(block * BLOCK, (block + 1) * BLOCK)]
    _whole(reports)
    assert _faults(reports).keys() >= {*map(str, Fault), "killed"}, "not every kind of fault was put in"
    done = sum((report.done for report in reports), Counter[str]())
    assert {what for what, number in done.items() if number >= 5} >= DONE, "some work was hardly ever finished"


def test_the_laws_hold_on_the_local_store_too() -> None:
    _whole([run(seed, LOCAL) for seed in range(1000, 1030)])


def test_the_laws_hold_on_aws_too_while_its_calls_fail() -> None:
    reports = [run(seed, AWS) for seed in range(3000, 3003)]
    _whole(reports)
    assert _faults(reports).keys() >= {"throttled call", "lost call", "timed_out call", "unavailable call"}


def test_the_same_seed_gives_the_same_switches_and_the_same_state() -> None:
    for seed in range(5):
        assert run(seed) == run(seed)


def test_memory_and_local_end_in_the_same_state() -> None:
    compared = 0
    for seed in range(2000, 2012):
        memory, local = run(seed, attrs.evolve(SOUND, world=ForgetfulWorld)), run(seed, LOCAL)
        _whole([memory, local])
        if not memory.done["records archived"]:  # from then on there is less to be read of a feed that forgets
            assert (memory.trace, memory.state) == (local.trace, local.state)
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_simulation_notices(name: str) -> None:
    sabotage = SABOTAGES[name]
    for seed in range(sabotage.schedules):
        broken = run(seed, sabotage.setting).broken
        if broken is not None:
            assert getattr(broken, "law", None) in sabotage.laws, broken
            return
    pytest.fail(f"{name}: nobody noticed in {sabotage.schedules} schedules")
