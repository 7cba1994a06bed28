"""``millrace serve`` over a deployed stack: it accepts and shows, the stack's functions process."""

from pathlib import Path

from tests.server.process import purchase, serving, until
from tests.server.test_live import pulses

from .cloud import Cloud
from .test_command_line import STACK, told


def test_what_the_server_accepts_the_functions_process_and_the_console_shows(cloud: Cloud, tmp_path: Path) -> None:
    with serving(tmp_path, "--console", store=STACK, **cloud.surroundings()) as server:
        accepted = server.call("POST", "/ingest", [purchase("1"), purchase("2", -1), purchase("1")])
        assert accepted.status_code == 202
        receipt = accepted.json()["receipt"]
        assert server.get(f"/console/receipts/{receipt}")["ledger"] is None
        cloud.drain()
        ledger = until(lambda: server.get(f"/console/receipts/{receipt}")["ledger"])
        assert (ledger["curated"], ledger["duplicate"], ledger["dead_lettered"]) == (1, 1, 1)
        assert [row["eventId"] for row in server.get("/events/purchase")] == ["1"]
        assert [row["orders"] for row in server.get("/views/revenue")] == [1]
        [cause] = server.get("/console/causes")
        answer = server.call("POST", "/console/redrive", {"fingerprint": cause["fingerprint"], "dry_run": True}).json()
        assert (answer["letters"], answer["same"]) == (1, 1)
        stream = pulses(server)
        assert next(stream)[0] == "history"
        pulse = next(stream)[1]
        assert (pulse["counted"], pulse["waiting"]) == (False, None)
        assert server.call("GET", "/").status_code == 200
        assert server.stop() == 0
    assert told("reconcile")["holds"] is True
