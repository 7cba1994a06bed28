"""Wiring by name: the platform on the store that a URL names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from ..adapters.local import LocalStore, open_local
from ..adapters.local.orchestrator import LocalOrchestrator
from ..adapters.memory import MemoryOrchestrator, memory_stores
from ..adapters.system import RandomReceiptIds, SystemClock
from ..core.catalog import Catalog
from ..core.errors import StoreError
from ..core.ports import Orchestrator, Stores
from .platform import Platform

WORTH_NOTING: Final = 1000
"""Receipts that a reader has looked at, from which on it notes how far it came."""


@contextmanager
def open_platform(store: str, catalog: Catalog, *, write: bool, mend: bool = True) -> Iterator[Platform]:
    """The platform on a store: ``memory:``, ``file:PATH`` or ``aws:STACK``.

    A file store is mended when it is opened. With ``write`` it is created if need be, and nobody else may be writing
    to it; without ``mend``, whoever opens it does that. Without ``write``, it must exist; others may write meanwhile,
    and only where something needs mending and nobody is writing is the writer's lock taken, until it is mended. On a
    stack the functions process what is accepted, and a schedule mends: opening it only looks the stack up. Raises
    ``StoreError``.
    """
    clock, ids = SystemClock(), RandomReceiptIds()
    scheme, _, rest = store.partition(":")
    if scheme == "memory":
        platform = Platform.assemble(catalog, memory_stores(), clock, ids)
        yield attrs.evolve(platform, runner=MemoryOrchestrator(platform.jobs, clock))
        return
    if scheme == "aws" and rest:
        from ..core.services.archive import STACK_MARGIN

        with _open_stack(rest, catalog) as (stores, runner):
            platform = Platform.assemble(catalog, stores, clock, ids, margin=STACK_MARGIN)
            yield attrs.evolve(platform, attended=True, runner=runner)
        return
    if scheme != "file" or not rest:
        raise StoreError(f"{store!r} names no store; use file:PATH, aws:STACK or memory: .")
    path = Path(rest)
    if write:
        with open_local(path, write=True) as local:
            platform = _on_a_folder(local, catalog)
            yield attrs.evolve(platform, mended=platform.mend() if mend else 0)
            platform.settle()
        return
    mended, busy, held = 0, False, dict[str, str]()
    with open_local(path, write=False) as local:
        platform = _on_a_folder(local, catalog)
        verified = platform.verify()
        if verified.receipts > WORTH_NOTING:
            local.note_verified(verified.until)
        if verified.whole and platform.project.is_current():
            yield platform
            return
    with open_local(path, write="if-free") as local:
        if local.writable:
            platform = _on_a_folder(local, catalog)
            mended, held = platform.mend(), platform.work.held
            platform.settle()
        else:
            busy = True
    with open_local(path, write=False) as local:
        platform = _on_a_folder(local, catalog)
        platform.work.held.update(held)
        yield attrs.evolve(platform, mended=mended, busy=busy)


@contextmanager
def open_stores(store: str, catalog: Catalog) -> Iterator[Stores]:
    """The stores of a URL, to be read as they are: nothing is mended. Raises ``StoreError``."""
    scheme, _, rest = store.partition(":")
    if scheme == "aws" and rest:
        with _open_stack(rest, catalog) as (stores, _):
            yield stores
    elif scheme == "file" and rest:
        with open_local(Path(rest), write=False) as local:
            yield local.stores
    else:
        raise StoreError(f"{store!r} names no store to read; use file:PATH or aws:STACK.")


def _on_a_folder(local: LocalStore, catalog: Catalog) -> Platform:
    clock = SystemClock()
    platform = Platform.assemble(catalog, local.stores, clock, RandomReceiptIds())
    runner = LocalOrchestrator(local.path, platform.jobs, clock, write=local.writable, project=platform.work.project)
    return attrs.evolve(platform, runner=runner, together=local.together)


@contextmanager
def _open_stack(stack: str, catalog: Catalog) -> Iterator[tuple[Stores, Orchestrator]]:
    try:
        from ..adapters.aws.clients import Clients
        from ..adapters.aws.orchestrator import StepFunctionsOrchestrator
        from ..adapters.aws.stack import stack_resources
        from ..adapters.aws.store import open_aws
    except ModuleNotFoundError as error:
        if error.name != "botocore":
            raise
        raise StoreError("stores on AWS need the extra aws: pip install 'millrace[aws]'") from None
    clients = Clients()
    resources = stack_resources(clients, stack)
    with open_aws(resources, clients, shards=catalog.shards) as stores:
        yield stores, StepFunctionsOrchestrator(clients, resources.state_machine_arn)
