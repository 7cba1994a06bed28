"""Webhooks of GitHub and Stripe: signed sources, some of their events, and views over them.

Of what they send, a few fields are declared; the raw log has the rest. Event types that are not declared here become
dead letters (``unknown-type``), and can be redriven once a catalog declares them.
"""

from . import github, stripe
from .declared import catalog

__all__ = ["catalog", "github", "stripe"]
