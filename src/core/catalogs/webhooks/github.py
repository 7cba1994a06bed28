"""GitHub's webhooks: pushes, pull requests, issues, releases and runs of workflows.

Headers, signature and fields as in GitHub's documentation: "Webhook events and payloads", "Validating webhook
deliveries". ``X-GitHub-Delivery`` is the same whenever an event is delivered again, and deliveries have no time: an
event is of the time when it came first. The webhook is to send ``application/json``; an event of more than 256 KiB is
refused (413).
"""

from datetime import timedelta
from typing import Annotated, Any

import attrs
from annotated_types import MinLen

from ...decoding.signatures import Signature
from ...views.measures import Count, Distinct, Last, Sum
from .declared import catalog

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_GITHUB = ("ping", "push", "pull_request", "issues", "issue_comment", "release", "workflow_run")

catalog.source(
    "github",
    type="header:X-GitHub-Event",
    types={name: f"github.{name}" for name in _GITHUB},
    id="header:X-GitHub-Delivery",
    subject="/repository/full_name",
    signature=Signature("X-Hub-Signature-256", secrets="GITHUB_WEBHOOK_SECRETS", prefix="sha256="),
)


@attrs.frozen
class Account:
    """A user, an organization or an app."""

    login: str


@attrs.frozen
class Repository:
    """Where it happened."""

    full_name: str


def _where_and_who(event: Any) -> dict[str, Any]:
    return {"repository": event.repository.full_name, "sender": event.sender and event.sender.login}


@catalog.event("github.ping")
@attrs.frozen
class Ping:
    """A webhook was created: GitHub tries whether it is heard."""

    zen: str


@catalog.transform(Ping)
def curate_ping(event: Ping) -> None:
    """That it was heard is all there is to it: filtered."""


@attrs.frozen
class Commit:
    """A commit that was pushed."""

    id: str
    message: str = ""


@catalog.event("github.push")
@attrs.frozen
class Push:
    """Commits were pushed to a branch or tag, or it was created or deleted."""

    ref: Annotated[str, MinLen(1)]
    after: str
    repository: Repository
    commits: tuple[Commit, ...] = ()
    created: bool = False
    deleted: bool = False
    forced: bool = False
    sender: Account | None = None


@catalog.transform(Push)
def curate_push(event: Push) -> dict[str, Any]:
    return _where_and_who(event) | {
        "ref": event.ref,
        "after": event.after,
        "commits": len(event.commits),
        "forced": event.forced,
        "deleted": event.deleted,
    }


@attrs.frozen
class PullRequest:
    """The state of a pull request after what was done with it; ``merged`` and the counts are not always told."""

    title: str
    state: str
    user: Account | None = None
    draft: bool | None = None
    merged: bool | None = None
    additions: int | None = None
    deletions: int | None = None


@catalog.event("github.pull_request")
@attrs.frozen
class PullRequestEvent:
    """Something was done with a pull request."""

    action: str
    number: int
    pull_request: PullRequest
    repository: Repository
    sender: Account | None = None


@catalog.transform(PullRequestEvent)
def curate_pull_request(event: PullRequestEvent) -> dict[str, Any]:
    """Closed by merging is told as ``merged``."""
    request = event.pull_request
    return _where_and_who(event) | {
        "action": "merged" if event.action == "closed" and request.merged else event.action,
        "number": event.number,
        "title": request.title,
        "author": request.user and request.user.login,
        "state": request.state,
        "additions": request.additions,
        "deletions": request.deletions,
    }


@attrs.frozen
class Issue:
    """The state of an issue."""

    number: int
    title: str
    state: str | None = None
    user: Account | None = None


@attrs.frozen
class _OnIssue:
    action: str
    issue: Issue
    repository: Repository
    sender: Account | None = None


@catalog.event("github.issues")
@attrs.frozen
class IssueEvent(_OnIssue):
    """Something was done with an issue."""


@catalog.event("github.issue_comment")
@attrs.frozen
class IssueCommentEvent(_OnIssue):
    """A comment on an issue or pull request was written, changed or deleted."""


def curate_issue(event: _OnIssue) -> dict[str, Any]:
    return _where_and_who(event) | {
        "action": event.action,
        "number": event.issue.number,
        "title": event.issue.title,
        "state": event.issue.state,
    }


catalog.transform(IssueEvent)(curate_issue)
catalog.transform(IssueCommentEvent)(curate_issue)


@attrs.frozen
class Release:
    """A release."""

    tag_name: str
    name: str | None = None
    prerelease: bool = False


@catalog.event("github.release")
@attrs.frozen
class ReleaseEvent:
    """Something was done with a release."""

    action: str
    release: Release
    repository: Repository
    sender: Account | None = None


@catalog.transform(ReleaseEvent)
def curate_release(event: ReleaseEvent) -> dict[str, Any]:
    return _where_and_who(event) | {
        "action": event.action,
        "tag": event.release.tag_name,
        "prerelease": event.release.prerelease,
    }


@attrs.frozen
class WorkflowRun:
    """A run of a workflow; it has a ``conclusion`` once it is completed."""

    id: int
    name: str | None = None
    head_branch: str | None = None
    event: str | None = None
    conclusion: str | None = None
    run_attempt: int = 1


@catalog.event("github.workflow_run")
@attrs.frozen
class WorkflowRunEvent:
    """A run of a workflow was requested, is under way or completed."""

    action: str
    workflow_run: WorkflowRun
    repository: Repository
    sender: Account | None = None


@catalog.transform(WorkflowRunEvent)
def curate_workflow_run(event: WorkflowRunEvent) -> dict[str, Any]:
    run = event.workflow_run
    return _where_and_who(event) | {
        "action": event.action,
        "run": run.id,
        "workflow": run.name,
        "branch": run.head_branch,
        "trigger": run.event,
        "conclusion": run.conclusion,
        "attempt": run.run_attempt,
    }


catalog.view(
    "pushes",
    over=Push,
    every=DAY,
    by=["repository"],
    measures={"pushes": Count(), "commits": Sum("commits"), "people": Distinct("sender")},
)
catalog.view(
    "pull_requests",
    over=PullRequestEvent,
    every=DAY,
    by=["repository", "action"],
    measures={"events": Count(), "people": Distinct("sender"), "last_title": Last("title")},
)
catalog.view("issues", over=IssueEvent, every=DAY, by=["repository", "action"], measures={"events": Count()})
catalog.view(
    "workflow_runs", over=WorkflowRunEvent, every=HOUR, by=["repository", "conclusion"], measures={"events": Count()}
)
