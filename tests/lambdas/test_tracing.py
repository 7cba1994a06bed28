import os
import socket
import subprocess
import sys

import msgspec

SCRIPT = """
import sys
from millrace.entrypoints.lambdas import ingestion, wiring
from tests.lambdas.arriving import Context, api_event
from tests.lambdas.site import SETTINGS, Clock
from tests.lambdas.test_ingestion import PURCHASE
from millrace.adapters.memory import memory_stores
from millrace.adapters.system import RandomReceiptIds
from millrace.core.catalogs.retail import catalog
from millrace.entrypoints.platform import Platform

wiring.use(Platform.assemble(catalog, memory_stores(), Clock(), RandomReceiptIds()), SETTINGS)
answer = ingestion.handler(api_event(body=PURCHASE), Context())
print(answer["headers"]["x-correlation-id"], "aws_xray_sdk" in sys.modules)
"""
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="


def traced(sampled: int, daemon: str) -> tuple[str, str]:
    """The receipt of a request in a function of its own process, and whether X-Ray's library was imported."""
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "_X_AMZN_TRACE_ID": f"{TRACE}{sampled}",
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_XRAY_DAEMON_ADDRESS": daemon,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=environ)
    receipt, imported = done.stdout.splitlines()[-1].split()
    return receipt, imported


def test_a_sampled_invocation_is_a_subsegment_with_its_correlation_id_and_no_payload() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(20)
        receipt, imported = traced(1, f"127.0.0.1:{daemon.getsockname()[1]}")
        _, _, segment = daemon.recv(65536).partition(b"\n")
    assert imported == "True"
    found = msgspec.json.decode(segment)
    assert (found["name"], found["annotations"]["correlation_id"]) == ("## ingestion", receipt)
    assert found["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert b"secret" not in segment


def test_an_invocation_that_is_not_sampled_does_not_even_import_the_tracer() -> None:
    assert traced(0, "127.0.0.1:9")[1] == "False"
