"""The contract of ``CuratedStore`` where history is gone over: find, marked, replace, delete."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millrace.core.comparison import alike
from millrace.core.identity import EARLIEST, LATEST, content_hash, record_key
from millrace.core.ports import Stores
from millrace.core.records import Curated, Lineage

from .builders import NOON, bare, curated, marker, origin_of, receipt_id, typed
from .strategies import fields
from .test_curated_store import everything

OTHER = receipt_id(NOON + 1000)
NOT_MINE: list[dict[str, Any]] = [{"receipt": OTHER}, {"index": 1}]
ELSEWHERE: list[dict[str, Any]] = [{"type": "refund"}, {"time": NOON + 1}, {"source": "till"}, {"part": 1}]


def stored(stores: Stores, event_type: str = "purchase") -> list[Curated]:
    found = stores.curated.query(event_type, since=EARLIEST, until=LATEST + 1, after=None, limit=10**6)
    return [bare(record) for record in found]


def found(stores: Stores, *records: Curated) -> list[Curated | None]:
    return [None if record is None else bare(record) for record in stores.curated.find(records)]


# ----------------------------------------------------------------------------------------------------------------- find
def test_find_answers_with_what_is_stored_at_each_key_in_order(stores: Stores) -> None:
    records = [curated(f"e-{n}", index=n, time=NOON + n % 3) for n in range(0, 230, 2)]
    stores.curated.insert(records)
    asked = [curated(f"e-{n}", receipt=OTHER, time=NOON + n % 3, fields={}) for n in range(230)]
    expected: list[Curated | None] = [None] * 230
    expected[::2] = map(bare, records)
    assert found(stores, *asked) == expected


@pytest.mark.parametrize("other", [*ELSEWHERE, {"event_id": "A"}])
def test_find_looks_at_type_time_source_id_and_part(stores: Stores, other: dict[str, Any]) -> None:
    first, second = curated("a"), curated(**{"event_id": "a", "index": 3, **other})
    stores.curated.insert([first])
    assert found(stores, second) == [None]
    stores.curated.insert([second])
    assert found(stores, second, first, second) == [bare(second), bare(first), bare(second)]


def test_find_of_nothing_and_in_an_empty_store(stores: Stores) -> None:
    assert found(stores) == []
    assert found(stores, curated("a"), curated("a")) == [None, None]
    assert stores.curated.count() == 0


def test_marked_answers_with_the_markers_that_are_there_and_writes_none(stores: Stores) -> None:
    stores.curated.mark([marker(f"e-{n}") for n in range(0, 230, 2)])
    asked = [marker(f"e-{n}", receipt=OTHER, time=NOON + 1, type="refund") for n in range(230)]
    for _ in range(2):
        answers = stores.curated.marked([*asked, marker("e-0", source="till"), asked[0]])
        assert list(answers) == [*[None if n % 2 else marker(f"e-{n}") for n in range(230)], None, marker("e-0")]
    assert list(stores.curated.marked([])) == []


# -------------------------------------------------------------------------------------------------------------- replace
def test_replace_writes_over_its_own_record_and_keeps_when_it_was_curated(stores: Stores) -> None:
    stores.curated.insert([curated("a"), curated("b")])
    after = curated("a", version=3, subject="s", fields={"order": "a", "new": [Decimal("1.50")]}, curated_at=NOON + 99)
    assert list(stores.curated.replace([after])) == [True]
    kept = msgspec.structs.replace(bare(after), curated_at=NOON + 1)
    assert found(stores, curated("a"), curated("b")) == [kept, bare(curated("b"))]
    assert sorted(stored(stores), key=lambda record: record.id) == [kept, bare(curated("b"))]
    assert stores.curated.count() == 2


def test_replace_of_what_does_not_differ_writes_nothing(stores: Stores) -> None:
    values = {"amount": Decimal("1.50"), "items": [{"n": 1}], "none": None}
    stores.curated.insert([curated("a", fields=values)])
    same = {"none": None, "items": [{"n": 1}], "amount": Decimal("1.5")}
    assert list(stores.curated.replace([curated("a", fields=same, curated_at=0)])) == [False]


@pytest.mark.parametrize("other", [12, Decimal("12.1"), "12", True, None, [Decimal(12)], {}])
def test_replace_tells_values_apart_by_type(stores: Stores, other: Any) -> None:
    stores.curated.insert([curated("a", fields={"n": Decimal(12)})])
    assert list(stores.curated.replace([curated("a", fields={"n": other})])) == [True]
    assert typed(stored(stores)[0].fields) == typed({"n": other})


@pytest.mark.parametrize("other", [*NOT_MINE, *ELSEWHERE, {"event_id": "b"}])
def test_replace_leaves_what_is_of_another_delivery_or_another_key(stores: Stores, other: dict[str, Any]) -> None:
    stores.curated.insert([curated("a")])
    stranger = curated(**{"event_id": "a", "fields": {"changed": True}, **other})
    assert list(stores.curated.replace([stranger])) == [False]
    assert stored(stores) == [bare(curated("a"))]
    assert stored(stores, "refund") == []


def test_replace_answers_for_each_record_in_order(stores: Stores) -> None:
    stores.curated.insert([curated(f"e-{n}", index=n) for n in range(150)])
    batch = [curated(f"e-{n}", index=n, fields={"order": f"e-{n if n % 3 else -n}"}) for n in range(200)]
    answers = stores.curated.replace(batch)
    assert [n for n, written in enumerate(answers) if written] == [n for n in range(1, 150) if n % 3 == 0]
    assert list(stores.curated.replace(batch)) == [False] * 200


def test_of_a_batch_the_last_of_one_key_stays(stores: Stores) -> None:
    stores.curated.insert([curated("a")])
    batch = [curated("a", fields={"n": n}) for n in (1, 2, 2, 3)]
    assert list(stores.curated.replace(batch)) == [True, True, False, True]
    assert stored(stores) == [bare(batch[-1])]


def test_what_was_replaced_is_still_the_first_with_the_content_it_had(stores: Stores) -> None:
    stores.curated.insert([curated("a", raw=b"the bytes")])
    stores.curated.replace([curated("a", fields={}, raw=b"")])
    lineage = Lineage("shop", "a", receipt_id(), 0, content_hash(b"the bytes"))
    assert list(stores.curated.insert([curated("a", receipt=OTHER), curated("a")])) == [lineage, None]
    assert stored(stores) == [bare(curated("a", fields={}))]


def test_the_feed_shows_no_change_for_what_is_replaced_before_or_after_it_was_read(stores: Stores) -> None:
    stores.curated.insert([curated("a"), curated("b")])
    origin = origin_of(stores)
    last = stores.feed.changes(origin, 0, 10).positions[-1]
    stores.curated.replace([curated("a", fields={"order": "a", "changed": 1})])
    assert list(stores.feed.changes(origin, last, 10).records) == []
    stores.curated.insert([curated("c")])
    stores.curated.replace([curated("c", fields={"changed": 1})])
    assert [record.id for record in stores.feed.changes(origin, last, 10).records] == ["c"]
    assert [record.id for record in everything(stores)] == ["a", "b", "c"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=fields, after=fields)
def test_any_fields_can_be_replaced_by_any_others(
    stores: Stores, before: dict[str, Any], after: dict[str, Any]
) -> None:
    event_id = f"h-{stores.curated.count()}"
    stores.curated.insert([curated(event_id, fields=before)])
    assert list(stores.curated.replace([curated(event_id, fields=after)])) == [not alike(before, after)]
    [there] = found(stores, curated(event_id))
    assert there is not None
    assert alike(there.fields, after)


# --------------------------------------------------------------------------------------------------------------- delete
def test_what_is_deleted_is_found_no_more_and_not_counted(stores: Stores) -> None:
    records = [curated(f"e-{n}", index=n, time=NOON + n, part=n % 2) for n in range(10)]
    stores.curated.insert(records)
    stores.curated.delete(records[:5])
    assert found(stores, *records) == [*[None] * 5, *map(bare, records[5:])]
    assert stored(stores) == [bare(record) for record in records[5:]]
    assert stores.curated.count() == 2
    stores.curated.delete([*records[:5], *records[:5]])
    stores.curated.delete([])
    assert stores.curated.count() == 2


@pytest.mark.parametrize("other", [*NOT_MINE, *ELSEWHERE, {"event_id": "b"}])
def test_delete_leaves_what_is_of_another_delivery_or_another_key(stores: Stores, other: dict[str, Any]) -> None:
    stores.curated.insert([curated("a")])
    stores.curated.delete([curated(**{"event_id": "a", **other})])
    assert stored(stores) == [bare(curated("a"))]


def test_of_records_with_one_key_the_one_that_is_stored_is_deleted(stores: Stores) -> None:
    stores.curated.insert([curated("a")])
    stores.curated.delete([curated("a"), curated("a", receipt=OTHER)])
    assert stored(stores) == []


def test_what_was_deleted_can_be_inserted_again_and_is_a_new_change(stores: Stores) -> None:
    stores.curated.insert([curated("a"), curated("b")])
    origin = origin_of(stores)
    last = stores.feed.changes(origin, 0, 10).positions[-1]
    stores.curated.delete([curated("a")])
    assert list(stores.feed.changes(origin, last, 10).records) == []
    again = curated("a", receipt=OTHER, curated_at=NOON + 9)
    assert list(stores.curated.insert([again])) == [None]
    assert sorted(stored(stores), key=lambda record: record.id) == [bare(again), bare(curated("b"))]
    assert list(stores.curated.replace([curated("a", receipt=OTHER, fields={})])) == [True]


def test_positions_of_what_was_deleted_are_never_given_again(stores: Stores) -> None:
    stores.curated.insert([curated("a"), curated("b")])
    origin = origin_of(stores)
    last = stores.feed.changes(origin, 0, 10).positions[-1]
    stores.curated.delete([curated("a"), curated("b")])
    stores.curated.insert([curated("c", type="refund")])
    later = stores.feed.changes(origin, last, 10)
    if origin != "scan":  # the stand-in for streams, where there are none, numbers what a scan finds
        assert [record.id for record in later.records] == ["c"]
        assert later.positions[0] > last


def test_changes_from_before_a_deletion_are_as_they_were_or_gone(stores: Stores) -> None:
    records = [curated(f"e-{n}") for n in range(4)]
    stores.curated.insert(records)
    origin = origin_of(stores)
    before = everything(stores)
    stores.curated.delete(records[1:3])
    assert everything(stores) in (before, [bare(records[0]), bare(records[3])])
    assert origin_of(stores) == origin


def test_a_deletion_right_behind_an_insertion_is_seen_by_the_next_reader(stores: Stores) -> None:
    stores.curated.insert([curated("a"), curated("b")])
    stores.curated.delete([curated("a")])
    stores.curated.insert([curated("c")])
    assert {"b", "c"} <= {record.id for record in everything(stores)}
    assert stores.curated.count() == 2


def test_markers_stay_when_their_event_is_deleted(stores: Stores) -> None:
    stores.curated.mark([marker("a")])
    stores.curated.insert([curated("a")])
    stores.curated.delete([curated("a")])
    assert list(stores.curated.marked([marker("a", receipt=OTHER)])) == [marker("a")]


def test_events_that_share_an_id_are_deleted_and_found_apart(stores: Stores) -> None:
    sources = ["one", "two", "three"]
    records = {source: curated("a", source=source) for source in sources}
    stores.curated.insert([*records.values()])
    for gone in sources:
        stores.curated.delete([records.pop(gone)])
        assert stores.curated.count() == len(records)
        assert found(stores, *records.values(), curated("a", source=gone)) == [*map(bare, records.values()), None]
        assert list(stores.curated.insert([*records.values()])) == [None] * len(records)
        assert stores.curated.count() == len(records)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["insert", "replace", "delete"]), st.integers(0, 3), st.integers(0, 1)), max_size=12
    )
)
def test_any_sequence_of_writes_leaves_what_a_dictionary_would_hold(
    stores: Stores, steps: list[tuple[str, int, int]]
) -> None:
    clean = [*stores.curated.query("model", since=EARLIEST, until=LATEST + 1, after=None, limit=99)]
    stores.curated.delete(clean)
    model: dict[int, Curated] = {}
    for step, (act, number, index) in enumerate(steps):
        record = curated(f"m-{number % 2}", source=f"s-{number // 2}", type="model", index=index, fields={"step": step})
        mine = number in model and model[number].index == index
        if act == "insert":
            assert (stores.curated.insert([record])[0] is None) == (number not in model or mine)
            model.setdefault(number, record)
        elif act == "replace":
            assert list(stores.curated.replace([record])) == [mine]
            model |= {number: record} if mine else {}
        else:
            stores.curated.delete([record])
            if mine:
                del model[number]
    assert stored(stores, "model") == sorted(map(bare, model.values()), key=record_key)
