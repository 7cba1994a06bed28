"""Catalogs that come with Millrace: ``retail`` to try things on, ``cloudtrail`` for real logs."""
