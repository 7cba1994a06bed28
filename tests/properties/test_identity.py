"""Identities: sort keys order as times do, tell identities apart, and fit every store."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from millrace.core.identity import (
    EARLIEST,
    LATEST,
    TIE,
    content_hash,
    dead_letter_id,
    derived_id,
    fingerprint,
    shard_of,
    sort_key,
    tie_break,
)
from millrace.core.numbers import EXACT, fits_int
from millrace.core.records import Violation

TIMES = st.one_of(st.integers(EARLIEST, LATEST), st.sampled_from([EARLIEST, LATEST, -1, 0, 1]))
NAMES = st.one_of(st.text(max_size=5), st.text("\0a1", max_size=4))
IDENTITIES = st.tuples(NAMES, NAMES, st.integers(0, 3))


@given(TIMES, TIMES, IDENTITIES, IDENTITIES)
def test_sort_keys_order_as_times_do(
    one: int, other: int, first: tuple[str, str, int], second: tuple[str, str, int]
) -> None:
    if one < other:
        assert sort_key(one, tie_break(*first)) < sort_key(other, tie_break(*second))


@given(TIMES, IDENTITIES)
def test_sort_keys_have_at_most_38_digits_and_compare_with_epoch_seconds(
    time: int, identity: tuple[str, str, int]
) -> None:
    key = sort_key(time, tie_break(*identity))
    assert len(str(abs(key))) <= 38
    assert fits_int(key)
    number = EXACT.scaleb(Decimal(key), -26)
    seconds = EXACT.scaleb(Decimal(time), -6)
    assert seconds <= number < seconds + Decimal("0.000001")
    assert time // 1_000_000 <= number < time // 1_000_000 + 1


@given(TIMES, IDENTITIES, IDENTITIES)
@example(0, ("a\0b", "c", 0), ("a", "b\0c", 0))
@example(0, ("a", "b", 1), ("a", "b\x001", 0))
@example(0, ("xyzz", "z", 1), ("1\0xy", "zzz", 0))
def test_keys_are_equal_for_equal_identities_only(
    time: int, one: tuple[str, str, int], other: tuple[str, str, int]
) -> None:
    assert (sort_key(time, tie_break(*one)) == sort_key(time, tie_break(*other))) == (one == other)


@given(IDENTITIES, st.integers(1, 1000))
def test_a_shard_is_one_of_its_type(identity: tuple[str, str, int], shards: int) -> None:
    tie = tie_break(*identity)
    assert 0 <= tie < TIE
    assert 0 <= shard_of(tie, shards) < shards


@given(st.text(max_size=5), st.integers(0, 10**6), st.integers(0, 10**6))
def test_derived_ids_tell_indexes_of_a_request_apart(key: str, one: int, other: int) -> None:
    assert (derived_id(key, one) == derived_id(key, other)) == (one == other)


LETTERS = st.tuples(
    st.tuples(st.text(max_size=3), st.none() | st.text(max_size=3), st.none() | st.text(max_size=3), st.none() | TIMES),
    st.sampled_from(["invalid", "rule"]),
    st.binary(max_size=3),
)


@given(LETTERS, LETTERS)
def test_dead_letters_are_one_for_equal_identity_reason_and_content_only(
    one: tuple[tuple[str, str | None, str | None, int | None], str, bytes],
    other: tuple[tuple[str, str | None, str | None, int | None], str, bytes],
) -> None:
    assert (dead_letter_id(*one) == dead_letter_id(*other)) == (one == other)


PLACES = st.lists(
    st.tuples(st.sampled_from(["/a", "/a/0", "/a/17/b", ""]), st.sampled_from(["type", "gt"])), max_size=4
)


@given(PLACES, st.randoms(), st.text(max_size=5))
def test_a_fingerprint_depends_on_neither_order_nor_repetition_nor_words(
    places: list[tuple[str, str]], random: object, words: str
) -> None:
    plain = fingerprint("invalid", "t", [Violation(p, c, "x") for p, c in places])
    turned = [Violation(p.replace("17", "3"), c, words) for p, c in [*places[::-1], *places]]
    assert fingerprint("invalid", "t", turned) == plain
    assert fingerprint("rule", "t", turned) != plain
    assert fingerprint("invalid", None, turned) != plain
    assert len(plain) == 12


def test_content_hashes_are_those_of_ever() -> None:
    assert content_hash(b'{"a":1}').hex() == "015abd7f5cc57a2dd94b7590f04ad808"
