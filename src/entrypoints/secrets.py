"""Secrets of signed sources: the one place where they are read from the environment."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from ..core.decoding.foreign import Source
from ..core.errors import PermanentError

VARIABLE: Final = "MILLRACE_WEBHOOK_SECRETS"
"""Where secrets stand together that have no variable of their own: a JSON object of texts."""

_together = msgspec.json.Decoder(dict[str, str]).decode


class MissingSecrets(PermanentError):
    """There are no secrets under the name that a signature gives them. Names variables, never what they hold."""


def secrets_of(name: str, environ: Mapping[str, str] = os.environ) -> Sequence[str]:
    """The secrets in the environment variable of that name, or else under that name in the JSON object that
    ``MILLRACE_WEBHOOK_SECRETS`` is; separated by commas or blanks. Raises ``MissingSecrets`` where there are none.
    """
    text = environ.get(name, "")
    if not text.strip() and (together := environ.get(VARIABLE, "").strip()):
        try:
            text = _together(together).get(name, "")
        except (msgspec.DecodeError, UnicodeError):
            raise MissingSecrets(f"{VARIABLE} is no JSON object of texts.") from None
    if secrets := text.replace(",", " ").split():
        return secrets
    raise MissingSecrets(f"{name} is not set, nor is there a {name} in {VARIABLE}.")


def missing_secrets(sources: Iterable[Source], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Of each signed source whose requests will be refused for want of secrets: its name, and what is not set."""
    missing = {}
    for source in sources:
        if source.signature is not None:
            try:
                secrets_of(source.signature.secrets, environ)
            except MissingSecrets as error:
                missing[source.name] = str(error)
    return missing
