"""The local adapter: a store in one folder, with the raw log as files and everything else in SQLite."""

from .store import LocalStore, open_local

__all__ = ["LocalStore", "open_local"]
