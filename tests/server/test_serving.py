"""``millrace serve``: live in one command, and an end at which nothing that was accepted is lost."""

import os
import signal
import socket
from functools import partial
from pathlib import Path

import pytest

from .process import Server, is_dead, millrace, purchase, serving, summary, until


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"file:{tmp_path / 'store'}"


def test_what_is_posted_is_curated_folded_and_dead_lettered(tmp_path: Path, store: str) -> None:
    with serving(tmp_path, store=store) as server:
        answer = server.call("POST", "/ingest", [purchase("1"), purchase("2"), purchase("1"), purchase("3", -1), 7])
        assert answer.status_code == 202
        accepted = answer.json()
        assert (accepted["accepted"], [each["index"] for each in accepted["rejected"]]) == (4, [4])
        assert answer.headers["x-correlation-id"] == accepted["receipt"]
        until(lambda: len(server.get("/events/purchase")) == 2)
        [row] = until(lambda: server.get("/views/revenue"))
        assert (row["orders"], row["revenue"]) == (2, "25")
        ledger = until(lambda: server.get(f"/console/receipts/{accepted['receipt']}")["ledger"])
        assert (ledger["curated"], ledger["duplicate"], ledger["dead_lettered"]) == (2, 1, 2)
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_on_a_signal_leaves_nothing_to_be_done(tmp_path: Path, number: int) -> None:
    store = f"file:{tmp_path / 'store'}"
    with serving(tmp_path, store=store) as server:
        for batch in range(30):
            events = [purchase(f"{batch}-{n}") for n in range(50)]
            assert server.call("POST", "/ingest", events).status_code == 202
        assert server.stop(number) == 0
        assert "Traceback" not in server.log.read_text()
    account = summary(store)
    assert (account["curated"], account["mended"]) == (1500, 0)


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    store = f"file:{tmp_path / 'store'}"
    with serving(tmp_path, store=store) as server:
        sent = 0
        for _ in range(3):
            before = server.worker()
            os.kill(before, signal.SIGKILL)
            for _ in range(5):
                events = [purchase(f"{sent + n}") for n in range(20)]
                assert server.call("POST", "/ingest", events).status_code == 202
                sent += 20
            until(partial(_has_another_worker, server, before))
        until(lambda: len(server.get("/events/purchase", params={"limit": 1000})) == sent)
        assert server.get("/health")["status"] == "ok"
        assert server.stop() == 0
    assert summary(store)["curated"] == sent


def test_while_nobody_processes_health_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, store=f"file:{tmp_path / 'store'}") as server:
        os.kill(server.worker(), signal.SIGSTOP)
        assert server.call("POST", "/ingest", purchase("1")).status_code == 202
        os.kill(server.worker(), signal.SIGKILL)
        states = until(lambda: _states(server, "failing"))
        assert states["worker"] == "failing"
        until(lambda: len(server.get("/events/purchase")) == 1)


def test_a_worker_ends_with_its_server(tmp_path: Path) -> None:
    store = f"file:{tmp_path / 'store'}"
    with serving(tmp_path, store=store) as server:
        worker = server.worker()
        server.stop(signal.SIGKILL)
        until(partial(is_dead, worker))
    with serving(tmp_path, store=store) as server:
        assert server.get("/events/purchase") == []


def test_another_writer_is_told_and_so_is_a_second_server(tmp_path: Path) -> None:
    store = f"file:{tmp_path / 'store'}"
    with serving(tmp_path, store=store):
        assert "being written by another process" in millrace("serve", "--port", "0", "--store", store, exits=2)
        file = tmp_path / "events.ndjson"
        file.write_text('{"eventType": "signup", "customer_id": "c", "plan": "free"}\n')
        assert "being written by another process" in millrace("run", file, "--store", store, exits=2)
        assert millrace("reconcile", "--store", store).endswith("Every event is accounted for.\n")


def test_what_cannot_be_served_is_said_in_a_sentence(tmp_path: Path) -> None:
    store = f"file:{tmp_path / 'store'}"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "cannot listen" in millrace("serve", "--port", port, "--store", store, exits=2)
    assert "MILLRACE_API_KEYS" in millrace("serve", "--host", "0.0.0.0", "--store", store, exits=2)
    assert "shorter" in millrace("serve", "--store", store, exits=2, MILLRACE_API_KEYS="a=b")
    assert "no store" in millrace("serve", "--store", "nowhere", "--port", "0", exits=2)
    assert "no such catalog file" in millrace("serve", "--store", store, "--catalog", "absent.py", exits=2)
    assert not (tmp_path / "store").exists()


def test_a_store_is_served_after_what_a_crash_left_is_processed(tmp_path: Path) -> None:
    store = f"file:{tmp_path / 'store'}"
    with serving(tmp_path, store=store) as server:
        os.kill(server.worker(), signal.SIGSTOP)
        for n in range(10):
            assert server.call("POST", "/ingest", purchase(str(n))).status_code == 202
        server.stop(signal.SIGKILL)
    with serving(tmp_path, store=store) as server:
        until(lambda: len(server.get("/events/purchase")) == 10)
        [row] = until(lambda: server.get("/views/revenue"))
        assert row["orders"] == 10


def _has_another_worker(server: Server, before: int) -> bool:
    text = server.log.read_text()
    return "worker.ended" in text and "worker.started" in text and server.worker() != before


def _states(server: Server, wanted: str) -> dict[str, str]:
    found: dict[str, str] = server.call("GET", "/health").json()["dependencies"]
    return found if wanted in found.values() else {}
