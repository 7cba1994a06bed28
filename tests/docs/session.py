"""A reader at work: runs a page's blocks in an empty folder, in their order, and compares what is printed."""

import doctest
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.docs.commands import require_known
from tests.docs.pages import Block, blocks, commands
from tests.processes import PATIENCE_SECONDS

PORT = ":8080"
"""The port in the text; a free one takes its place."""
_STOPPED = re.compile(r"\+\+ctrl\+c\+\+|<kbd>Ctrl</kbd>\+<kbd>C</kbd>")
_SERVER = re.compile(r"(\w+=\S+ )*millrace serve\b.*")
# What only looks is looked at again until it shows what the page says: readers are slower than tests.
_LOOKS = re.compile(
    r"^(millrace (events|view|dead-letters (list|summary|show)|reconcile)\b|curl (?!.*( -d| --data| -X)))"
)
_SETS_UP = re.compile(r"^(make|npm|pip|python3? -m venv|\. \S*activate|git) ?")
_VARYING = [
    (re.compile(r"\b01[0-9a-f]{6}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "RECEIPT"),
    (re.compile(r"^(seconds|events/s) +[\d.,]+", re.MULTILINE), r"\1 N"),  # right-aligned, so of any width
    (re.compile(r"(\"seconds\": |\"events_per_second\": )[\d.,]+"), r"\1N"),
    (re.compile(r"(\"(?:curatedAt|receivedAt)\": ?)\"[^\"]+\""), r"\1NOW"),
    (re.compile(r"^timestamp=\S+", re.MULTILINE), "timestamp=NOW"),
    (re.compile(r"\bin \d+\.\d+s\b"), "in N"),  # as pytest says how long it took
    (re.compile(r" +\[100%\]$", re.MULTILINE), " [100%]"),  # at the right of a terminal of any width
]


def settled(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def same(expected: str, printed: str) -> bool:
    """Whether the output is what the page shows; ``...`` there stands for anything."""
    return doctest.OutputChecker().check_output(settled(expected) + "\n", settled(printed) + "\n", doctest.ELLIPSIS)


@contextmanager
def session(folder: Path, *, fresh: bool = False) -> Iterator["Session"]:
    """A session in an empty folder; the server that it leaves running is stopped.

    On a ``fresh`` machine nothing is installed but what the page installs. Else Millrace is there already, and commands
    that install are only checked.
    """
    reader = Session(folder, fresh=fresh)
    try:
        yield reader
    finally:
        reader.stop()


class Session:
    """A shell whose folder and exported variables last from command to command, and at most one server."""

    def __init__(self, folder: Path, *, fresh: bool) -> None:
        self._fresh = fresh
        self._state, self._place = folder / "state", folder / "place"
        home = folder / "home"
        home.mkdir()
        self._state.write_text("")
        self._place.write_text(f"{home}\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = f":{free.getsockname()[1]}"
        self._server: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"
        self._handlers: dict[str, Callable[[Block], None]] = {
            "": self._drawing,
            "console": self._console,
            "diff": self._diff,
            "ini": self._ini,
            "javascript": self._saved,
            "json": self._json,
            "pycon": self._pycon,
            "python": self._python,
            "sh": self._known,
            "toml": self._toml,
            "yaml": self._yaml,
        }

    @property
    def folder(self) -> Path:
        """Where the reader is, after every ``cd``."""
        return Path(self._place.read_text().removesuffix("\n"))

    @property
    def url(self) -> str:
        """Where its server listens."""
        return f"http://127.0.0.1{self._port}"

    def play(self, page: Path, before: str | None = None) -> list[str]:
        """Run, save or check every block of the page, or of its part before a heading; the languages of those done."""
        done = []
        for block in blocks(page):
            if before is not None and f"\n{before}" in block.prose:
                break
            if _STOPPED.search(block.prose):
                self.stop()
            assert block.language in self._handlers, f"{block.place}: what is to be done with {block.language!r}?"
            try:
                self._handlers[block.language](block)
            except AssertionError as error:
                error.add_note(f"in the block at {block.place}")
                raise
            done.append(block.language)
        return done

    def stop(self) -> None:
        """End the server as Ctrl+C does; it must end well."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.send_signal(signal.SIGINT)
        try:
            code = server.wait(PATIENCE_SECONDS)
        finally:
            server.kill()
        assert code == 0, self._log.read_text()

    # ------------------------------------------------------------------------------------------------- what is run
    def _console(self, block: Block) -> None:
        pairs = list(commands(block.text))
        assert pairs, "a console block without a command"
        while pairs:
            command, output = pairs.pop(0)
            if pairs and pairs[0][0] == "echo $?":
                assert not output or output.endswith("\n")
                command, output = f"{command}\necho $?", output + pairs.pop(0)[1]
            self._command(command, output)

    def _command(self, command: str, output: str) -> None:
        named = self.folder / command.removeprefix("cat ")
        if command.startswith("cat ") and not named.exists():
            self._write(named, output)  # the page shows a file by printing it
        elif _SETS_UP.match(command):
            assert not output, f"what {command} prints is not compared"
            require_known(command)
            if self._fresh:
                self._run(command)
        elif _SERVER.fullmatch(command):
            self._serve(command, output)
        else:
            until = time.monotonic() + (PATIENCE_SECONDS if self._server and _LOOKS.match(command) else 0)
            while not same(output, printed := self._run(command)):
                assert time.monotonic() < until, f"$ {command}\n{printed}\nand not\n{output}"
                time.sleep(0.2)

    def _run(self, command: str) -> str:
        script = (
            f". '{self._state}'\n{self._here(command)}\n"
            f"code=$?; export -p >'{self._state}'; pwd >'{self._place}'; exit $code"
        )
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=5 * PATIENCE_SECONDS,
        )
        printed = done.stdout.replace(self._port, PORT)
        assert done.returncode == 0, f"$ {command}\n{printed}\nended with {done.returncode}"
        return printed

    def _serve(self, command: str, output: str) -> None:
        self.stop()
        script = f". '{self._state}'\nexec {self._here(f'env {command}')} --port {self._port[1:]}"
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                ["sh", "-c", script],
                cwd=self.folder,
                env=self._environment(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._server.poll() is None, self._log.read_text()
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.05)
        printed = self._log.read_text().replace(self._port, PORT)
        assert same(output, printed), f"$ {command}\n{printed}"

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                healthy: bool = answer.status == 200
                return healthy
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
        if not self._fresh:
            kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        # With CI set, Hypothesis draws the same examples each time, and none is too slow for it.
        return {**kept, "CI": "true", "COLUMNS": "200", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def _pycon(self, block: Block) -> None:
        test = self.folder / ".example.txt"
        test.write_text(block.text)
        self._run(f"python -m doctest -o ELLIPSIS -o NORMALIZE_WHITESPACE {test.name}")

    def _python(self, block: Block) -> None:
        compile(block.text, block.place, "exec")
        if block.name is None:
            (self.folder / ".block.py").write_text(self._here(block.text))
            self._run("python .block.py")
        else:
            self._saved(block)

    # --------------------------------------------------------------------------------------- what is saved or read
    def _saved(self, block: Block) -> None:
        assert block.name is not None, "what is this block to be saved as?"
        path = self.folder / block.name
        self._write(path, (path.read_text() if block.is_added else "") + block.text)

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._here(text))

    def _diff(self, block: Block) -> None:
        assert block.name is not None, "which file is to be changed?"
        path, lines = self.folder / block.name, block.text.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        text = path.read_text()
        assert text.count(old) == 1, f"{block.name} does not have these lines once:\n{old}"
        path.write_text(text.replace(old, new))

    def _json(self, block: Block) -> None:
        if block.name is not None and block.name.endswith(".ndjson"):
            for line in block.text.splitlines():
                json.loads(line)
        else:
            json.loads(block.text)
        self._kept(block)

    def _yaml(self, block: Block) -> None:
        yaml.safe_load(block.text)
        self._kept(block)

    def _toml(self, block: Block) -> None:
        tomllib.loads(block.text)
        self._kept(block)

    def _ini(self, block: Block) -> None:
        ConfigParser(strict=False, interpolation=None).read_string(block.text)
        self._kept(block)

    def _kept(self, block: Block) -> None:
        require_known(*re.findall(r"\b(?:millrace|make) .+", block.text))
        if block.name is not None and not block.name.startswith("/"):
            self._saved(block)

    def _drawing(self, block: Block) -> None:
        assert "$ " not in block.text, "a drawing with a command in it"

    def _known(self, block: Block) -> None:
        require_known(*re.sub(r"\\\n", "", block.text).splitlines())

    def _here(self, text: str) -> str:
        return text.replace(PORT, self._port)
