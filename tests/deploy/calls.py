"""What the code calls, read off its source: services' methods → ports' methods → operations of AWS → IAM actions.

Reading finds every call that there is, also those that only a rare failure makes; running would not.
"""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from millrace.adapters.aws import (
    batches,
    curated,
    dead_letters,
    dynamodb,
    feed,
    files,
    identities,
    ledger,
    queue,
    raw,
    sweep,
    views,
)
from millrace.core.services import archived, boundary, generations, ingest, jobs, process, project, reconcile

SERVICES: dict[str, type[Any]] = {
    "archived": archived.Archived,
    "boundaries": boundary.Boundaries,
    "ingest": ingest.Ingest,
    "process": process.Process,
    "project": project.Project,
    "generations": generations.Generations,
    "reconcile": reconcile.Reconcile,
    "jobs": jobs.Jobs,
}
PORTS: dict[str, type[Any]] = {
    "raw": raw.S3Raw,
    "curated": curated.DynamoCurated,
    "feed": feed.DynamoFeed,
    "views": views.DynamoViews,
    "ledger": ledger.DynamoLedger,
    "queue": queue.SqsQueue,
    "dead_letters": dead_letters.SqsDeadLetters,
    "job_files": files.S3Files,
    "archive": files.S3Files,
}
ALIASES = {"files": "job_files", "rows": "views"}
"""Names under which a service keeps a port, where they are not the port's own."""

HELPERS: dict[str, type[Any]] = {
    "database": dynamodb.DynamoDB,
    "identities": identities.DynamoIdentities,
    "sweep": sweep.Sweep,
}
ACTIONS = {
    "put_object": "s3:PutObject",
    "get_object": "s3:GetObject",
    "list_objects_v2": "s3:ListBucket",
    "send_message": "sqs:SendMessage",
    "send_message_batch": "sqs:SendMessage",
    "receive_message": "sqs:ReceiveMessage",
    "delete_message_batch": "sqs:DeleteMessage",
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "describe_table": "dynamodb:DescribeTable",
    "describe_stream": "dynamodb:DescribeStream",
    "get_records": "dynamodb:GetRecords",
    "get_shard_iterator": "dynamodb:GetShardIterator",
    **{
        operation: f"dynamodb:{operation}"
        for operation in (
            "PutItem",
            "GetItem",
            "BatchGetItem",
            "BatchWriteItem",
            "UpdateItem",
            "DeleteItem",
            "Query",
            "Scan",
        )
    },
}
"""The action that IAM asks for, by the operation as botocore or the wire names it."""


@attrs.frozen
class Call:
    """An action on what a port keeps; "identities" is a table of its own behind the port ``curated``."""

    port: str
    action: str


def chain(node: ast.expr) -> list[str]:
    """``self._stores.raw.list`` as its names without leading underscores; [] for what is no such chain."""
    if isinstance(node, ast.Name):
        return [node.id.lstrip("_")]
    if isinstance(node, ast.Attribute) and (before := chain(node.value)):
        return [*before, node.attr.lstrip("_")]
    return []


@cache
def _module(module: ModuleType) -> dict[str, ast.AST]:
    """The classes and functions of a module by name."""
    tree = ast.parse(inspect.getsource(module))
    return {node.name: node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


def _methods(cls: type[Any]) -> dict[str, ast.AST]:
    node = _module(inspect.getmodule(cls) or batches)[cls.__name__]
    return {item.name: item for item in ast.walk(node) if isinstance(item, ast.FunctionDef)}


def _reached(cls: type[Any], method: str, place: str) -> Iterator[tuple[str, ast.AST]]:
    """A method and what of its own class and module it may run, and of the helpers that it holds, with their place."""
    waiting: list[tuple[type[Any], ast.AST, str]] = [(cls, _methods(cls)[method], place)]
    seen: set[tuple[int, str]] = set()
    while waiting:
        owner, node, where = waiting.pop()
        if (id(node), where) in seen:
            continue
        seen.add((id(node), where))
        yield where, node
        # A class of the same module that is made use of counts whole; its "self" is another.
        methods = {} if isinstance(node, ast.ClassDef) else _methods(owner)
        module = _module(inspect.getmodule(owner) or batches)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute):
                names = chain(inner)
                if len(names) == 2 and names[0] == "self" and inner.attr in methods:
                    waiting.append((owner, methods[inner.attr], where))
                helper = HELPERS.get(names[-2]) if len(names) > 1 else None
                if helper and names[-1] in _methods(helper):
                    there = names[-2] if names[-2] == "identities" else where
                    waiting.append((helper, _methods(helper)[names[-1]], there))
            elif isinstance(inner, ast.Name) and inner.id in module:
                waiting.append((owner, module[inner.id], where))


def ports_of(service: str, method: str) -> set[tuple[str, str]]:
    """The (port, method) pairs that a service's method may call, by itself and through other services."""
    found: set[tuple[str, str]] = set()
    for _, node in _reached(SERVICES[service], method, service):
        for inner in ast.walk(node):
            names = chain(inner) if isinstance(inner, ast.Attribute) else []
            if len(names) < 2:
                continue
            owner, name = ALIASES.get(names[-2], names[-2]), names[-1]
            if owner in PORTS and name in _methods(PORTS[owner]):
                found.add((owner, name))
            elif owner in SERVICES and owner != service and name in _methods(SERVICES[owner]):
                found |= ports_of(owner, name)
    return found


def calls_of(port: str, method: str) -> set[Call]:
    """The actions that a port's method in adapters/aws may need, each on what it is for."""
    found: set[Call] = set()
    for place, node in _reached(PORTS[port], method, port):
        for inner in ast.walk(node):
            word = (
                inner.attr
                if isinstance(inner, ast.Attribute)
                else inner.value
                if isinstance(inner, ast.Constant)
                else ""
            )
            if isinstance(word, str) and word in ACTIONS:
                found.add(Call(place, ACTIONS[word]))
    return found


def operations() -> set[str]:
    """Everything that any method of the adapters behind the ports calls."""
    return {call.action for port, cls in PORTS.items() for name in _methods(cls) for call in calls_of(port, name)}


def entry_calls(folder: Path) -> set[tuple[str, str]]:
    """The (service or port, method) pairs that the files of a folder call."""
    found: set[tuple[str, str]] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = chain(node.func) if isinstance(node, ast.Call) else []
            if len(names) > 1:
                owners = SERVICES if len(names) < 3 or names[-3] != "stores" else PORTS
                if names[-2] in owners and names[-1] in _methods(owners[names[-2]]):
                    found.add((names[-2], names[-1]))
    return found
