"""Moto as a process of its own: ``python -m tests.aws.e2e.server`` serves on a free port and prints it.

A process apart, since other tests use moto's in-process mock, which shares its state with a server in the same process
and empties it. What moto itself calls (its interpreter of state machines) goes to the port in ``MOTO_PORT``, which is
the front's.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.processes import ending

from ..opened import SURROUNDINGS


@contextmanager
def moto_server(front_port: int) -> Iterator[int]:
    """The port of a fresh moto for as long as the block lasts."""
    environment = {**os.environ, **SURROUNDINGS, "MOTO_PORT": str(front_port), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-m", __name__]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    with process, ending(process):
        assert process.stdout is not None
        yield int(process.stdout.readline())


def main() -> None:
    """Serve until terminated."""
    import logging

    from moto.core.config import default_user_config
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from .serial import mend_streams

    class Handler(MotoRequestHandler):
        disable_nagle_algorithm = True  # headers and body go out separately

    mend_streams()
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    # A line for each request, and one for each resource that moto's CloudFormation passes over: noise in test reports.
    logging.disable(logging.WARNING)
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
