"""The ports: what the core needs of its surroundings. Each docstring is the contract every adapter is tested for.

Every method may raise ``TransientError``; a call that raised it may or may not have taken effect, and may be made
again. Adapters translate their backend's errors into these two branches and swallow none.
"""

from .kept import ChangeFeed, CuratedStore, DeadLetters, Files, Ledger, Queue, RawStore, Sender, Stores, ViewStore
from .surroundings import Clock, Orchestrator, ReceiptIds

__all__ = [
    "ChangeFeed",
    "Clock",
    "CuratedStore",
    "DeadLetters",
    "Files",
    "Ledger",
    "Orchestrator",
    "Queue",
    "RawStore",
    "ReceiptIds",
    "Sender",
    "Stores",
    "ViewStore",
]
