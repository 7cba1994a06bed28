"""``millrace ops``: timeouts."""
