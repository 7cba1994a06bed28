"""How scripts read JSON: with its digits, and with places that a pointer finds."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page

from .conftest import opened
from .serving import Served

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
WRITE = """async (texts) => {
    const { parse } = await import("/console/static/json.js");
    const write = (node) => node === null ? null : !node.members ? node.text
        : node.kind === "array" ? "[" + node.members.map(([, each]) => write(each)).join(",") + "]"
        : "{" + node.members.map(([, each, key]) => key + ":" + write(each)).join(",") + "}";
    return texts.map((text) => write(parse(text)));
}"""
LOCATE = """async ([text, pointers]) => {
    const { parse, locate } = await import("/console/static/json.js");
    const root = parse(text);
    return pointers.map((pointer) => {
        const { node, missing } = locate(root, pointer);
        return [text.slice(node.from, node.to), missing];
    });
}"""
NO_JSON = [
    *(
        "",
        " ",
        "{",
        "[1,]",
        '{"a":1,}',
        "{a:1}",
        "01",
        "1.",
        ".5",
        "+1",
        "NaN",
        "nul",
        '"a',
        '"\t"',
        '"\\x"',
        '"\\u12"',
    ),
    *("[1 2]", "{} {}", "1e", "--1", "\ufeff{}", "[" * 100_000),
]


def pointers(value: Any, at: str = "") -> list[tuple[str, Any]]:
    """Every place of a document, with what is there."""
    found = [(at, value)]
    if isinstance(value, dict):
        for key, item in value.items():
            found += pointers(item, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            found += pointers(item, f"{at}/{index}")
    return found


def test_what_is_json_keeps_its_text_and_what_is_none_is_none(page: Page, served: Served) -> None:
    opened(page, served, "overview")

    @given(st.lists(VALUES, min_size=1, max_size=20), st.booleans())
    @settings(max_examples=25)
    def holds(values: list[Any], ascii_only: bool) -> None:
        texts = [json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":")) for value in values]
        spaced = [json.dumps(value, ensure_ascii=ascii_only, indent=1) for value in values]
        assert page.evaluate(WRITE, texts) == texts
        assert page.evaluate(WRITE, spaced) == texts

    holds()
    assert page.evaluate(WRITE, ["123456789012345678901234567890.10", "-0.0", "1E400"]) == [
        "123456789012345678901234567890.10", "-0.0", "1E400",
    ]  # fmt: skip
    assert page.evaluate(WRITE, NO_JSON) == [None] * len(NO_JSON)


def test_every_pointer_finds_its_place(page: Page, served: Served) -> None:
    opened(page, served, "overview")

    @given(VALUES)
    @settings(max_examples=25)
    def holds(value: Any) -> None:
        places = pointers(value)
        found = page.evaluate(LOCATE, [json.dumps(value, indent=1), [pointer for pointer, _ in places]])
        assert [json.loads(text) for text, _ in found] == [there for _, there in places]
        assert {missing for _, missing in found} == {None}

    holds()
    text = '{"a": {"b": 1, "b": 2}, "c": []}'
    assert page.evaluate(LOCATE, [text, ["/a/b", "/a/x/y", "/c/0", "/a/b/c"]]) == [
        ["2", None], ['{"b": 1, "b": 2}', "x"], ["[]", "0"], ["2", "c"],
    ]  # fmt: skip


def test_whole_numbers_that_scripts_would_round_keep_their_digits(page: Page, served: Served) -> None:
    opened(page, served, "overview")
    text = '{"a":[9007199254740993,1,0.1,"9007199254740993"],"b":-123456789012345678901}'
    read = 'async (text) => JSON.stringify((await import("/console/static/json.js")).exactly(text))'
    assert page.evaluate(read, text) == text


def test_what_is_shown_of_a_document_is_bounded_and_has_every_mark(page: Page, served: Served) -> None:
    opened(page, served, "overview")
    shown = """async ([text, violations]) => {
        const { documentOf } = await import("/console/static/document.js");
        const element = documentOf(text, violations);
        const many = (kind) => element.querySelectorAll(kind).length;
        return [many("*"), element.textContent.length, many("mark")];
    }"""
    long = json.dumps({"rows": [{"n": n, "text": "x" * 1000} for n in range(2_000)]})
    wrong = [{"pointer": f"/rows/{n}/n", "code": "c", "message": "m" * 5000} for n in (3, 1000, 1999)]
    elements, characters, marks = page.evaluate(shown, [long, wrong])
    assert (elements < 10_000, characters < 500_000, marks) == (True, True, 3)
    many = [{"pointer": f"/rows/{n}", "code": "c", "message": "m"} for n in range(2_000)]
    assert page.evaluate(shown, [long, many])[0] < 20_000
    assert page.evaluate(shown, ["no json " * 100_000, []])[1] < 30_000
