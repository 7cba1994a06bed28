"""What goes wrong around a command: one sentence, the right exit code, never a traceback, and nothing lost."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from millrace.adapters.local import open_local
from millrace.core.identity import EARLIEST, LATEST
from tests.e2e.cli import document, fails, lines, millrace, objects, purchase, succeeds

READERS = (
    ["events", "purchase"], ["view", "revenue"], ["dead-letters", "list"], ["dead-letters", "summary"],
    ["dead-letters", "show", "1"], ["reconcile"],
)  # fmt: skip
COMMANDS = (["run", "-"], *READERS)
COMMAND = [sys.executable, "-c", "from millrace.entrypoints.cli import main; main()"]


def start(*arguments: str | Path, store: Path, **settings: Any) -> subprocess.Popen[bytes]:
    settings = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.Popen([*COMMAND, *map(str, arguments), "--store", f"file:{store}"], **settings)


# --------------------------------------------------------------------------------------------------------------- stores
@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_reading_a_store_that_does_not_exist_creates_none(tmp_path: Path, command: list[str]) -> None:
    assert "no store" in fails(2, *command, store=tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("url", ["ftp://x", "data", "file:", "aws:"])
def test_what_names_no_store_is_told(command: list[str], url: str) -> None:
    assert "names no store" in fails(2, *command, "--store", url, stdin=b"")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_store_of_another_format_is_left_alone(tmp_path: Path, command: list[str]) -> None:
    succeeds("run", "-", store=tmp_path, stdin=lines(purchase("1")))
    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert "format 99" in fails(2, *command, store=tmp_path, stdin=b"")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_store_is_told(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"something else " * 1000)
    assert "store" in fails(2, *command, store=tmp_path, stdin=b"")
    (tmp_path / "file").touch()
    fails(2, *command, store=tmp_path / "file", stdin=b"")
    fails(2, *command, store=tmp_path / "file" / "below", stdin=b"")


def test_a_second_writer_is_refused_and_readers_go_on(tmp_path: Path) -> None:
    succeeds("run", "-", store=tmp_path, stdin=lines(purchase("1")))
    with open_local(tmp_path, write=True):
        for command in (["run", "-"], ["reconcile", "--repair"]):
            assert "another process" in fails(2, *command, store=tmp_path, stdin=lines(purchase("2")))
        assert len(objects("events", "purchase", store=tmp_path)) == 1
        assert document("reconcile", store=tmp_path)["holds"]
    assert document("run", "-", store=tmp_path, stdin=lines(purchase("2")))["curated"] == 1


def test_a_reader_does_not_keep_writers_out(tmp_path: Path) -> None:
    """Whoever pages through events for an hour must not stop what comes in."""
    from millrace.core.catalogs import retail
    from millrace.entrypoints.bootstrap import open_platform

    succeeds("run", "-", store=tmp_path, stdin=lines(purchase("1")))
    with open_platform(f"file:{tmp_path}", retail.catalog, write=False) as platform:
        assert document("run", "-", store=tmp_path, stdin=lines(purchase("2")))["curated"] == 1
        assert platform.stores.curated.count() == 2


def test_what_another_process_has_in_hand_is_told_with_the_gap(tmp_path: Path) -> None:
    from millrace.core.catalogs import retail
    from millrace.entrypoints.bootstrap import open_platform

    with open_platform(f"file:{tmp_path}", retail.catalog, write=True) as platform:
        platform.ingest.chunk(lines(purchase("1")), source="s", content_type="application/x-ndjson", origin="o")
        result = millrace("reconcile", store=tmp_path)
        assert result.exit_code == 1
        assert "1 receipts without a ledger entry" in result.stdout
        assert "Another process is writing" in result.stderr


def test_the_store_in_memory_is_a_dry_run(tmp_path: Path) -> None:
    summary = json.loads(succeeds("run", "-", "--json", "--store", "memory:", stdin=lines(purchase("1"), b"?")).stdout)
    assert (summary["curated"], summary["dead_lettered"]) == (1, 1)


def test_store_and_catalog_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "MILLRACE_STORE": f"file:{tmp_path}/s", "MILLRACE_CATALOG": "nowhere:catalog"}
    done = subprocess.run([*COMMAND, "run", "-"], env=environment, input=b"", capture_output=True, check=False)
    assert done.returncode == 2
    assert b"there is no module 'nowhere'" in done.stderr
    del environment["MILLRACE_CATALOG"]
    subprocess.run([*COMMAND, "run", "-"], env=environment, input=b"", capture_output=True, check=True)
    assert (tmp_path / "s").is_dir()


# ------------------------------------------------------------------------------------------------------------- catalogs
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("this is no Python", "SyntaxError"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("1 / 0", "ZeroDivisionError"),
        ("other = 1", "no catalog named 'catalog'"),
        ("from millrace import Catalog\ncatalog = Catalog('empty')", "declares no event types"),
        ("from millrace import Catalog\ncatalog = Catalog('bad name')", "is no name for a catalog"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_a_catalog_that_cannot_be_used_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "wrong.py").write_text(text)
    for command in (["run", "-"], ["catalog", "list"], ["catalog", "schema", "t"], ["events", "t"]):
        said = fails(2, *command, "--catalog", tmp_path / "wrong.py", store=tmp_path / "store", stdin=b"{}\n")
        assert sentence in said
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "name",
    ["nowhere", "nowhere:catalog", "nowhere.py", "millrace:nothing", ":", "", "os:path", ".x:y", "a b", "x.py:c", "/"],
)
def test_a_catalog_that_is_not_there_is_told(name: str, tmp_path: Path) -> None:
    fails(2, "catalog", "list", "--catalog", name)
    fails(2, "run", "-", "--catalog", name, store=tmp_path / "store", stdin=b"")
    assert not (tmp_path / "store").exists()


def test_a_receipt_of_a_source_that_the_catalog_lacks_is_told(tmp_path: Path) -> None:
    cloudtrail = "millrace.core.catalogs.cloudtrail:catalog"
    succeeds("run", "-", "--source", "cloudtrail", "--catalog", cloudtrail, store=tmp_path, stdin=b"{}\n")
    (letter,) = objects("dead-letters", "list", "--catalog", cloudtrail, store=tmp_path)
    assert "source 'cloudtrail'" in fails(2, "dead-letters", "show", letter["id"], store=tmp_path)


# ---------------------------------------------------------------------------------------------------------------- usage
@pytest.mark.parametrize(
    "command",
    [
        ["nothing"], ["run", "--nothing", "-"], ["view", "nothing"], ["events", "nothing"], ["dead-letters", "nothing"],
        ["events"], ["events", "purchase", "extra"], ["catalog", "schema"],
        ["events", "purchase", "--since", "yesterday"], ["events", "purchase", "--since", "2026-02-30"],
        ["events", "purchase", "--since", "2026-11-23T02:00:00"], ["events", "purchase", "--until", "999999w"],
        ["events", "purchase", "--since", "2026-11-24", "--until", "2026-11-23"], ["reconcile", "--since", ""],
        ["events", "purchase", "--limit", "-1"], ["events", "purchase", "--limit", "many"],
        ["events", "purchase", "--where", "currency"], ["events", "purchase", "--where", "=x"],
        ["view", "revenue", "--by", "customer"], ["view", "visitors", "--by", "x"],
        ["sample", "--events", "-1"], ["sample", "--broken", "101"], ["sample", "--types", "x"],
        ["catalog", "schema", "purchase", "--version", "0"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_one_sentence(tmp_path: Path, command: list[str]) -> None:
    succeeds("run", "-", store=tmp_path, stdin=lines(purchase("1")))
    assert fails(2, *command, *(["--store", f"file:{tmp_path}"] if command != ["nothing"] else []))


@pytest.mark.parametrize(
    "path",
    [[], ["catalog"], ["dead-letters"], ["jobs"], ["ops"], ["ops", "executions"], ["ops", "incident"]],
    ids=" ".join,
)
def test_help_has_an_example_for_every_command(path: list[str]) -> None:
    from click import Context, Group

    from millrace.entrypoints.cli import main

    group: Any = main
    for name in path:
        group = group.commands[name]
    for name, command in group.commands.items():
        for flag in ("--help", "-h"):
            text = succeeds(*path, name, flag).stdout
            assert "Example" in text
            assert f"millrace {' '.join([*path, name])}" in text
        if not isinstance(command, Group):
            options = {option for each in command.get_params(Context(command)) for option in each.opts}
            # These are about no store that is there, and operations about no catalog.
            needed = {"--store"} if path[:1] == ["ops"] else {"--store", "--catalog"}
            needed = set() if name in ("cost", "deploy", "verify") else needed
            assert {"--help", *needed} <= options
    assert "millrace" in succeeds(*path, "--help").stdout


def test_the_version_is_told() -> None:
    from millrace import __version__

    assert succeeds("--version").stdout == f"millrace {__version__}\n"


# ------------------------------------------------------------------------------------------------- pipes and interrupts
def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    succeeds("run", "-", store=tmp_path, stdin=lines(*(purchase(str(number)) for number in range(3000))))
    for command in (
        ["events", "purchase", "--ndjson"],
        ["sample", "--events", "50000"],
        ["events", "purchase", "--limit", "0"],
    ):
        process = start(*command, store=tmp_path)
        assert process.stdout
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr
        said = process.stderr.read()
        assert (process.wait(), said) == (0, b"")
        process.stderr.close()
        assert process.stdin
        process.stdin.close()


def test_output_to_a_full_disk_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        process = start("sample", "--events", "10", store=tmp_path, stdout=full)
        _, said = process.communicate()
    assert process.returncode == 1
    assert said == b"millrace: Writing: No space left on device.\n"


def wait_until_begun(process: "subprocess.Popen[bytes]", store: Path) -> None:
    """Wait until a run has its first receipt; a minute is far more than it needs."""
    for _ in range(6000):
        assert process.poll() is None
        if list(store.glob("raw/2*/*.raw")):
            return
        time.sleep(0.01)
    process.kill()
    pytest.fail("the run did not begin")


def test_an_interrupt_is_one_sentence_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    process = start("run", "-", store=tmp_path)
    assert process.stdin
    process.stdin.write(lines(*(purchase(str(number)) for number in range(24_000))))
    process.stdin.flush()
    wait_until_begun(process, tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.count(b"\n") == 1
    assert b"Interrupted" in said
    account = document("reconcile", store=tmp_path)
    assert account["holds"]
    assert account["receipts"] >= 1
    with open_local(tmp_path, write=True) as local:
        assert list(local.stores.queue.receive(10)) == []
        assert len(local.stores.raw.list(since=EARLIEST, until=LATEST, after=None, limit=99)) == account["receipts"]


def test_a_kill_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    content = lines(*(purchase(str(number)) for number in range(24_000)))
    process = start("run", "-", store=tmp_path)
    assert process.stdin
    process.stdin.write(content)
    process.stdin.flush()
    wait_until_begun(process, tmp_path)
    process.kill()
    process.communicate()
    before = document("reconcile", store=tmp_path)
    assert before["holds"]
    summary = document("run", "-", store=tmp_path, stdin=content)
    assert summary["duplicate"] == before["curated"]
    assert summary["curated"] == 24_000 - before["curated"]


@pytest.mark.parametrize(
    "command", [["view", "revenue"], ["dead-letters", "list"], ["events", "purchase"], ["catalog", "list"]]
)
def test_a_terminal_is_shown_tables_that_markup_in_data_does_not_change(
    tmp_path: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = purchase("[bold]1[/bold]") | {"eventTime": "2026-11-23T04:00:00Z"}
    succeeds(
        "run", "-", store=tmp_path, stdin=lines(odd, purchase("2"), purchase("\x1b[2J", "-1"), purchase("[/]", "-1"))
    )
    for width in ("200", "40"):
        monkeypatch.setenv("COLUMNS", width)
        text = on_a_terminal(*command, store=tmp_path, stream="stdout")
        assert ("─" in text) == (width == "200")
        assert ("[bold]1[/bold]" in text) == (command[0] == "events")
        assert "\x1b[2J" not in text


def test_a_bar_is_drawn_on_a_terminal_only(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(lines(*(purchase(str(number)) for number in range(100))))
    assert "processing" in on_a_terminal("run", tmp_path / "a.ndjson", store=tmp_path / "one", stream="stderr")
    for arguments in (["--verbose"], []):
        text = on_a_terminal("run", tmp_path / "a.ndjson", *arguments, store=tmp_path / "two", stream="stdout")
        assert "processing" not in text
    assert succeeds("run", tmp_path / "a.ndjson", store=tmp_path / "three").stderr == ""


def on_a_terminal(*arguments: str | Path, store: Path, stream: str) -> str:
    """What a command writes to a stream that is a terminal."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = start(*arguments, store=store, stdin=subprocess.DEVNULL, **{stream: theirs})
        os.close(theirs)
        written = b""
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while block := terminal.read(65536):
                written += block
        process.communicate()
    assert process.returncode == 0
    return written.decode()


def test_rich_and_structlog_are_not_imported_for_help() -> None:
    heavy = {"rich", "structlog", "millrace.adapters.local", "cattrs"}
    code = f"import sys; from millrace.entrypoints.cli import main; print(sorted({heavy} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
