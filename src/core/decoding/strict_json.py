"""JSON as RFC 8259 has it and nothing more: exact numbers, Unicode text, at most 64 levels.

``parse`` is for what deserves care: every error names its place. ``unremarkable`` tells cheaply whether a document
may be given to a decoder that skips what it does not know without looking at it.
"""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from ..errors import BodyError
from ..numbers import UnholdableNumber, fits_int, from_text

MAX_DEPTH = 64
_LONGEST_INT = 127
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")

# For each byte of JSON: digits and the point count as digits …
_DIGITS = bytes(0x30 if 0x30 <= c <= 0x39 or c == 0x2E else 0x78 for c in range(256))
# … and with digits, signs and blanks taken away, an exponent is an e between two delimiters.
_DELIMITED = bytes(
    0x2C if c in b":,[]{}\n" else 0x65 if c in b"eE" else 0x22 if c == 0x22 else 0x78 for c in range(256)
)
_WITHIN_NUMBERS = b"0123456789.+- \t\r"
_untyped = msgspec.json.Decoder(float_hook=Decimal).decode


def unremarkable(raw: bytes) -> bool:
    """True only if nothing in the document needs ``parse`` to be found wrong, but for its grammar.

    It is ``unremarkable_text``, and has too few brackets to be nested too deeply. False says nothing.
    """
    return brackets(raw) <= MAX_DEPTH and unremarkable_text(raw)


def brackets(raw: bytes) -> int:
    """How many brackets are opened, at least as many as levels are nested."""
    return raw.count(b"{") + raw.count(b"[")


def unremarkable_text(raw: bytes) -> bool:
    """True only for UTF-8 without surrogate escapes, numbers with an exponent or with over 38 digits; of one or several
    documents.
    """
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            return False
    return (
        not (b"\\" in raw and (b"\\ud" in raw or b"\\uD" in raw))
        and b"0" * 39 not in raw.translate(_DIGITS)
        and b",e," not in (delimited := raw.translate(_DELIMITED, _WITHIN_NUMBERS))
        and delimited.strip(b",") != b"e"  # the whole document is a number
        and not raw.startswith(b"\xef\xbb\xbf")
    )


def parse(raw: bytes) -> Any:
    """The value of a document: numbers as int or Decimal; of duplicate keys the last one (RFC 8259 §4).

    Raises ``BodyError`` with the pointer to the place.
    """
    if unremarkable(raw):
        try:
            return _untyped(raw)
        except (msgspec.DecodeError, RecursionError, ArithmeticError):
            pass  # the careful way below finds the place; of what is no JSON at all, numbers too may be remarkable
    return _parse_with_care(raw)


def escape(token: str) -> str:
    """A key as a token of a JSON pointer (RFC 6901 §3)."""
    return token.replace("~", "~0").replace("/", "~1")


class _Unacceptable:
    def __init__(self, message: str, code: str) -> None:
        self.message, self.code = message, code


def _parse_with_care(raw: bytes) -> Any:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise BodyError("The document starts with a byte order mark, which JSON does not allow.", code="encoding")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        pointer = pointer_at(raw[: error.start].decode())
        message = f"Byte {error.start} (0x{raw[error.start]:02x}) is not UTF-8."
        raise BodyError(message, pointer=pointer, code="encoding") from None
    _check_depth(text)
    try:
        value = json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=_constant)
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
        reason = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        pointer = pointer_at(text[: error.pos])
        raise BodyError(f"Not JSON: {reason} at {where}.", pointer=pointer, code="json") from None
    _check_values(value, "")
    return value


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                pointer = pointer_at(text[: token.start()])
                raise BodyError(f"Nested beyond {MAX_DEPTH} levels.", pointer=pointer, code="depth")
        elif token[0] in "]}":
            depth -= 1


def _check_values(value: Any, pointer: str) -> None:
    if isinstance(value, str):
        if found := _SURROGATE.search(value):
            _refuse(f"Has a lone surrogate (U+{ord(found[0]):04X}), which is no character.", pointer, "encoding")
    elif isinstance(value, dict):
        for key, item in value.items():
            if _SURROGATE.search(key):
                _refuse("Has a key with a lone surrogate, which is no character.", pointer, "encoding")
            _check_values(item, f"{pointer}/{escape(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_values(item, f"{pointer}/{index}")
    elif isinstance(value, _Unacceptable):
        _refuse(value.message, pointer, value.code)


def _refuse(message: str, pointer: str, code: str) -> NoReturn:
    raise BodyError(message, pointer=pointer, code=code)


def _decimal(text: str) -> Decimal | _Unacceptable:
    try:
        return from_text(text)
    except UnholdableNumber as error:
        return _Unacceptable(f"{_shortened(text)} {error}.", "number")


def _integer(text: str) -> int | _Unacceptable:
    # Longer texts are out of range anyway, and int() is quadratic in their length.
    if len(text) <= _LONGEST_INT and fits_int(value := int(text)):
        return value
    return _Unacceptable(f"{_shortened(text)} {UnholdableNumber()}.", "number")


def _constant(text: str) -> _Unacceptable:
    return _Unacceptable(f"{text} is no JSON number.", "json")


def _shortened(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:24]}… ({len(text)} characters)"


def pointer_at(prefix: str) -> str:
    """The JSON pointer to where a document stops being right, read from the text before it."""
    path: list[list[Any]] = []  # per open bracket: its kind, and the key or index being read
    for token in _TOKEN.finditer(prefix):
        match token[0]:
            case "{":
                path.append(["{", None])
            case "[":
                path.append(["[", 0])
            case "]" | "}":
                if path:
                    path.pop()
            case ",":
                if path:
                    path[-1][1] = path[-1][1] + 1 if path[-1][0] == "[" else None
            case text:
                if path and path[-1][0] == "{" and path[-1][1] is None:
                    path[-1][1] = _key(text)
    return "".join(f"/{escape(str(key))}" for _, key in path if key is not None)


def _key(text: str) -> str | None:
    try:
        return str(json.loads(text))
    except json.JSONDecodeError:
        return None
