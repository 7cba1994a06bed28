"""Drops that are cut off, and rebuilds, drops and slow projectors in any order: in the end nothing is left over."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.faults import Crash, Fault, Injector, faulty
from millrace.core.errors import TransientError
from millrace.core.services.generations import Generations, Superseded
from millrace.core.services.rebuild import Rebuild, Task

from ..contracts.aws import on_moto
from ..contracts.places import Opener, in_a_folder, in_memory
from .rebuilt import MARGIN, OLD, VIEWS, Late, Stack, count, held, known, rows

Place = Callable[[Path], AbstractContextManager[Opener]]
IN_BATCHES = [Fault.CRASH_DURING, Fault.PARTIAL]
FAULTS = [Fault.CRASH_BEFORE, Fault.CRASH_AFTER, Fault.TIMED_OUT, Fault.THROTTLED, *IN_BATCHES]


@pytest.mark.parametrize(
    ("place", "fault", "together"),
    [
        *((place, fault, 17) for place in (in_memory, in_a_folder) for fault in FAULTS),
        *((on_moto, fault, 1000) for fault in (Fault.CRASH_AFTER, Fault.PARTIAL)),
    ],
)
def test_a_drop_that_is_cut_off_anywhere_is_finished_by_dropping_again(
    place: Place, fault: Fault, together: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millrace.core.services.rebuild.TOGETHER", together)
    number = struck = 0
    while True:
        number += 1
        with place(tmp_path / str(number)) as opener, opener() as stores:
            stack = Stack(stores)
            stack.rebuilt()
            stack.clock.at += MARGIN
            injector = Injector(Random(number), plan={number: fault})
            with suppress(Crash, TransientError):
                Rebuild(faulty(stores, injector), stack.clock, margin=MARGIN).drop(VIEWS)
            struck += injector.counts[fault]
            assert [count(stores, view) for view in VIEWS] == [30, 30]
            if injector.calls < number:
                break
            assert {*stack.rebuild.drop(VIEWS)} <= {*OLD}
            assert stack.rebuild.unswept(VIEWS) is None
            assert [rows(stores, name) for name in OLD] == [0, 0]
            cursors = [stores.views.cursor(name, origin) for name in OLD for origin in stores.feed.origins()]
            assert not any(cursors)
            assert [one.number for view in VIEWS for one in Generations(stores.views).read().of(view)] == [1, 2]
    assert struck == (number - 1) if fault not in IN_BATCHES else struck >= 4


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_comes_between_in_the_end_nothing_is_left_that_nobody_will_delete(data: st.DataObject) -> None:
    """Operators may sleep for as long as they like between two steps; projectors live no longer than the margin."""
    stack = Stack()
    stores, clock = stack.stores, stack.clock
    operators = [(Rebuild(stores, clock, margin=MARGIN), list[Task]()) for _ in range(3)]
    projectors: list[tuple[int, Late]] = []
    kinds = ["begin", "anew", "step", "finish", "drop", "sweep", "time", "projector", "project", "arrive"]
    for kind in data.draw(st.lists(st.sampled_from(kinds), max_size=60)):
        rebuild, tasks = data.draw(st.sampled_from(operators))
        match kind:
            case "begin" | "anew":
                tasks[:] = rebuild.begin(VIEWS, anew=kind == "anew")
            case "step" | "finish" if tasks and not rebuild.wait(tasks):
                with suppress(Superseded):
                    rebuild.step(tasks, 8) if kind == "step" else rebuild.finish(tasks)
            case "drop" | "sweep":
                (rebuild.drop if kind == "drop" else rebuild.sweep)(VIEWS)
            case "time":
                clock.at += data.draw(st.integers(1, 2 * MARGIN))
                projectors = [(born, each) for born, each in projectors if born + MARGIN > clock.at]
            case "projector":
                projectors.append((clock.at, Late(stores)))
            case "project" if projectors:
                data.draw(st.sampled_from(projectors))[1].step(7)
            case "arrive":
                stack.arrive(3)
    clock.at += 2 * MARGIN
    for rebuild, tasks in operators:
        with suppress(Superseded):
            rebuild.step(tasks)
    stack.rebuild.drop(VIEWS)
    clock.at += MARGIN
    stack.rebuild.sweep(VIEWS)
    assert held(stores) <= known(stores)
    assert stack.rebuild.unswept(VIEWS) is None
    stack.rebuilt()
    assert {count(stores, view) for view in VIEWS} == {stack._ids}
