"""The settings of a function: the one place where environment variables are read.

But for the secrets of signed sources: ../secrets.py reads those, under names that the catalog gives them.
"""

import os
from collections.abc import Mapping
from typing import Final

import attrs

from ...core.errors import PermanentError

_PREFIX: Final = "MILLRACE_"
_TRACE: Final = "_X_AMZN_TRACE_ID"
"""Set by the runtime for each invocation (AWS Lambda developer guide, "Defined runtime environment variables")."""

_INITIALIZATION: Final = "AWS_LAMBDA_INITIALIZATION_TYPE"
"""Set by Lambda only, from the beginning of a process (the same page)."""


class MissingSetting(PermanentError):
    """A function was deployed without an environment variable that it needs."""


@attrs.frozen(kw_only=True)
class Settings:
    """What the stack tells a function. A function that has no use for a resource is not told its name."""

    catalog: str
    raw_bucket: str = ""
    analysis_bucket: str = ""
    curated_table: str = ""
    identities_table: str = ""
    views_table: str = ""
    ledger_table: str = ""
    queue_url: str = ""
    dlq_url: str = ""
    state_machine_arn: str = ""
    environment: str = "production"
    cors_origins: tuple[str, ...] = ()


def read_settings(*needed: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings; ``catalog`` and those ``needed`` must be there. Raises ``MissingSetting`` naming each variable."""
    found = {field.name: environ.get(_variable(field.name), "").strip() for field in attrs.fields(Settings)}
    if missing := [_variable(name) for name in ("catalog", *needed) if not found[name]]:
        raise MissingSetting(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set.")
    origins = tuple(origin.strip() for origin in found.pop("cors_origins").split(",") if origin.strip())
    return Settings(cors_origins=origins, **{name: text for name, text in found.items() if text})


def is_sampled(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether X-Ray wants to see this invocation."""
    return "Sampled=1" in environ.get(_TRACE, "")


def is_initializing(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process runs on Lambda, so that what is done while a handler is imported comes before any event."""
    return _INITIALIZATION in environ


def _variable(name: str) -> str:
    return _PREFIX + name.upper()
