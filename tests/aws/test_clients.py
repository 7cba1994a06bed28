"""Claims about the clients: made late and once, quick to give up, pools as large as the parallelism."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest

from millrace.adapters.aws.clients import ATTEMPTS, READ_SECONDS, Clients
from millrace.core.errors import TransientError

from .calls import error, lost, throttled, timed_out, unavailable
from .opened import REGION, SURROUNDINGS, Account, mocked_account, new_session


def test_making_clients_reads_no_settings_and_opens_nothing() -> None:
    with patch("botocore.session.Session", side_effect=AssertionError("too early")):
        Clients()


def test_the_adapter_does_not_import_boto3() -> None:
    program = (
        "import sys, millrace.adapters.aws.orchestrator, millrace.adapters.aws.files, millrace.adapters.aws.raw;"
        "import millrace.adapters.aws.dead_letters; assert 'botocore' in sys.modules; assert 'boto3' not in sys.modules"
    )
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


def test_a_client_is_made_once_whoever_asks_first() -> None:
    with mocked_account() as account:
        clients = account.another(region=REGION)
        counted = patch.object(Clients, "_make", autospec=True, side_effect=Clients._make)
        with counted as make, ThreadPoolExecutor(8) as pool:
            found = set(pool.map(lambda _: clients.get("sqs"), range(50)))
    assert len(found) == make.call_count == 1


@pytest.mark.parametrize("service", ["s3", "sqs", "dynamodb", "dynamodbstreams", "stepfunctions"])
def test_every_client_gives_up_in_time_and_has_a_connection_for_each_thread(service: str) -> None:
    with patch.dict(os.environ, SURROUNDINGS):
        config = Clients(parallelism=7, session=new_session()).get(service).meta.config
    assert config.connect_timeout == 2
    assert config.read_timeout == READ_SECONDS.get(service, 10)
    assert config.max_pool_connections == 7
    assert config.retries["total_max_attempts"] == ATTEMPTS
    assert config.retries["mode"] == "standard"


def test_the_longest_poll_of_the_queue_is_no_timeout() -> None:
    assert READ_SECONDS["sqs"] > 20


def test_the_region_is_the_one_given_then_the_one_of_lambda_then_the_sessions() -> None:
    with patch.dict(os.environ, {**SURROUNDINGS, "AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-south-1"}):
        assert Clients("eu-central-1", session=new_session()).get("sqs").meta.region_name == "eu-central-1"
        assert Clients(session=new_session()).get("sqs").meta.region_name == "eu-north-1"
        del os.environ["AWS_REGION"]
        assert Clients(session=new_session()).region == "eu-south-1"


def test_closed_clients_are_made_anew_when_they_are_asked_for() -> None:
    with patch.dict(os.environ, SURROUNDINGS):
        clients = Clients(session=new_session())
        first = clients.get("sqs")
        clients.close()
        assert clients.get("sqs") is not first


@pytest.mark.parametrize("fault", [throttled, unavailable, lost, timed_out, error("RequestTimeout")])
def test_what_fails_for_a_moment_is_tried_again_by_the_client(trying: Account, fault: object) -> None:
    trying.calls.next("PutObject", fault, fault)  # type: ignore[arg-type]
    trying.job_files().write("j", "plan.json", b"{}")
    assert len(trying.calls.of("PutObject")) == 3
    assert trying.job_files().read("j", "plan.json") == b"{}"


def test_what_fails_for_longer_is_the_callers_to_wait_for(trying: Account) -> None:
    trying.calls.always("PutObject", throttled)
    with pytest.raises(TransientError, match="SlowDown"):
        trying.job_files().write("j", "plan.json", b"{}")
    assert len(trying.calls.of("PutObject")) == 3
