"""Reading inputs: what is found, where lines are cut, and how much of a damaged file is saved."""

import gzip
import io
import os
import sys
from itertools import takewhile
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.core.catalogs.cloudtrail import catalog as cloudtrail
from millrace.core.decoding.bodies import DAMAGED
from millrace.core.pipeline.pipeline import Pipeline
from millrace.core.records import RawObject, Receipt
from millrace.entrypoints import files
from millrace.entrypoints.files import Chunk, Input, InputError, Trouble, find_inputs, read

MIB = 1024 * 1024


def lines_of(count: int, width: int = 320) -> bytes:
    return b"".join(b"%0*d\n" % (width - 1, number) for number in range(count))


def write(folder: Path, name: str, content: bytes) -> Input:
    (folder / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    (found,) = find_inputs([str(folder / name)])
    return found


def chunks_of(source: Input) -> list[Chunk]:
    found = [item for item in read(source) if isinstance(item, Chunk)]
    assert len(found) == len(list(read(source))), "a trouble"
    return found


def split(source: Input) -> tuple[bytes, list[str]]:
    items = list(read(source))
    body = b"".join(item.body for item in items if isinstance(item, Chunk) and item.content_type != DAMAGED)
    return body, [item.message for item in items if isinstance(item, Trouble)]


class Dribble(io.RawIOBase):
    """A file that hands out its bytes in pieces of its own choosing."""

    def __init__(self, content: bytes, random: Random) -> None:
        self._rest, self._random = content, random

    def read(self, size: int = -1) -> bytes:
        count = min(size, self._random.choice([1, 7, 1000, 65536, MIB]))
        piece, self._rest = self._rest[:count], self._rest[count:]
        return piece


# ------------------------------------------------------------------------------------------------------------- cutting
@given(
    content=st.lists(st.sampled_from([b"", b" ", b"x", b"x" * 9, b"x" * 60, b"\r"]), max_size=60).map(b"\n".join),
    end=st.sampled_from([b"", b"\n"]),
)
def test_chunks_are_whole_lines_as_many_as_the_limits_allow(content: bytes, end: bytes) -> None:
    content += end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "CHUNK_BYTES", 40)
        patch.setattr(files, "CHUNK_LINES", 4)
        chunks = list(files._Cutter("name", [content[i : i + 3] for i in range(0, len(content), 3)]).chunks())
    kept = 0
    for chunk in chunks:
        assert isinstance(chunk, Chunk)
        assert chunk.body in content
        assert chunk.body.count(b"\n") <= 4
        assert len(chunk.body) <= 40 or chunk.body.count(b"\n") <= 1
        before = content.split(b"\n")[: chunk.line - 1]
        assert content.startswith(chunk.body, sum(len(line) + 1 for line in before)), "the line number is right"
        kept += len([line for line in chunk.body.split(b"\n") if line.strip()])
    assert kept == len([line for line in content.split(b"\n") if line.strip()]), "no line is lost"


@given(st.integers(0, 2**32))
def test_where_lines_are_cut_does_not_depend_on_how_they_come_in(seed: int) -> None:
    random = Random(seed)
    content = b"\n".join(b"y" * random.choice([0, 3, 50, 400]) for _ in range(random.choice([0, 3, 3000, 9000])))
    whole = list(files._Cutter("name", [content]).chunks())
    dribbled = Dribble(content, random)
    assert list(files._Cutter("name", iter(lambda: dribbled.read(MIB), b"")).chunks()) == whole


def test_plain_and_compressed_lines_give_the_same_chunks(tmp_path: Path) -> None:
    content = lines_of(10_000)
    plain = chunks_of(write(tmp_path, "a.ndjson", content))
    packed = chunks_of(write(tmp_path, "a.jsonl.gz", content))
    assert [chunk.body for chunk in plain] == [chunk.body for chunk in packed]
    assert b"".join(chunk.body for chunk in plain) == content
    assert [chunk.line for chunk in plain] == [1, 6554]
    assert max(len(chunk.body) for chunk in plain) <= 2 * MIB


def test_short_lines_are_cut_at_ten_thousand(tmp_path: Path) -> None:
    chunks = chunks_of(write(tmp_path, "a.ndjson", b"{}\n" * 22_000))
    assert [(chunk.line, chunk.body.count(b"\n")) for chunk in chunks] == [
        (1, 10_000),
        (10_001, 10_000),
        (20_001, 2000),
    ]


def test_a_long_line_is_a_chunk_by_itself(tmp_path: Path) -> None:
    long = b"x" * (3 * MIB)
    chunks = chunks_of(write(tmp_path, "a.ndjson", b"a\n" + long + b"\nb\n" + long))
    assert [(chunk.line, chunk.body) for chunk in chunks] == [
        (1, b"a\n"), (2, long + b"\n"), (3, b"b\n"), (4, long)
    ]  # fmt: skip


def test_a_line_beyond_the_limit_is_left_out_and_the_rest_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE", 2 * MIB)
    for end in (b"\nafter\n", b""):
        source = write(tmp_path, "a.ndjson", b"before\n" + b"x" * (9 * MIB) + end)
        body, troubles = split(source)
        assert body == b"before\n" + end[1:]
        assert troubles == [f"{source.name}, line 2 is longer than 2 MiB and was left out."]
    assert [
        item.line
        for item in read(write(tmp_path, "b.ndjson", b"x" * (9 * MIB) + b"\nafter"))
        if isinstance(item, Chunk)
    ] == [2]


def test_blank_lines_alone_are_no_chunk(tmp_path: Path) -> None:
    assert chunks_of(write(tmp_path, "a.ndjson", b"\n \r\n\t\n")) == []
    assert chunks_of(write(tmp_path, "b.ndjson", b"")) == []


def test_a_document_is_one_chunk(tmp_path: Path) -> None:
    content = b"[\n" + b'{"a": 1},\n' * 300_000 + b"{}]"
    for name in ("a.json", "a.json.gz", "A.JSON"):
        source = write(tmp_path, name, content)
        assert chunks_of(source) == [Chunk(content, "application/json", source.name, 1)]


def test_a_document_beyond_the_limit_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_DOCUMENT", MIB)
    body, troubles = split(write(tmp_path, "a.json.gz", b" " * (9 * MIB)))
    assert body == b""
    assert "more than 1 MiB" in troubles[0]


# ---------------------------------------------------------------------------------------------------------------- gzip
def test_members_of_a_gzip_file_are_read_one_after_the_other(tmp_path: Path) -> None:
    source = write(tmp_path, "a.ndjson.gz", b"")
    packed = gzip.compress(b"one\ntw") + gzip.compress(b"") + b"\0\0\0" + gzip.compress(b"o\nthree") + b"\0" * 99
    Path(source.path).write_bytes(packed)
    assert split(source) == (b"one\ntwo\nthree", [])


@pytest.mark.parametrize("lost", [1, 4, 8, 9, 5000])
def test_of_a_truncated_gzip_file_every_whole_line_is_read(tmp_path: Path, lost: int) -> None:
    random = Random(1)
    content = b"".join(random.randbytes(60).hex().encode() + b"\n" for _ in range(20_000))
    source = write(tmp_path, "a.ndjson.gz", content)
    packed = Path(source.path).read_bytes()
    Path(source.path).write_bytes(packed[:-lost])
    body, (trouble,) = split(source)
    assert content.startswith(body)
    assert body.endswith(b"\n")
    assert len(content) - len(body) <= (0 if lost <= 8 else 2 * lost + 1000)
    assert trouble.startswith(f"{source.name} is cut off")


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 1.0])
def test_of_a_damaged_gzip_file_all_before_the_damage_is_read(tmp_path: Path, place: float) -> None:
    random = Random(2)
    content = b"".join(random.randbytes(60).hex().encode() + b"\n" for _ in range(20_000))
    source = write(tmp_path, "a.ndjson.gz", content)
    packed = bytearray(Path(source.path).read_bytes())
    at = int((len(packed) - 8) * place)
    packed[at : at + 8] = b"\xff" * 8
    Path(source.path).write_bytes(packed)
    body, (trouble,) = split(source)
    lines = zip(body.split(b"\n"), content.split(b"\n"), strict=False)
    read_well = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], lines))
    assert read_well >= 20_000 * place - 600  # one block of the compression may be lost
    assert place < 1 or read_well >= 19_900, "only the checksum is wrong; what is inflated together with it is lost"
    assert "damaged" in trouble or "cut off" in trouble
    assert "were processed" in trouble


def test_what_is_no_gzip_at_all_is_told(tmp_path: Path) -> None:
    for content in (b'{"not": "gzip"}\n', b"", b"\x1f\x8b"):
        for name in ("a.ndjson.gz", "a.json.gz"):
            source = write(tmp_path, name, b"")
            Path(source.path).write_bytes(content)
            body, (trouble,) = split(source)
            assert body == b""
            assert trouble.startswith(source.name)
            assert trouble.endswith("nothing of it was processed.")


# -------------------------------------------------------------------------------------------------------------- finding
def test_directories_are_searched_recursively_in_name_order(tmp_path: Path) -> None:
    for name in ("b/2.ndjson", "b/10.json", "a.jsonl.gz", "c.json", "b/skipped.txt", "b/x.gz", "raw/1.raw", ".ndjson"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "z.json").symlink_to(tmp_path / "c.json")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "broken.json").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.json")
    found = [os.path.relpath(each.path, tmp_path) for each in find_inputs([str(tmp_path)])]
    assert found == ["a.jsonl.gz", "b/10.json", "b/2.ndjson", "c.json", "z.json"]


def test_names_are_kept_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(b"{}")
    assert [each.name for each in find_inputs(["in", "./in/a.json"])] == ["in/a.json", "./in/a.json"]


def test_a_name_that_is_no_unicode_becomes_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.ndjson"
    with open(path, "wb") as file:
        file.write(b"{}\n")
    (found,) = find_inputs([os.fsdecode(path)])
    assert found.name.endswith("/caf\\xe9.ndjson")
    assert [chunk.origin for chunk in chunks_of(found)] == [found.name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere.json", "does not exist"),
        ("notes.txt", "is not a .json"),
        ("a.gz", "is not a .json"),
        ("x\0y", "does not exist"),
    ],
)
def test_a_path_that_cannot_be_processed_is_found_beforehand(tmp_path: Path, name: str, sentence: str) -> None:
    for there in ("notes.txt", "a.gz"):
        (tmp_path / there).write_bytes(b"{}")
    with pytest.raises(InputError, match=sentence):
        find_inputs([str(tmp_path / name)])


def test_standard_input_is_read_as_lines_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}\n{}")))
    (found,) = find_inputs(["-"])
    assert list(read(found)) == [Chunk(b"{}\n{}", "application/x-ndjson", "-", 1)]
    with pytest.raises(InputError, match="only once"):
        find_inputs(["-", "-"])


def test_a_closed_standard_input_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    (found,) = find_inputs(["-"])
    assert [type(item) for item in read(found)] == [Trouble]


def test_a_file_that_goes_away_is_told(tmp_path: Path) -> None:
    source = write(tmp_path, "a.ndjson", b"{}\n")
    Path(source.path).unlink()
    assert split(source) == (b"", [f"{source.name} cannot be read: No such file or directory."])


def test_a_disk_that_fails_midway_gives_the_chunks_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no other: what it has of the next chunk would be cut elsewhere when the disk works again."""
    line = b"x" * 1023 + b"\n"

    class Failing(io.RawIOBase):
        def __init__(self) -> None:
            self.pieces = [b"two\nthr", line * 2048]

        def read(self, size: int = -1) -> bytes:
            if self.pieces:
                return self.pieces.pop()
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(files, "_opened", lambda source: Failing())
    source = write(tmp_path, "a.ndjson", b"")
    body, (trouble,) = split(source)
    assert body == line * 2048
    assert "cannot be read to its end: Input/output error; its lines before 2049 were processed." in trouble
    assert not [item for item in read(source) if isinstance(item, Chunk) and item.content_type == DAMAGED]


@pytest.mark.parametrize("name", ["a.ndjson.gz", "a.json.gz"])
@pytest.mark.parametrize("cut", [0, 12], ids=["damaged", "cut off"])
def test_what_is_damaged_comes_as_a_chunk_of_its_own_at_its_place(tmp_path: Path, name: str, cut: int) -> None:
    content = b"".join(b'{"line": %d}\n' % number for number in range(50_000))
    source = write(tmp_path, name, content)
    packed = bytearray(Path(source.path).read_bytes())
    packed[len(packed) // 2 :] = b"" if cut else b"\xff" * (len(packed) // 2)
    Path(source.path).write_bytes(packed)
    first, second = list(read(source)), list(read(source))
    assert first == second, "the same file gives the same chunks"
    last = first[-1]
    assert isinstance(last, Chunk)
    assert (last.content_type, last.origin) == (DAMAGED, source.name)
    body, (trouble,) = split(source)
    assert last.line == body.count(b"\n") + 1
    assert source.name in trouble
    assert bytes(packed).endswith(last.body[-100:])
    raw = RawObject(Receipt(id="r", received_at=0, content_type=DAMAGED, origin=source.name, chunk=True), last.body)
    for foreign in (None, "cloudtrail"):
        kept = msgspec.structs.replace(raw, receipt=msgspec.structs.replace(raw.receipt, foreign=foreign))
        [letter] = Pipeline(cloudtrail).run(kept, 0).letters
        assert (letter.reason, letter.stage) == ("malformed", "decode")
        assert "damaged or cut off" in letter.violations[0].message


def test_the_bytes_read_are_told(tmp_path: Path) -> None:
    source = write(tmp_path, "a.ndjson", lines_of(9000))
    told: list[int] = []
    for _ in read(source, told.append):
        pass
    assert sum(told) == source.size == 9000 * 320


def test_memory_stays_flat(tmp_path: Path) -> None:
    import tracemalloc

    source = write(tmp_path, "a.ndjson.gz", lines_of(100_000))
    tracemalloc.start()
    for _ in read(source):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 * MIB
