"""What the reference says of commands and of the HTTP API, made from the program itself when the site is built."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import click

from millrace.entrypoints.catalogs import load_catalog
from millrace.entrypoints.cli import main
from millrace.entrypoints.cli.ops import ops
from millrace.entrypoints.cli.options import DEFAULT_CATALOG
from millrace.entrypoints.http.exchanges import encode
from millrace.entrypoints.http.openapi import describe

WIDTH: Final = 82


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with each ``<!-- reference: NAME -->`` replaced."""
    for name, lines in PARTS.items():
        marker = f"<!-- reference: {name} -->"
        if marker in markdown:
            markdown = markdown.replace(marker, "\n".join(lines()))
    return markdown


def commands(command: click.Command, parent: click.Context | None, level: int = 2) -> Iterator[str]:
    """Each command under a heading, with what its ``--help`` prints."""
    context = click.Context(
        command,
        parent=parent,
        info_name=command.name,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    path = context.command_path
    yield from (f"{'#' * level} {path}", "", "```text", command.get_help(context), "```", "")
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from commands(child, context, level + 1)


def _all_but_ops() -> Iterator[str]:
    context = click.Context(main, info_name="millrace")
    for command in main.commands.values():
        if command is not ops:
            yield from commands(command, context)


def _ops() -> Iterator[str]:
    context = click.Context(ops, parent=click.Context(main, info_name="millrace"), info_name="ops")
    for command in ops.commands.values():
        yield from commands(command, context)


def _http() -> Iterator[str]:
    document = json.loads(encode(describe(load_catalog(DEFAULT_CATALOG))))
    responses = document["components"]["responses"]
    for path, item in document["paths"].items():
        for method in ("get", "post"):
            if method in item:
                yield from _operation(path, method, item, responses)


def _operation(path: str, method: str, item: dict[str, Any], responses: dict[str, Any]) -> Iterator[str]:
    operation = item[method]
    yield from (f"## {method.upper()} {path}", "", f"{operation['summary']}.", "")
    if parameters := [*item.get("parameters", []), *operation.get("parameters", [])]:
        yield from ("| parameter | in | meaning |", "| --- | --- | --- |")
        for parameter in parameters:
            yield f"| `{parameter['name']}` | {parameter['in']} | {_meaning(parameter)} |"
        yield ""
    if body := operation.get("requestBody"):
        yield from (f"**Body.** {body['description']}", "")
        for kind, content in body["content"].items():
            yield from _examples(content, f"`{kind}`")
    yield from ("| status | meaning |", "| --- | --- |")
    for status, response in sorted(operation["responses"].items()):
        name = response.get("$ref", "").rpartition("/")[2]
        yield f"| {status} | {(responses[name] if name else response)['description']} |"
    yield ""
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            yield from _examples(content, f"answer, {status}")


def _examples(content: dict[str, Any], where: str) -> Iterator[str]:
    for name, example in content.get("examples", {}).items():
        value = example["value"]
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        yield from (f'??? example "{example.get("summary", name)} ({where})"', "    ```json")
        yield from (f"    {line}" for line in text.rstrip("\n").splitlines())
        yield from ("    ```", "")


def _meaning(parameter: dict[str, Any]) -> str:
    schema, words = parameter["schema"], [parameter.get("description", "")]
    if "enum" in schema:
        words.append("one of " + ", ".join(f"`{value}`" for value in schema["enum"]))
    if "minimum" in schema:
        words.append(f"{schema['minimum']} to {schema['maximum']}")
    if "default" in schema:
        words.append(f"{schema['default']} if not given")
    return "; ".join(word for word in words if word)


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "commands": _all_but_ops,
    "operations": _ops,
    "http": _http,
}
