"""Strict JSON: what is accepted has exactly the value the text says; what is not is refused with its place."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millrace.core.decoding.strict_json import (
    MAX_DEPTH,
    _parse_with_care,
    escape,
    parse,
    pointer_at,
    unremarkable,
)
from millrace.core.errors import BodyError

NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6).map(
        lambda d: f"{d:f}"
    ),
    st.sampled_from(
        [
            "-0",
            "0.0",
            "-0.0",
            "1e5",
            "1E+5",
            "1.50e-3",
            "0e9",
            "1e125",
            "1e-130",
            "9" * 38 + "0" * 80,
            "0." + "0" * 60 + "1",
        ]
    ),
)
BLANKS = st.sampled_from(["", "", " ", "\n", "\t\r\n "])


@st.composite
def strings(draw: st.DrawFn) -> str:
    """The text of a JSON string, every character written plainly or escaped in one of its ways."""
    characters = draw(st.text(st.characters(codec="utf-8"), max_size=6))
    written = []
    for character in characters:
        ways = [json.dumps(character)[1:-1], "".join(f"\\u{u:04X}" for u in _units(character))]
        if character not in '"\\' and ord(character) >= 0x20:
            ways.append(character)
        written.append(draw(st.sampled_from(ways)))
    return '"' + "".join(written) + '"'


def _units(character: str) -> list[int]:
    raw = character.encode("utf-16-be")
    return [int.from_bytes(raw[i : i + 2]) for i in range(0, len(raw), 2)]


@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> str:
    kind = draw(st.integers(0, 5 if depth else 3))
    if kind == 0:
        inner = draw(NUMBERS)
    elif kind <= 2:
        inner = draw(strings())
    elif kind == 3:
        inner = draw(st.sampled_from(["true", "false", "null"]))
    elif kind == 4:
        inner = "[" + ",".join(draw(st.lists(texts(depth=depth - 1), max_size=4))) + draw(BLANKS) + "]"
    else:
        pairs = draw(st.lists(st.tuples(strings(), BLANKS, texts(depth=depth - 1)), max_size=4))
        inner = "{" + ",".join(f"{key}{blank}:{value}" for key, blank, value in pairs) + draw(BLANKS) + "}"
    return draw(BLANKS) + inner + draw(BLANKS)


def reference(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def spelt(value: Any) -> str:
    """With the classes: 1, 1.0 and True are equal to Python, and -0.0 equals 0."""
    return repr(value)


@given(texts())
def test_valid_documents_have_the_value_the_text_says(text: str) -> None:
    assert spelt(parse(text.encode())) == spelt(reference(text))
    assert spelt(_parse_with_care(text.encode())) == spelt(reference(text))


GARBAGE = st.sampled_from(
    [
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\x00",
        b"\x01",
        b"\\",
        b'"',
        b"\\ud800",
        b"\\uDC00",
        b"\\u12",
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"-",
        b".",
        b"9" * 5000,
        b"1e99999999999999999999",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b":",
        b"\xef\xbb\xbf",
        b"+1",
        b"01",
        b"\x0b",
        b"'",
        b"//",
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    raw = bytearray(draw(texts()).encode())
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(raw)))
        match draw(st.integers(0, 2)):
            case 0:
                raw[place:place] = draw(GARBAGE)
            case 1:
                del raw[place : place + draw(st.integers(1, 3))]
            case _:
                del raw[place:]
    return bytes(raw)


def check(error: BodyError) -> None:
    assert error.pointer == "" or error.pointer.startswith("/")
    assert error.message.endswith(".")
    assert error.code in {"json", "encoding", "number", "depth"}
    error.message.encode()
    error.pointer.encode()


@given(st.one_of(damaged(), st.binary(max_size=20)))
@example(b"1e99999999999999999999")
@example(b'1e99999999999999999999""')
@example(b"1e400")
@example(b" \n1e400\n ")
@example(b"")
def test_damaged_documents_give_a_value_or_a_body_error(raw: bytes) -> None:
    try:
        value = parse(raw)
    except BodyError as error:
        check(error)
        with pytest.raises(BodyError):
            _parse_with_care(raw)
    else:
        assert spelt(value) == spelt(_parse_with_care(raw)) == spelt(reference(raw.decode()))


@given(st.one_of(damaged(), texts().map(str.encode)))
def test_what_is_unremarkable_hides_nothing_from_a_decoder_that_skips(raw: bytes) -> None:
    if not unremarkable(raw):
        return
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
        skipped = msgspec.json.decode(b'{"unknown":' + raw + b"}", type=msgspec.defstruct("Nothing", []))
    except msgspec.DecodeError:
        return
    assert skipped is not None
    assert spelt(_parse_with_care(raw)) == spelt(parse(raw))


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("9" * 38, True),
        ("-" + "9" * 38, True),
        ("1" + "0" * 38, True),
        ("1" + "0" * 125, True),
        ("1" + "0" * 126, False),
        ("9" * 39, False),
        ("1" * 38 + "0", True),
        ("1" * 37 + "01", False),
        ("9.99e125", True),
        ("9." + "9" * 37 + "e125", True),
        ("1e126", False),
        ("1e-130", True),
        ("1.5e-130", True),
        ("9e-131", False),
        ("-1e-130", True),
        ("0." + "1" * 38, True),
        ("0." + "1" * 39, False),
        ("1." + "0" * 37, True),
        ("0e-9999", True),
        ("5e-324", False),
        ("1e400", False),
        ("1" * 5000, False),
    ],
)
def test_numbers_are_held_exactly_up_to_the_bounds_of_the_store(text: str, held: bool) -> None:
    for document, pointer in ((text, ""), (f'{{"a": [{text}]}}', "/a/0")):
        if held:
            value = parse(document.encode())
            number = value["a"][0] if pointer else value
            assert number == Decimal(text)
        else:
            with pytest.raises(BodyError) as raised:
                parse(document.encode())
            assert (raised.value.code, raised.value.pointer) == ("number", pointer)
            assert len(raised.value.message) < 200


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        (b'{"a": {"b/c": [1, "\\ud800"]}}', "encoding", "/a/b~1c/1"),
        (b'{"a": {"\\udfff": 1}}', "encoding", "/a"),
        (b'{"a": "\xff"}', "encoding", "/a"),
        (b'{"a": 1, "\xff": 1}', "encoding", ""),
        (b'{"~": [0, {"b": "\xed\xa0\x80"}]}', "encoding", "/~0/1/b"),
        (b'\xef\xbb\xbf{"a": 1}', "encoding", ""),
        (b'{"a": [true, NaN]}', "json", "/a/1"),
        (b'{"a": -Infinity}', "json", "/a"),
        (b'{"a": "b\x01"}', "json", "/a"),
        (b'{"a": 1, "b": [1, 2', "json", "/b/1"),
        (b'{"a": 01}', "json", "/a"),
        (b'{"a": 1}}', "json", ""),
        (b"[" * 100_000, "depth", "/0" * (MAX_DEPTH)),
        (b'{"a":' * 100_000, "depth", "/a" * MAX_DEPTH),
        (b'{"x": {"a": 1e400}}', "number", "/x/a"),
    ],
)
def test_an_error_points_to_its_place(raw: bytes, code: str, pointer: str) -> None:
    with pytest.raises(BodyError) as raised:
        parse(raw)
    assert (raised.value.code, raised.value.pointer) == (code, pointer)


def test_nesting_is_allowed_to_the_limit_and_brackets_in_text_do_not_nest() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    with pytest.raises(BodyError):
        parse(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    assert parse(b"[" + b",".join([b"[]"] * 1000) + b"]") == [[]] * 1000
    assert parse(b'"' + b"[" * 1000 + b'"') == "[" * 1000


def test_of_duplicate_keys_the_last_one_wins() -> None:
    for text in ('{"a": 1, "a": 2}', '{"a": 1e400, "a": 2}', '{"a": 1, "\\u0061": 2}'):
        assert parse(text.encode()) == {"a": 2}


@given(
    st.recursive(
        st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    )
)
def test_pointers_name_every_place_of_a_document(value: Any) -> None:
    """Each null is taken for the place where a document breaks off: the pointer leads to it."""
    text = json.dumps(value)
    for place in [i for i in range(len(text)) if _is_bare(text, i)]:
        found = value
        for token in pointer_at(text[:place]).split("/")[1:]:
            token = token.replace("~1", "/").replace("~0", "~")
            found = found[int(token)] if isinstance(found, list) else found[token]
        assert found is None


def _is_bare(text: str, place: int) -> bool:
    """Whether a null starts here, outside of any string."""
    if not text.startswith("null", place):
        return False
    inside, escaped = False, False
    for character in text[:place]:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            inside = not inside
    return not inside


@given(st.text(max_size=8))
def test_escaped_keys_read_back(key: str) -> None:
    assert "/" not in escape(key)
    assert escape(key).replace("~1", "/").replace("~0", "~") == key
