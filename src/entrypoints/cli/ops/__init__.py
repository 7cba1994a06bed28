"""``millrace ops``: looking after a stack, as deploy/RUNBOOK.md tells."""

import click

from . import (
    alarms,
    audit,
    backup,
    deploy,
    drill,
    executions,
    health,
    incident,
    limits,
    logs,
    replicate,
    restore,
    rollback,
    slo,
    traces,
    undelivered,
    upkeep,
    verify,
)


@click.group()
def ops() -> None:
    """Look after a stack on AWS: what deploy/RUNBOOK.md tells the operator to run.

    Every command shows what it found and exits with 1 where something is wrong. What changes something shows it first
    and asks, unless --yes is given; with --dry-run it only shows it.

    \b
    Examples:
      millrace ops health --store aws:millrace
      millrace ops executions failures --store aws:millrace
    """


for _command in (
    health.health,
    slo.slo,
    alarms.alarms,
    logs.errors,
    logs.logs,
    traces.trace,
    traces.service_map,
    undelivered.undelivered,
    deploy.deploy,
    verify.verify,
    rollback.rollback,
    limits.throttle,
    limits.concurrency,
    limits.capacity,
    limits.timeout,
    executions.executions,
    backup.backup,
    restore.restore,
    backup.pitr,
    replicate.replicate,
    drill.disaster_drill,
    audit.audit_iam,
    upkeep.runtimes,
    upkeep.retention,
    upkeep.cost,
    upkeep.performance,
    incident.incident,
):
    ops.add_command(_command)
