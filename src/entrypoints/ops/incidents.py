"""Incident files: Markdown with what was known at the beginning, a timeline, and what is left to write at the end.

One file an incident, named by its day and title, in a folder that people keep under version control. None is ever
written over: opening takes a name that is free, closing adds to what is there.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ...core.errors import PermanentError
from ...core.times import parse_time
from .findings import Report
from .readings import to_the_second
from .stack import Stack

OPEN: Final = "Status: open"
_STARTED = re.compile(r"^Started: (\S+)$", re.MULTILINE)
_NO_NAME = re.compile(r"[^a-z0-9]+")
_MOST_NAMES: Final = 100


def opened(stack: Stack, title: str, folder: Path, look: Callable[[], Sequence[Report]]) -> Path:
    """Write a new incident file, with what ``look`` finds of the stack, and return its path.

    Raises ``PermanentError`` where the title has no letter or digit, ``OSError`` where the folder cannot be written.
    """
    slug = _NO_NAME.sub("-", title.lower()).strip("-")[:60]
    if not slug:
        raise PermanentError("The title of an incident has letters or digits.")
    now = to_the_second(stack.clock.now())
    text = _text(stack, title, now, look())
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, _MOST_NAMES):
        path = folder / f"{now[:10]}-{slug}{f'-{number}' if number > 1 else ''}.md"
        try:
            with path.open("x", encoding="utf-8") as file:  # two who open the same one get a file each
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise PermanentError(f"There are {_MOST_NAMES - 1} incidents of that title on one day in {folder}.")


def closed(stack: Stack, incident: str, folder: Path, look: Callable[[], Sequence[Report]]) -> Path:
    """Add the end to an incident file, given by its path or its name in the folder, and return its path.

    Raises ``PermanentError`` where there is none such, or it is closed already.
    """
    path = next((p for p in (Path(incident), folder / incident, folder / f"{incident}.md") if p.is_file()), None)
    if path is None:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.md"))) or "none"
        raise PermanentError(f"There is no incident {incident!r} in {folder}; there are: {known}.")
    text = path.read_text(encoding="utf-8")
    started = _STARTED.search(text)
    if started is None or OPEN not in text:
        raise PermanentError(f"{path} is no open incident.")
    now = stack.clock.now()
    minutes = (now - parse_time(started[1])) / 60_000_000
    ended = f"Status: closed\nEnded: {to_the_second(now)}\nDuration: {minutes:.0f} minutes"
    path.write_text(text.replace(OPEN, ended, 1).rstrip("\n") + "\n" + _end(look()), encoding="utf-8")
    return path


def _text(stack: Stack, title: str, now: str, found: Sequence[Report]) -> str:
    wrong = [sentence for report in found for sentence in report.wrong]
    links = "\n".join(f"- [{name}]({url})" for name, url in _links(stack))
    return f"""# {title}

{OPEN}
Started: {now}
Stack: {stack.name} ({stack.environment}), {stack.account.region}, account {stack.account_id}
Led by:

## What was wrong when this was opened

{_listed(wrong) or "Nothing that the health check sees."}

## Timeline

- {now} opened

## What was measured

{_tables(found)}
## Where to look

{links}
"""


def _end(found: Sequence[Report]) -> str:
    wrong = [sentence for report in found for sentence in report.wrong]
    return f"""
## What was wrong when this was closed

{_listed(wrong) or "Nothing that the health check sees."}

## To be written

- What users noticed, how many, and for how long:
- What caused it:
- What was lost or late, as `millrace reconcile` tells:
- What found it, and what would have found it sooner:
- What is changed so that it does not come back, by whom, until when:
"""


def _listed(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _tables(found: Sequence[Report]) -> str:
    parts = []
    for report in found:
        lines = [f"### {report.title}", ""]
        if report.rows:
            lines += ["| " + " | ".join(report.columns) + " |", "|" + " --- |" * len(report.columns)]
            lines += ["| " + " | ".join(_cell(row.get(name)) for name in report.columns) + " |" for row in report.rows]
        else:
            lines.append("Nothing.")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _links(stack: Stack) -> list[tuple[str, str]]:
    region = stack.account.region
    console = f"https://{region}.console.aws.amazon.com"
    return [
        (
            "Dashboard",
            f"{console}/cloudwatch/home?region={region}#dashboards/dashboard/{stack.outputs['DashboardName']}",
        ),
        ("Alarms", f"{console}/cloudwatch/home?region={region}#alarmsV2:?search={stack.outputs['AlarmPrefix']}"),
        ("Traces", f"{console}/cloudwatch/home?region={region}#xray:traces/query"),
        ("Executions", f"{console}/states/home?region={region}#/statemachines/view/{stack.outputs['StateMachineArn']}"),
        ("Stack", f"{console}/cloudformation/home?region={region}#/stacks?filteringText={stack.name}"),
    ]
