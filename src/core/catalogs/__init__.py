"""Catalogs that come with Millrace: ``retail`` to try things on, ``cloudtrail`` and ``webhooks`` for real ones."""
