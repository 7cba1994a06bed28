"""Golden files: the bytes of every event version ever accepted, and what they have to become for ever.

``tests/golden/FOLDER/TYPE-vN.json`` is a document as it was received, ``TYPE-vN.curated.json`` what it becomes. The
folder is the name of a catalog, or of a source that has types of its own. Neither is ever edited: where a test here
fails, stored events would be read or identified differently than before.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from millrace.core.canonical import canonical_text
from millrace.core.catalogs import cloudtrail, retail, webhooks
from millrace.core.identity import chunk_key, content_hash, derived_id, record_key, tie_break
from millrace.core.numbers import plain
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.records import RawObject, Receipt

GOLDEN = Path(__file__).parents[1] / "golden"
CATALOGS = {
    "retail": retail.catalog,
    "cloudtrail": cloudtrail.catalog,
    "github": webhooks.catalog,
    "stripe": webhooks.catalog,
}
FILES = sorted(file for file in GOLDEN.glob("*/*.json") if not file.name.endswith(".curated.json"))
NAMES = [f"{file.parent.name}/{file.stem}" for file in FILES]


def headers(file: Path) -> dict[str, str]:
    """The headers that are kept of a request with the document."""
    if file.parent.name != "github":
        return {}
    kind = file.stem.removeprefix("github.").rpartition("-")[0]
    return {"x-github-event": kind, "x-github-delivery": f"0b989ba4-{kind}"}


def becomes(file: Path) -> dict[str, Any]:
    """Everything that is kept of the events of a file, as JSON with numbers as text."""
    name = file.parent.name
    receipt = Receipt(
        id="019ab3c5-0000-7000-8000-000000000001",
        received_at=1_795_399_200_000_000,
        source="golden",
        foreign=name if name in CATALOGS[name].sources else None,
        idempotency_key="golden",
        headers=headers(file),
    )
    batch = Pipeline(CATALOGS[name]).run(RawObject(receipt, file.read_bytes()), 1_795_399_200_000_001)
    return {
        "records": [
            {
                "type": record.type,
                "source": record.source,
                "id": record.id,
                "time": str(record.time),
                "version": record.version,
                "subject": record.subject,
                "sort key": str(record_key(record)),
                "content hash": content_hash(record.raw).hex(),
                "marked": place in batch.unmarked,
                "fields": json.loads(canonical_text(record.fields), parse_float=str),
            }
            for place, record in enumerate(batch.records)
        ],
        "filtered": batch.filtered,
        "dead letters": [
            {
                "id": letter.id,
                "reason": letter.reason,
                "stage": letter.stage,
                "fingerprint": letter.fingerprint,
                "violations": [[violation.pointer, violation.code] for violation in letter.violations],
            }
            for letter in batch.letters
        ],
    }


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_what_was_once_accepted_becomes_the_same_for_ever(file: Path) -> None:
    expected = json.loads(file.with_suffix(".curated.json").read_text(encoding="utf-8"))
    assert becomes(file) == expected


def test_every_version_of_every_type_has_a_golden_file() -> None:
    wanted = {
        f"{catalog.name}/{declared.name}-v{version}"
        for catalog in CATALOGS.values()
        for declared in catalog.declared.values()
        for version in range(declared.oldest, declared.version + 1)
    }
    there = {f"{CATALOGS[file.parent.name].name}/{file.stem}" for file in FILES}
    assert {*wanted, "retail/millrace.probe-v1"} <= there


def test_every_expectation_has_its_document() -> None:
    assert {file.with_suffix(".curated.json") for file in FILES} == set(GOLDEN.glob("*/*.curated.json"))


def test_keys_and_hashes_are_those_of_ever() -> None:
    assert tie_break("shop", "1") == 5367845092325465655
    assert tie_break("shop", "1", 2) == 2212320529283514521
    assert tie_break("", "") == 13199860797196545980
    assert tie_break("é\0", "😀") == 11272825074587789413
    assert content_hash(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb924"
    assert chunk_key(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4"
    assert derived_id("key", 7) == "key#7"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ('{"b": 1.50, "a": [1e2, -0.0, 0, 12e-1]}', '{"a":[100,0,0,1.2],"b":1.5}'),
        ('{"\\u00e9": "\\u00e9/\\"\\n\\u2028"}', '{"é":"é/\\"\\n\u2028"}'),
        ('[true, false, null, "", {}, []]', '[true,false,null,"",{},[]]'),
        ("1e125", "1" + "0" * 125),
    ],
)
def test_canonical_text_is_that_of_ever(text: str, canonical: str) -> None:
    from millrace.core.decoding.strict_json import parse

    assert canonical_text(parse(text.encode())) == canonical


def test_plain_numbers_have_no_exponent() -> None:
    from decimal import Decimal

    assert [plain(Decimal(n)) for n in ("1E+3", "1.500", "-0.0", "1E-10")] == ["1000", "1.5", "0", "0.0000000001"]
