"""``DynamoViews``: races for rows, keys of any length in order, and what a row forgets."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.adapters.aws.views import DynamoViews
from millrace.adapters.memory.curated import MemoryCurated
from millrace.core.errors import StoreError, TransientError
from millrace.core.records import RowKey
from millrace.core.services.project import Project
from millrace.core.views.measures import Count
from millrace.core.views.projection import results
from millrace.core.views.view import View

from ..contracts.builders import HOUR, NOON, curated, row
from .calls import Fault, in_turn, lost, throttled, timed_out
from .tables import Service, Tables, mocked_tables
from .test_curated import FAULTS

ATTEMPTS = 3
DAY = 86_400_000


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with mocked_tables(attempts=ATTEMPTS) as service:
        yield service


@pytest.fixture
def tables(service: Service) -> Iterator[Tables]:
    yield service.fresh()
    service.calls.always("*", None)


@pytest.fixture
def views(service: Service, tables: Tables) -> Iterator[DynamoViews]:
    database = service.database()
    yield tables.view_store(database)
    database.close()


def shard(milliseconds: int) -> str:
    return f"shardId-{milliseconds:020d}-0a1b2c3d"


def test_a_commit_is_one_conditional_write_per_row(service: Service, views: DynamoViews, tables: Tables) -> None:
    views.commit("v", [row(), row(group="[1]", version=3)])
    new, old = sorted(service.calls.made, key=lambda call: "version" in str(call.parameters["ConditionExpression"]))
    assert service.calls.counts() == {"PutItem": 2}
    assert new.parameters["ConditionExpression"] == "attribute_not_exists(#key)"
    assert old.parameters["ConditionExpression"] == "#version = :version"
    assert old.parameters["ExpressionAttributeValues"] == {":version": {"N": "3"}}
    assert old.parameters["Item"]["version"] == {"N": "4"}
    assert {call.parameters["TableName"] for call in service.calls.made} == {tables.views}


def test_rows_are_loaded_a_hundred_at_a_time(service: Service, views: DynamoViews, tables: Tables) -> None:
    rows = [row(NOON + n) for n in range(230)]
    views.commit("v", rows)
    service.calls.clear()
    assert len(views.load("v", [r.key for r in rows] * 2)) == 230
    sizes = [len(call.parameters["RequestItems"][tables.views]["Keys"]) for call in service.calls.made]
    assert sorted(sizes) == [30, 100, 100]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_pass_change_nothing_but_who_is_said_to_have_written(
    service: Service, views: DynamoViews, fault: Fault
) -> None:
    service.calls.always("*", in_turn(fault, fault, None))
    first, second = row(states=(1,)), row(group="[2]", states=(2,))
    lost_rows = views.commit("v", [first, second])
    views.advance("v", "o", 7)
    assert views.cursor("v", "o") == 7
    loaded = views.load("v", [first.key, second.key])
    assert {key: (held.states, held.version) for key, held in loaded.items()} == {
        first.key: ((1,), 1),
        second.key: ((2,), 1),
    }
    assert [held.key for held in views.rows("v", since=0, until=NOON * 2, after=None, limit=9)] == sorted(loaded)
    if fault in (throttled, lost):
        assert lost_rows == []


def test_a_commit_whose_answer_was_lost_counts_as_a_lost_race_and_shows_in_the_row(
    service: Service, views: DynamoViews
) -> None:
    service.calls.next("PutItem", timed_out)
    assert views.commit("v", [row(positions={"o": 3})]) == [row().key]
    assert views.load("v", [row().key])[row().key].positions == {"o": 3}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_that_last_are_transient(service: Service, views: DynamoViews, fault: Fault) -> None:
    service.calls.always("*", fault)
    for act in (
        lambda: views.load("v", [row().key]),
        lambda: views.commit("v", [row()]),
        lambda: views.rows("v", since=0, until=1, after=None, limit=1),
        lambda: views.cursor("v", "o"),
        lambda: views.advance("v", "o", 1),
        lambda: views.forget("v", 1),
    ):
        with pytest.raises(TransientError):
            act()


def test_a_change_counts_once_although_the_answer_of_its_commit_was_lost(service: Service, views: DynamoViews) -> None:
    curated_events = MemoryCurated()
    curated_events.insert([curated(f"e-{n}") for n in range(5)])
    view = View("sales", "purchase", HOUR, (), {"count": Count()}, "here")
    project = Project([view], curated_events, views)
    service.calls.next("PutItem", timed_out)
    assert (project.step(), project.step()) == (5, 0)
    found = views.rows(view.signature, since=0, until=2 * NOON, after=None, limit=9)
    assert [result.measures for result in results(view, found)] == [{"count": 5}]


def test_whoever_loses_a_race_loads_folds_and_commits_again(views: DynamoViews) -> None:
    views.commit("v", [row(states=(0,), positions={})])
    for writer in range(5):
        mine = stale = views.load("v", [row().key])[row().key]
        raised = msgspec.structs.replace(
            mine, states=(mine.states[0] + 1,), positions={**mine.positions, str(writer): 1}
        )
        assert views.commit("v", [raised]) == []
        assert views.commit("v", [stale]) == [stale.key]
    final = views.load("v", [row().key])[row().key]
    assert (final.states, final.version) == ((5,), 6)
    assert set(final.positions) == set("01234")


def test_of_rows_with_one_key_a_later_one_may_follow_the_first(views: DynamoViews) -> None:
    rows = [row(states=(1,)), row(group="[]"), row(version=1, states=(2,)), row(version=1, states=(3,))]
    assert views.commit("v", rows) == [row().key]
    assert views.load("v", [row().key])[row().key].states == (2,)


groups = st.builds(
    lambda repeated, count, end: f'["{repeated * count}{end}"]',
    st.sampled_from(["a", "é", "\U0001f600", "\uffff", "ab"]),
    st.sampled_from([0, 3, 116, 117, 230, 231, 232, 233, 234, 235, 300, 5000]),
    st.text(st.sampled_from("az~\u00e9\U0001f600"), max_size=3),
)
keys = st.builds(RowKey, st.sampled_from([-HOUR, 0, HOUR]), groups)


@settings(max_examples=25, deadline=None)
@given(st.sets(keys, max_size=12), st.integers(1, 13))
def test_groups_of_any_length_come_in_order_once_over_all_pages(
    service: Service, wanted: set[RowKey], limit: int
) -> None:
    tables, database = service.fresh(), service.database()
    views = tables.view_store(database)
    assert views.commit("v", [row(*key) for key in wanted]) == []
    assert views.load("v", [*wanted]).keys() == wanted
    found: list[RowKey] = []
    while page := views.rows("v", since=-HOUR, until=HOUR, after=found[-1] if found else None, limit=limit):
        assert len(page) <= limit
        found += [held.key for held in page]
    assert found == sorted(key for key in wanted if key.window < HOUR)
    database.close()


def test_windows_from_before_1970_come_first(views: DynamoViews) -> None:
    windows = [-62_135_596_800_000_000, -HOUR, -1, 0, 1, 253_402_300_799_999_999]
    views.commit("v", [row(window) for window in reversed(windows)])
    found = views.rows("v", since=-(10**40), until=10**40, after=None, limit=9)
    assert [held.key.window for held in found] == windows


def test_no_limit_means_no_rows_and_no_request(service: Service, views: DynamoViews) -> None:
    for limit, until in [(0, 1), (-1, 1), (9, 0)]:
        assert list(views.rows("v", since=0, until=until, after=None, limit=limit)) == []
    assert service.calls.made == []


def test_a_row_that_outgrew_an_item_is_named_before_anything_is_written(service: Service, views: DynamoViews) -> None:
    grown = row(group="[7]", states=(["x" * 1000] * 410,))
    with pytest.raises(StoreError, match=r"view revenue\(sales.*409600"):
        views.commit("revenue(sales;1;a)", [row(), grown])
    assert service.calls.made == []
    assert views.commit("revenue(sales;1;a)", [row(states=(["x" * 1000] * 400,))]) == []


def test_views_with_signatures_of_any_length_are_apart(views: DynamoViews) -> None:
    signatures = ["é" * 3000 + end for end in ("", "a", "b")]
    for number, signature in enumerate(signatures):
        assert views.commit(signature, [row(states=(number,))]) == []
        views.advance(signature, "o", number + 1)
    for number, signature in enumerate(signatures):
        assert views.load(signature, [row().key])[row().key].states == (number,)
        assert views.cursor(signature, "o") == number + 1


def test_shards_are_forgotten_48_hours_after_a_newer_one_began(views: DynamoViews) -> None:
    now = 1_767_960_000_000
    positions = {shard(now): 1, shard(now - 2 * DAY): 2, shard(now - 2 * DAY - 1): 3, "local": 4, shard(0): 5}
    views.commit("v", [row(positions=positions)])
    assert views.load("v", [row().key])[row().key].positions == {shard(now): 1, shard(now - 2 * DAY): 2, "local": 4}


def test_the_only_shards_are_kept_however_old(views: DynamoViews) -> None:
    positions = {shard(5): 1, shard(7): 2}
    views.commit("v", [row(positions=positions)])
    assert views.load("v", [row().key])[row().key].positions == positions


def test_positions_of_forty_digits_are_kept_and_compared(views: DynamoViews) -> None:
    longest = 10**40 - 1
    for position, expected in [(9, 9), (longest - 1, longest - 1), (10, longest - 1), (longest, longest)]:
        views.advance("v", "o", position)
        assert views.cursor("v", "o") == expected
    views.commit("v", [row(positions={"o": longest})])
    assert views.load("v", [row().key])[row().key].positions == {"o": longest}


def test_a_cursor_that_goes_nowhere_is_not_written(service: Service, views: DynamoViews) -> None:
    views.advance("v", "o", 0)
    assert service.calls.made == []


def test_cursors_are_no_rows(views: DynamoViews) -> None:
    views.advance("v", "o", 5)
    views.advance("v", shard(5), 5)
    assert list(views.rows("v", since=-(10**40), until=10**40, after=None, limit=9)) == []
