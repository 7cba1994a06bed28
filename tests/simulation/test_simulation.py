from collections import Counter

import pytest

from millrace.adapters.faults import Fault

from .aws import AwsWorld
from .sabotage import SABOTAGES
from .schedule import Report, run
from .world import LocalWorld

BLOCK = 100


def _whole(reports: list[Report]) -> None:
    broken = [f"python -m tests.simulation 1 --first-seed {r.seed}: {r.broken!r}" for r in reports if r.broken]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("block", range(6))
def test_the_laws_hold_under_every_schedule(block: int) -> None:
    reports = [run(seed) for seed in range(block * BLOCK, (block + 1) * BLOCK)]
    _whole(reports)
    faults = sum((report.faults for report in reports), Counter[str]())
    assert faults.keys() >= {*map(str, Fault), "killed"}, "not every kind of fault was put in"
    assert sum(report.rebuilds for report in reports) >= 10, "hardly any view was rebuilt"


@pytest.mark.parametrize("block", range(2))
def test_the_laws_hold_on_the_local_store_too(block: int) -> None:
    _whole([run(seed, LocalWorld) for seed in range(1000 + block * 20, 1000 + (block + 1) * 20)])


@pytest.mark.parametrize("block", range(2))
def test_the_laws_hold_on_aws_too_while_its_calls_fail(block: int) -> None:
    reports = [run(seed, AwsWorld) for seed in range(3000 + block * 4, 3000 + (block + 1) * 4)]
    _whole(reports)
    faults = sum((report.faults for report in reports), Counter[str]())
    assert faults.keys() >= {"throttled call", "lost call", "timed_out call", "unavailable call"}


def test_the_same_seed_gives_the_same_switches_and_the_same_state() -> None:
    for seed in range(10):
        assert run(seed) == run(seed)


def test_memory_and_local_end_in_the_same_state() -> None:
    for seed in range(2000, 2010):
        memory, local = run(seed), run(seed, LocalWorld)
        _whole([memory, local])
        assert (memory.trace, memory.state) == (local.trace, local.state)


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_simulation_notices(name: str) -> None:
    sabotage = SABOTAGES[name]
    for seed in range(sabotage.schedules):
        broken = run(seed, sabotage.world, sabotage.assemble, sabotage.margin).broken
        if broken is not None:
            assert getattr(broken, "law", None) in sabotage.laws, broken
            return
    pytest.fail(f"{name}: nobody noticed in {sabotage.schedules} schedules")
